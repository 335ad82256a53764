"""The notifier without Kafka's consumer: alerts go in by partition, notifications go out.

Who leads has an `Outbox`. For each batch of alerts that arrives, in this order:

1. hear whether the fleet falls together (`inhibit`), and let the alerts through the pipeline;
2. write what was decided to the deliveries topic, and how far the alerts were read;
3. when that is acknowledged, hand what is to be sent to the receivers' couriers, and return: now
   the consumer may commit.

The same is done without alerts when something in the pipeline falls due, when people mute
something, and after each attempt, with its outcome; a process that dies in between repeats the
attempt with the same notification id.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import structlog

from pulse.alerting.book import Rules
from pulse.alerting.people.links import Links
from pulse.alerting.people.silences import REPLAY_PREFIX, SNOOZE_PREFIX, Muted
from pulse.alerting.records import envelope
from pulse.alerting.records.delivery import Delivery
from pulse.alerting.stages.routing import Addressee, Route
from pulse.notifier.clock import Clock
from pulse.notifier.fleet.holding import Holding
from pulse.notifier.fleet.inhibit import FleetGuard
from pulse.notifier.metrics import NotifierMetrics
from pulse.notifier.outbox import AT_ONCE, Outbox
from pulse.notifier.reading.arrival import Arrival, At, Bounds, Fullness, Heard
from pulse.notifier.reading.lease import Lease
from pulse.notifier.receiver import (
    Attempt,
    Notification,
    Outcome,
    Receiver,
    ReceiverSettings,
    Verdict,
)
from pulse.notifier.report import Reporter
from pulse.notifier.sending.courier import Courier
from pulse.notifier.sending.endpoints import Endpoints
from pulse.notifier.sending.parcel import notification_of
from pulse.notifier.sending.room import Room
from pulse.notifier.state.garbage import Garbage
from pulse.notifier.state.letters import Letters, Shelf
from pulse.notifier.state.log import DeliveryLog, PartitionClosed, Record
from pulse.notifier.state.recovery import Recovery
from pulse.notifier.state.shelf import LogShelf
from pulse.notifier.tasks import Tasks
from pulse.notifier.turns import Started, Turn

log = structlog.get_logger("pulse.notifier")

_TOMBSTONES_AT_ONCE: Final = 500
_FEW: Final = 25
"""Groups that a turn looks at of which many may come at once: after an attempt, say. What more is
due has a turn of its own."""

Answer = Callable[[Sequence[str]], Coroutine[None, None, None]]
"""Called with keys of the silences topic that mean nothing any more: of replays that are on record,
and of what was said of alerts that have ended.
"""


class Notifier:
    """Holds what a lead knows, while it leads, and one courier a receiver.

    `at` is told when a step has been reached: `recorded` (what is to be done about alerts is
    acknowledged), `sent` (an attempt was answered, its outcome is not logged), `logged` (it is,
    and nothing was committed since), `committed` (how far the alerts are recorded). It is how a
    test ends a notifier at that point. `rules`: the pipeline's; by default all alerts go to all
    receivers at once, each alone. `shelf`: where alerts are read that are not in memory.
    `partitions`: how many the deliveries topic has, all of which version 1 used. `links` makes what
    leads from a message to the account page. `answer`: where what people said is erased when it
    means nothing any more; without it that stays there. `tasks` is told of what ends in a bug.
    """

    def __init__(
        self,
        receivers: Mapping[str, tuple[ReceiverSettings, Receiver]],
        topic: DeliveryLog,
        clock: Clock,
        lease: Lease,
        metrics: NotifierMetrics,
        bounds: Bounds | None = None,
        *,
        partitions: int = 1,
        rules: Rules | None = None,
        shelf: Shelf | None = None,
        guard: FleetGuard | None = None,
        config_version: str = "000000000000",
        links: Links | None = None,
        answer: Answer | None = None,
        tasks: Tasks | None = None,
        at: At | None = None,
    ) -> None:
        self.at: At = at or (lambda step, partition: None)
        self._answer = answer
        self.tasks = tasks or Tasks()
        self._topic = topic
        self._clock = clock
        self._metrics = metrics
        metrics.expect(receivers)
        self._report = Reporter(metrics)
        self._bounds = bounds or Bounds()
        self._partitions = partitions
        self._settings = {name: settings for name, (settings, _) in receivers.items()}
        self._rules = rules or _all_to_all(self._settings)
        self._letters = Letters(shelf or LogShelf(topic))
        self._links = links
        self._muted = Muted()
        self._outbox: Outbox | None = None
        self._couriers = {
            name: Courier(
                settings, receiver, clock, lease, metrics, self._open, self._finish, self.tasks
            )
            for name, (settings, receiver) in receivers.items()
        }
        self._garbage = Garbage()
        self._work: set[asyncio.Task[None]] = set()
        self._due = asyncio.Event()
        self._timer: asyncio.Task[None] | None = None
        self._endpoints = Endpoints(self._couriers, self._report, clock, config_version)
        self._holding = Holding(guard, lambda: self._outbox, self._turn_soon, clock, metrics)

    async def start(self) -> None:
        """Begin to send. `lead`, `take` and `resign` may be called from now on."""
        self._metrics.undelivered.set_function(self.undelivered)
        self._metrics.leads.set(0)
        self._holding.start(self._soon)
        for name, courier in self._couriers.items():
            self._report.disabled(name, disabled=False)
            courier.start()

    async def stop(self) -> None:
        """Give the lead up and close the receivers."""
        await self.resign()
        for task in tuple(self._work):
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        for courier in self._couriers.values():
            await courier.stop()

    def undelivered(self) -> int:
        """Notifications still to be sent."""
        return 0 if self._outbox is None else len(self._outbox)

    def fullness(self) -> Fullness:
        """Whether more alerts may be read: not where no receiver has room for them."""
        outbox, bounds = self._outbox, self._bounds
        if outbox is None:
            return Fullness.ROOM
        full: set[Fullness] = set()
        for name, courier in self._couriers.items():
            if courier.disabled:
                continue
            if outbox.waiting(name) >= bounds.undelivered:
                full.add(Fullness.TOO_MUCH_WAITS)
            elif outbox.untried(name) >= bounds.backlog and not courier.is_held:
                full.add(Fullness.BUSY)
            else:
                return Fullness.ROOM
        if not full:
            return Fullness.ROOM
        return Fullness.BUSY if Fullness.BUSY in full else Fullness.TOO_MUCH_WAITS

    # --- the lead -----------------------------------------------------------------------------

    async def lead(self) -> dict[int, int]:
        """Read back what is recorded, and go on with it.

        Returns by partition the offset of the alerts topic from which alerts are not recorded yet;
        without those of which nothing is said. Called before `take`.
        """
        self._garbage.spare()
        recovery = Recovery(self._topic, self._letters, self._clock)
        journal, again = await recovery.read_back(self._rules.root.key, self._partitions)
        outbox = Outbox(
            self._rules,
            self._settings,
            journal,
            self._letters,
            self._report,
            Room(self._settings, self._bounds.backlog, self._bounds.undelivered),
            self._bounds.late_after_ms,
        )
        self._topic.open(envelope.PARTITION)
        now_ms = self._clock.now_ms()
        # As threads: of many alerts that takes longer than a lease lasts, and the event loop must
        # not stand still for so long. Nobody else has the outbox yet.
        await asyncio.to_thread(outbox.restore, now_ms)
        outbox.withheld = self._due.set
        self._endpoints.take_over(outbox, journal)
        outbox.mute(self._muted, now_ms)
        self._holding.take_over(outbox)
        turn = await asyncio.to_thread(outbox.turn, now_ms)
        # Its epoch is known before anything is sent.
        mine = outbox.position()
        await self._topic.append(envelope.PARTITION, [*again, *turn.records, mine])
        self._outbox = outbox
        # It changes in place, and may have done so since.
        outbox.mute(self._muted, self._clock.now_ms())
        self._turn_soon()
        self._holding.leads()
        self._answered(turn)
        self._metrics.leads.set(1)
        if recovery.forget:
            self._soon(recovery.forget_before())
        orphans = 0
        for number, delivery in enumerate(outbox, 1):
            orphans += delivery.receiver not in self._couriers
            self._schedule(outbox, delivery)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
        if orphans:
            log.warning(
                "notifications wait for receivers that the configuration no longer has",
                notifications=orphans,
            )
        self._timer = self.tasks.start(self._watch(outbox), "timer")
        log.info("this notifier leads", undelivered=len(outbox))
        return dict(outbox.offsets)

    async def resign(self) -> None:
        """Stop sending and writing; return when that holds.

        Requests under way may end and be recorded within `leave_within_s`.
        """
        outbox, within_s = self._outbox, self._bounds.leave_within_s
        if outbox is not None:
            outbox.revoked = True
            await asyncio.gather(*(each.leave(within_s) for each in self._couriers.values()))
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.gather(self._timer, return_exceptions=True)
        await self._topic.close(envelope.PARTITION, within_s)
        # It may be given up twice at once: by the group, and because the process ends.
        if self._outbox is outbox:
            self._outbox = None
            self._metrics.leads.set(0)
            self._garbage.spare_nothing()

    # --- alerts -------------------------------------------------------------------------------

    async def take(self, partition: int, arrivals: Sequence[Arrival], next_offset: int) -> None:
        """Record what is to be done about these alerts; return when it is acknowledged.

        `next_offset` is the first one of the alerts topic that is not covered. Raises
        `PartitionClosed` where another one leads by now.
        """
        outbox = self._outbox
        if outbox is None or outbox.revoked:
            raise PartitionClosed(str(partition))
        self._holding.hear(partition, [arrival.heard() for arrival in arrivals])
        now_ms = self._clock.now_ms()
        for arrival in arrivals:
            self._metrics.alerts_read.inc()
            outbox.take(arrival, now_ms)
        outbox.offsets[partition] = next_offset
        made = await self._record(outbox, _FEW + len(arrivals))
        self.at("recorded", partition)
        self._schedule_all(outbox, made)

    def hear(self, partition: int, heard: Sequence[Heard]) -> None:
        """Hear what accounts of any partition alert of, whoever leads."""
        self._holding.hear(partition, heard)

    def mute(self, muted: Muted) -> None:
        """What people have muted, all of it. Called when it is known, and at each change."""
        self._muted = muted
        if self._outbox is not None and not self._outbox.revoked:
            self._outbox.mute(muted, self._clock.now_ms())
            self._turn_soon()

    # --- turns --------------------------------------------------------------------------------

    async def _record(self, outbox: Outbox, most: int = _FEW) -> list[Delivery]:
        """Write what is to be written; returns what is to be scheduled."""
        turn = outbox.turn(self._clock.now_ms(), most)
        self._due.set()
        if turn.records:
            # Nothing may be awaited in between: the records keep their order.
            await self._topic.append(envelope.PARTITION, turn.records)
        self._answered(turn)
        return turn.made

    def _answered(self, turn: Turn) -> None:
        if turn.replays and self._answer is not None:
            self._soon(self._answer([REPLAY_PREFIX + each for each in turn.replays]))

    async def _turn(self, outbox: Outbox, most: int = _FEW) -> None:
        with contextlib.suppress(PartitionClosed):
            self._schedule_all(outbox, await self._record(outbox, most))

    def _turn_soon(self) -> None:
        if self._outbox is not None:
            self._soon(self._turn(self._outbox))

    async def _watch(self, outbox: Outbox) -> None:
        """Take a turn whenever something falls due."""
        while not outbox.revoked:
            self._due.clear()
            next_ms = outbox.next_ms()
            if next_ms is not None and next_ms <= self._clock.now_ms():
                await self._turn(outbox, AT_ONCE)
                await asyncio.sleep(0)  # also where there was nothing to write
                continue
            waiting: list[asyncio.Task[Any]] = [asyncio.create_task(self._due.wait())]
            if next_ms is not None:
                sleep_s = (next_ms - self._clock.now_ms()) / 1000
                waiting.append(asyncio.create_task(self._clock.sleep(sleep_s)))
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()

    # --- attempts -----------------------------------------------------------------------------

    async def _open(self, started: Started) -> Notification | None:
        """The notification itself, with its alerts."""
        found = await self._letters.read(started.wanted)
        missing = len(started.wanted) - len(found)
        if missing:
            log.error("alerts are nowhere any more", id=started.delivery.id, alerts=missing)
        return notification_of(started.delivery, found, started.owners, self._links)

    async def _finish(
        self, outbox: Outbox, delivery: Delivery, attempt: Attempt, outcome: Outcome
    ) -> None:
        """Record an attempt's outcome and what follows from it."""
        self.at("sent", envelope.PARTITION)
        courier = self._couriers[delivery.receiver]
        if outcome.verdict is Verdict.GONE and not courier.disabled:
            self._endpoints.gone(outbox, courier, outcome)
        after = outbox.end(delivery, attempt, outcome, self._clock.now_ms())
        self._report.attempted(after, outcome)
        self._endpoints.ended(outbox, courier, outcome)
        try:
            made = await self._record(outbox)
        except PartitionClosed:
            return
        self.at("logged", envelope.PARTITION)
        self._schedule_all(outbox, [after, *made])

    # --- housekeeping -------------------------------------------------------------------------

    async def forget_old(self) -> None:
        """Forget what was done long ago. Called once an hour."""
        outbox = self._outbox
        if outbox is None or outbox.revoked:
            return
        tombstones = outbox.tombstones()
        now_ms = self._clock.now_ms()
        before_ms = now_ms - self._bounds.retention_days * 86_400_000
        more = True
        while more:
            more = outbox.forget(before_ms, now_ms)
            await self._turn(outbox)
            await asyncio.sleep(0)
        for first in range(0, len(tombstones), _TOMBSTONES_AT_ONCE):
            await self._append(*tombstones[first : first + _TOMBSTONES_AT_ONCE])
        if self._answer is not None and (over := self._over(outbox, now_ms)):
            await self._answer(over[:_TOMBSTONES_AT_ONCE])

    def _over(self, outbox: Outbox, now_ms: int) -> list[str]:
        """What people said of alerts that have ended, or until an instant that is long past."""
        snoozes, before_ms = self._muted.snoozes, now_ms - self._bounds.retention_days * 86_400_000
        past = {
            name
            for name, each in snoozes.items()
            if each.until_ms is not None and each.until_ms < before_ms
        }
        return [SNOOZE_PREFIX + each for each in sorted(past.union(outbox.ended_of(snoozes)))]

    # --- small parts --------------------------------------------------------------------------

    async def _append(self, *records: Record) -> None:
        try:
            await self._topic.append(envelope.PARTITION, records)
        except PartitionClosed:
            log.debug("another notifier leads")

    def _soon(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = self.tasks.start(work, "turn")
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    def _schedule_all(self, outbox: Outbox, deliveries: Sequence[Delivery]) -> None:
        for each in deliveries:
            self._schedule(outbox, each)

    def _schedule(self, outbox: Outbox, delivery: Delivery) -> None:
        courier = self._couriers.get(delivery.receiver)
        if courier is not None and delivery.is_open and not outbox.revoked:
            courier.schedule(outbox, delivery)


def _all_to_all(settings: Mapping[str, ReceiverSettings]) -> Rules:
    addressees = {
        name: Addressee(name, each.reasons, each.send_resolved) for name, each in settings.items()
    }
    return Rules(root=Route(receivers=tuple(settings)), addressees=addressees)
