"""The notifier without Kafka's consumer: alerts go in by partition, notifications go out.

For each alert state that arrives, in this order:

1. hear whether the fleet falls together (`inhibit`), decide for every receiver
   (`decide.on_arrival`) and note it in the partition's ledger;
2. write what was decided to the deliveries topic, and how far the alerts were read;
3. when that is acknowledged, hand what is to be sent to the receivers' couriers, and return: now
   the consumer may commit.

After each attempt its outcome is written; a process that dies in between repeats the attempt with
the same notification id.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Final

import msgspec
import structlog

from pulse.alerting.alert import ENDLESS
from pulse.model import notification_id
from pulse.notifier import decide, retry
from pulse.notifier.arrival import Arrival, At, Bounds, Fullness, Heard
from pulse.notifier.clock import Clock
from pulse.notifier.courier import Courier
from pulse.notifier.delivery import (
    UNDELIVERED,
    Delivery,
    State,
    encode,
    encode_endpoint,
    encode_position,
    endpoint_key,
    url_hash,
)
from pulse.notifier.holding import Desk, Holding
from pulse.notifier.inhibit import FleetGuard, hold
from pulse.notifier.lease import Lease
from pulse.notifier.ledger import Ledger
from pulse.notifier.log import DeliveryLog, LogUnavailable, PartitionClosed, Record
from pulse.notifier.metrics import NotifierMetrics
from pulse.notifier.receiver import Attempt, Outcome, Receiver, ReceiverSettings, Verdict
from pulse.notifier.report import Reporter

log = structlog.get_logger("pulse.notifier")

_READ_AGAIN_S: Final = 1.0
_TOMBSTONES_AT_ONCE: Final = 500


class Notifier:
    """Holds the ledgers of the assigned partitions and one courier a receiver.

    `at` is told when a step has been reached: `recorded` (what is to be done about alerts is
    acknowledged), `sent` (an attempt was answered, its outcome is not logged), `logged` (it is,
    and nothing was committed since), `committed` (how far the alerts are recorded). It is how a
    test ends a notifier at that point.
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
        guard: FleetGuard | None = None,
        at: At | None = None,
    ) -> None:
        self.at: At = at or (lambda step, partition: None)
        self._topic = topic
        self._clock = clock
        self._metrics = metrics
        self._report = Reporter(metrics)
        self._bounds = bounds or Bounds()
        self._ledgers: dict[int, Ledger] = {}
        self._couriers = {
            name: Courier(settings, receiver, clock, lease, metrics, self._finish)
            for name, (settings, receiver) in receivers.items()
        }
        self._announcements: set[asyncio.Task[None]] = set()
        desk = Desk(self._note, self._decide, self._append_or_leave, self._schedule, self._soon)
        self._holding = Holding(guard, self._ledgers, desk, clock, metrics)

    async def start(self) -> None:
        """Begin to send. `assign`, `take` and `revoke` may be called from now on."""
        self._metrics.undelivered.set_function(self.undelivered)
        self._holding.start()
        for name, courier in self._couriers.items():
            self._report.disabled(name, disabled=False)
            courier.start()

    async def stop(self) -> None:
        """Give up every partition and close the receivers."""
        await self.revoke(tuple(self._ledgers))
        for task in tuple(self._announcements):
            task.cancel()
        await asyncio.gather(*self._announcements, return_exceptions=True)
        for courier in self._couriers.values():
            await courier.stop()

    def undelivered(self) -> int:
        """Notifications still to be sent, of all assigned partitions."""
        return sum(len(ledger) for ledger in self._ledgers.values())

    def fullness(self) -> Fullness:
        """Whether more alerts may be read."""
        if self.undelivered() >= self._bounds.undelivered:
            return Fullness.TOO_MUCH_WAITS
        backlog = sum(courier.backlog for courier in self._couriers.values())
        return Fullness.BUSY if backlog >= self._bounds.backlog else Fullness.ROOM

    # --- partitions ---------------------------------------------------------------------------

    async def assign(self, partition: int) -> int | None:
        """Read a partition's deliveries back and go on with them.

        Returns the offset of the alerts topic from which alerts are not recorded yet, None where
        nothing says. Called once a partition that was assigned, before `take`.
        """
        ledger = await self._recover(partition)
        again = [self._note(ledger, each) for each in ledger.recovered(self._clock.now_ms())]
        self._take_over_endpoints(ledger)
        self._ledgers[partition] = ledger
        self._topic.open(partition)
        settled = self._settle_recovered(ledger)
        await self._append(ledger, [*map(encode, [*again, *settled]), self._position(ledger)])
        orphans = 0
        for delivery in ledger:
            orphans += delivery.receiver not in self._couriers
            self._schedule(ledger, delivery)
        if orphans:
            log.warning(
                "notifications wait for receivers that the configuration no longer has",
                partition=partition,
                notifications=orphans,
            )
        self._holding.take_over(ledger)
        log.info("partition assigned", partition=partition, undelivered=len(ledger))
        return ledger.position

    async def revoke(self, partitions: Sequence[int]) -> None:
        """Stop sending and writing for these partitions; return when that holds.

        Requests under way may end and be recorded within `leave_within_s`.
        """
        ledgers = [self._ledgers[each] for each in partitions if each in self._ledgers]
        for ledger in ledgers:
            ledger.revoked = True
        within_s = self._bounds.leave_within_s
        await asyncio.gather(
            *(
                courier.leave(ledger.partition, within_s)
                for ledger in ledgers
                for courier in self._couriers.values()
            )
        )
        await asyncio.gather(*(self._topic.close(ledger.partition, within_s) for ledger in ledgers))
        for ledger in ledgers:
            # It may be given up twice at once: by the group, and because the process ends.
            if self._ledgers.get(ledger.partition) is ledger:
                del self._ledgers[ledger.partition]

    async def _recover(self, partition: int) -> Ledger:
        while True:
            ledger = Ledger(partition)
            try:
                async for batch in self._topic.read(partition):
                    for key, value in batch:
                        self._read(ledger, key, value)
                    await asyncio.sleep(0)
            except LogUnavailable:
                await self._clock.sleep(_READ_AGAIN_S)
            else:
                return ledger

    def _read(self, ledger: Ledger, key: str, value: bytes | None) -> None:
        try:
            ledger.read(key, value)
        except ValueError as error:
            log.error(
                "a record of the deliveries topic cannot be read; it is passed over",
                partition=ledger.partition,
                key=key,
                error=str(error),
            )

    def _take_over_endpoints(self, ledger: Ledger) -> None:
        for name, courier in self._couriers.items():
            endpoint = ledger.endpoints.get(endpoint_key(name))
            if (
                endpoint is not None
                and endpoint.url_sha256 == url_hash(courier.settings.url)
                and not courier.disabled
            ):
                log.warning("receiver is disabled", receiver=name, since=endpoint.at)
                self._disable(courier)

    def _settle_recovered(self, ledger: Ledger) -> list[Delivery]:
        """What a crash left undone: firings whose resolving is known, and disabled endpoints."""
        now_ms = self._clock.now_ms()
        settled: list[Delivery] = []
        for delivery in ledger:
            lane = ledger.lane(delivery.alert_id, delivery.receiver)
            courier = self._couriers.get(delivery.receiver)
            if delivery.status == "firing" and lane.resolved_known:
                state, reason = State.SUPERSEDED, "resolved_before_delivered"
            elif courier is not None and courier.disabled:
                state, reason = State.DISABLED, "endpoint_disabled"
            else:
                continue
            settled.append(self._settle(ledger, delivery.becomes(state, now_ms, reason=reason)))
        return settled

    # --- alerts -------------------------------------------------------------------------------

    async def take(self, partition: int, arrivals: Sequence[Arrival], next_offset: int) -> None:
        """Record what is to be done about these alerts; return when it is acknowledged.

        `next_offset` is the first one of the alerts topic that is not covered. Raises
        `PartitionClosed` where the partition is or becomes somebody else's.
        """
        ledger = self._ledgers.get(partition)
        if ledger is None or ledger.revoked:
            raise PartitionClosed(str(partition))
        self._holding.hear(partition, [arrival.heard() for arrival in arrivals])
        noted: list[Delivery] = []
        for arrival in arrivals:
            self._metrics.alerts_read.inc()
            noted += self._decide(ledger, arrival)
        ledger.position = next_offset
        await self._append(ledger, [*map(encode, noted), self._position(ledger)])
        self.at("recorded", partition)
        for delivery in noted:
            self._schedule(ledger, delivery)

    def _decide(self, ledger: Ledger, arrival: Arrival) -> list[Delivery]:
        """The deliveries to record for all receivers."""
        couriers = self._couriers.values()
        return [each for to in couriers for each in self._decide_for(ledger, to, arrival)]

    def _decide_for(self, ledger: Ledger, courier: Courier, arrival: Arrival) -> list[Delivery]:
        """The deliveries to record, in the order that a crash between them may cut anywhere."""
        alert, receiver = arrival.alert, courier.settings
        lane = ledger.lane(alert.id, receiver.name)
        held_ms = self._holding.held_until(alert)
        decision = decide.on_arrival(
            alert, lane, receiver, disabled=courier.disabled, held=held_ms is not None
        )
        self._report.decided(receiver.name, decision.reason)
        if decision.state is None:
            return []
        now_ms = self._clock.now_ms()
        found = Delivery(
            id=notification_id(alert.id, receiver.name, alert.status),
            alert_id=alert.id,
            receiver=receiver.name,
            status=alert.status,
            state=decision.state,
            at_ms=now_ms,
            created_ms=now_ms,
            due_ms=arrival.due_ms,
            origin=arrival.origin,
            epoch=ledger.epoch,
            reason="" if decision.state is State.PENDING else decision.reason,
            alert=arrival.raw if decision.state in UNDELIVERED else None,
            ends=alert.reason not in ENDLESS,
        )
        if not found.is_open:
            noted = [self._settle(ledger, found)]
        else:
            if decision.reason == decide.HELD and held_ms is not None:
                found = hold(found, now_ms, held_ms)
            else:
                first_ms = retry.first_attempt_ms(receiver, found.id, now_ms)
                found = found.becomes(State.PENDING, now_ms, next_ms=first_ms)
            noted = [self._note(ledger, found)]
        firing = ledger.other(found) if decision.supersedes else None
        if firing is not None:
            # After the newer one: were it alone, the newer one would be decided anew, differently.
            superseded = firing.becomes(State.SUPERSEDED, now_ms, reason=decision.supersedes)
            noted.append(self._settle(ledger, superseded))
        return noted

    def hear(self, partition: int, heard: Sequence[Heard]) -> None:
        """Hear what accounts of any partition alert of, whoever has the partition."""
        self._holding.hear(partition, heard)

    # --- attempts -----------------------------------------------------------------------------

    async def _finish(
        self, ledger: Ledger, delivery: Delivery, attempt: Attempt, outcome: Outcome
    ) -> None:
        """Record an attempt's outcome and what follows from it."""
        self.at("sent", ledger.partition)
        courier = self._couriers[delivery.receiver]
        now_ms = self._clock.now_ms()
        if outcome.verdict is Verdict.GONE and not courier.disabled:
            await self._announce_gone(courier, now_ms, outcome)
        lane = ledger.lane(delivery.alert_id, delivery.receiver)
        ledger.in_flight.discard(delivery.id)
        standing = decide.Standing(
            superseded=delivery.status == "firing" and lane.resolved_known,
            disabled=courier.disabled,
        )
        after = self._note(
            ledger,
            decide.after_attempt(delivery, attempt, outcome, standing, courier.settings, now_ms),
        )
        self._report.attempted(after, outcome)
        try:
            await self._append(ledger, [encode(after)])
        except PartitionClosed:
            return
        self.at("logged", ledger.partition)
        for following in (after, ledger.other(after)):
            if following is not None:
                self._schedule(ledger, following)

    async def _announce_gone(self, courier: Courier, now_ms: int, outcome: Outcome) -> None:
        """Disable an endpoint that answered 410, for good, in every partition."""
        settings = courier.settings
        log.error(
            "receiver answered 410 Gone and is disabled; it gets nothing until its URL is changed "
            "or it is enabled again with `pulse notify --enable`",
            receiver=settings.name,
        )
        courier.disabled = True
        gone = encode_endpoint(settings.name, settings.url, now_ms, outcome.http_status)
        await asyncio.shield(self._soon(self._topic.broadcast(gone)))
        self._disable(courier)

    def _disable(self, courier: Courier) -> None:
        """Send nothing more there; what was to be sent is recorded as disabled."""
        courier.disabled = True
        self._report.disabled(courier.settings.name, disabled=True)
        now_ms = self._clock.now_ms()
        for ledger in self._ledgers.values():
            settled = [
                self._settle(
                    ledger, delivery.becomes(State.DISABLED, now_ms, reason="endpoint_disabled")
                )
                for delivery in ledger
                if delivery.receiver == courier.settings.name
                and delivery.id not in ledger.in_flight
            ]
            if settled and not ledger.revoked:
                self._soon(
                    self._append_or_leave(ledger, [encode(delivery) for delivery in settled])
                )

    # --- housekeeping -------------------------------------------------------------------------

    async def forget_old(self) -> None:
        """Write tombstones for what was done long ago. Called now and then."""
        before_ms = self._clock.now_ms() - self._bounds.retention_days * 86_400_000
        for ledger in tuple(self._ledgers.values()):
            while not ledger.revoked and (ids := ledger.expired(before_ms, _TOMBSTONES_AT_ONCE)):
                await self._append_or_leave(ledger, [(each, None) for each in ids])
                ledger.forget(ids)

    # --- small parts --------------------------------------------------------------------------

    def _soon(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._announcements.add(task)
        task.add_done_callback(self._announcements.discard)
        return task

    def _note(self, ledger: Ledger, delivery: Delivery) -> Delivery:
        mine = msgspec.structs.replace(delivery, epoch=ledger.epoch)
        ledger.put(mine)
        return mine

    def _settle(self, ledger: Ledger, delivery: Delivery) -> Delivery:
        """Note a delivery that will not be sent, and count it."""
        self._report.settled(delivery)
        return self._note(ledger, delivery)

    def _schedule(self, ledger: Ledger, delivery: Delivery) -> None:
        courier = self._couriers.get(delivery.receiver)
        if courier is not None and delivery.is_open and not ledger.revoked:
            courier.schedule(ledger, delivery)

    def _position(self, ledger: Ledger) -> Record:
        at_once = max((each.settings.concurrency for each in self._couriers.values()), default=0)
        return encode_position(ledger.epoch, ledger.position, at_once)

    async def _append(self, ledger: Ledger, records: Sequence[Record]) -> None:
        await self._topic.append(ledger.partition, records)

    async def _append_or_leave(self, ledger: Ledger, records: Sequence[Record]) -> None:
        try:
            await self._append(ledger, records)
        except PartitionClosed:
            log.debug("partition was revoked", partition=ledger.partition)
