"""Carries out what the fleet's guard finds: holds, lets go, tells."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import structlog

from pulse.alerting.everybody.fleet import Episode
from pulse.notifier.clock import Clock
from pulse.notifier.fleet.inhibit import FleetGuard
from pulse.notifier.metrics import NotifierMetrics
from pulse.notifier.outbox import Outbox
from pulse.notifier.reading.arrival import Heard

log = structlog.get_logger("pulse.notifier")


class Holding:
    """The guard at work, over what a lead knows; without a guard it does nothing.

    `outbox` gives that, None where this process does not lead; `turn` is called when it has
    changed; `soon` does something in the background.
    """

    def __init__(
        self,
        guard: FleetGuard | None,
        outbox: Callable[[], Outbox | None],
        turn: Callable[[], None],
        clock: Clock,
        metrics: NotifierMetrics,
    ) -> None:
        self._guard = guard
        self._outbox = outbox
        self._turn = turn
        self._clock = clock
        self._begun = asyncio.Event()
        self._falling = metrics.fleet_falls
        self._known = metrics.fleet_accounts

    def start(self, soon: Callable[[Coroutine[None, None, None]], object]) -> None:
        """Begin to look at the time; the event loop must run."""
        if self._guard is not None:
            self._falling.set(0)
            soon(self._watch(self._guard))

    def hear(self, partition: int, heard: Sequence[Heard]) -> None:
        """Hear what accounts of any partition alert of, whoever leads."""
        if self._guard is not None:
            self._guard.hear(partition, heard)
            self._look(self._guard)

    def take_over(self, outbox: Outbox) -> None:
        """Go on with what is recorded of the fleet, or bring it up to date."""
        if self._guard is not None:
            self._guard.adopt(outbox.fleet)
            if self._guard.look(self._clock.now_ms()) and self._guard.episode is not None:
                _say(self._guard.episode)
            self._follow(self._guard, outbox)

    def leads(self) -> None:
        """What was taken over may be acted upon: look at the time from now on."""
        self._begun.set()

    def _look(self, guard: FleetGuard) -> None:
        # Before somebody leads, nobody has said what was recorded.
        outbox = self._outbox()
        if outbox is None or not guard.look(self._clock.now_ms()):
            return
        if guard.episode is not None:
            _say(guard.episode)
        self._follow(guard, outbox)
        self._turn()

    def _follow(self, guard: FleetGuard, outbox: Outbox) -> None:
        episode, before, now_ms = guard.episode, outbox.fleet, self._clock.now_ms()
        if episode is None or outbox.revoked:
            return
        self._begun.set()
        self._falling.set(episode.is_open)
        self._known.set(episode.known)
        if episode.is_open:
            outbox.hold_fleet(episode.until_ms, now_ms)
        elif before is None or before.is_open:
            outbox.let_go_of_fleet(guard.is_over, episode.until_ms, now_ms)
        for arrival in guard.tells(before, now_ms):
            outbox.take(arrival, now_ms)
        if episode != before:
            outbox.note_fleet(episode)

    async def _watch(self, guard: FleetGuard) -> None:
        """End the holding when its time is over."""
        while True:
            until_ms = guard.held_until_ms
            if until_ms is None or self._outbox() is None:
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
