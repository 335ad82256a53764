"""Carries out what the fleet's guard finds, in every ledger: holds, releases, tells."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass

import structlog

from pulse.alerting.fleet import Episode
from pulse.model import Alert
from pulse.notifier.arrival import Arrival, Heard
from pulse.notifier.clock import Clock
from pulse.notifier.delivery import Delivery, encode, encode_fleet
from pulse.notifier.inhibit import FleetGuard
from pulse.notifier.ledger import Ledger
from pulse.notifier.log import Record
from pulse.notifier.metrics import NotifierMetrics

log = structlog.get_logger("pulse.notifier")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the notifier does for it.

    `note` a delivery in a ledger; `decide` on an arrival for every receiver; `append` records, or
    leave it where the partition is somebody else's; `schedule` what is to be sent; `soon` does
    something in the background.
    """

    note: Callable[[Ledger, Delivery], Delivery]
    decide: Callable[[Ledger, Arrival], list[Delivery]]
    append: Callable[[Ledger, Sequence[Record]], Awaitable[None]]
    schedule: Callable[[Ledger, Delivery], None]
    soon: Callable[[Coroutine[None, None, None]], object]


class Holding:
    """The guard at work, over the ledgers that a notifier has; without a guard it does nothing."""

    def __init__(
        self,
        guard: FleetGuard | None,
        ledgers: Mapping[int, Ledger],
        desk: Desk,
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._guard = guard
        self._ledgers = ledgers
        self._desk = desk
        self._clock = clock
        self._begun = asyncio.Event()
        self._falling = metrics.fleet_falls
        self._known = metrics.fleet_accounts

    def start(self) -> None:
        """Begin to look at the time; the event loop must run."""
        if self._guard is not None:
            self._falling.set(0)
            self._desk.soon(self._watch(self._guard))

    def held_until(self, alert: Alert) -> int | None:
        """Until when an alert's state that arrives is held; None where it is not."""
        return None if self._guard is None else self._guard.holds(alert)

    def hear(self, partition: int, heard: Sequence[Heard]) -> None:
        """Hear what accounts of any partition alert of, whoever has the partition."""
        if self._guard is not None:
            self._guard.hear(partition, heard)
            self._look(self._guard)

    def take_over(self, ledger: Ledger) -> None:
        """A ledger was read back: go on with what it says of the fleet, or bring it up to date."""
        if self._guard is not None:
            self._guard.adopt(ledger.fleet)
            self._follow(self._guard, ledger)

    def _look(self, guard: FleetGuard) -> None:
        # Before a partition is assigned, nobody has said what was recorded.
        if not self._ledgers or not guard.look(self._clock.now_ms()):
            return
        episode = guard.episode
        if episode is not None:
            _say(episode)
        for ledger in self._ledgers.values():
            self._follow(guard, ledger)

    def _follow(self, guard: FleetGuard, ledger: Ledger) -> None:
        episode, now_ms = guard.episode, self._clock.now_ms()
        if episode is None or ledger.revoked:
            return
        self._begun.set()
        self._falling.set(episode.is_open)
        self._known.set(episode.known)
        moved = [self._desk.note(ledger, each) for each in list(guard.moves(ledger, now_ms))]
        for arrival in guard.tells(ledger, now_ms):
            moved += self._desk.decide(ledger, arrival)
        if moved or ledger.fleet != episode:
            ledger.fleet = episode
            self._desk.soon(self._write(ledger, moved, episode))

    async def _write(self, ledger: Ledger, moved: Sequence[Delivery], episode: Episode) -> None:
        # As they stand by now: what has ended since has been written, and must stay the last word.
        now = (ledger.waiting(each.id) if each.is_open else each for each in moved)
        records = [encode(each) for each in now if each is not None]
        await self._desk.append(ledger, [*records, encode_fleet(ledger.epoch, episode)])
        for each in moved:
            self._desk.schedule(ledger, each)

    async def _watch(self, guard: FleetGuard) -> None:
        """End the holding when its time is over."""
        while True:
            until_ms = guard.held_until_ms
            if until_ms is None:
                self._begun.clear()
                await self._begun.wait()
            else:
                await self._clock.sleep(max((until_ms - self._clock.now_ms()) / 1000, 0.0))
                self._look(guard)


def _say(episode: Episode) -> None:
    if episode.is_open:
        log.warning(
            "the fleet falls together: one alert says so, the accounts' own are held",
            accounts=episode.accounts,
            known=episode.known,
            until_ms=episode.until_ms,
        )
    else:
        log.info("the accounts' own alerts are sent", why=episode.ended, still=episode.still)
