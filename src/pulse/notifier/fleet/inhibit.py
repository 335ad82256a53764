"""The stage that holds alerts back: while the fleet falls together, one alert stands for all.

Pure. What is held waits in the pipeline (`Pipeline.hold_fleet`). When it began and whether it goes
on is recorded (`fleet`), so that a process that dies loses nothing. Who fell lately is read again
from the alerts topic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from pulse.alerting.everybody.fleet import REASON, Episode, Fleet, FleetRule, fleet_alert
from pulse.notifier.reading.arrival import Arrival, Heard


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The rule, and what its alert says besides."""

    rule: FleetRule = field(default_factory=FleetRule)
    play: str = "Find out what they have in common before anybody is called."
    config_version: str = "000000000000"


class FleetGuard:
    """Knows who falls in all partitions, and what of that is held."""

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self._fleet = Fleet(settings.rule)
        self._read: dict[int, tuple[int, int]] = {}
        """From which offset to which one (exclusive) of each partition was heard."""

    # -- what comes in -------------------------------------------------------------------------

    def hear(self, partition: int, heard: Sequence[Heard]) -> None:
        """Take records of the alerts topic in their order; what was heard already is passed over.

        They come twice: from who watches all partitions, and from who has one.
        """
        for each in heard:
            if each.offset >= 0:
                first, following = self._read.get(partition, (each.offset, each.offset))
                if first <= each.offset < following:
                    continue
                if each.offset >= following:
                    self._read[partition] = first, each.offset + 1
            if each.accounts is not None:
                self._fleet.count(partition, each.accounts)
            if each.fact is not None:
                self._fleet.take(each.fact)

    def adopt(self, recorded: Episode | None) -> None:
        """Take over what is recorded."""
        self._fleet.adopt(recorded)

    # -- what follows --------------------------------------------------------------------------

    @property
    def episode(self) -> Episode | None:
        """The last time that the fleet fell; None before the first."""
        return self._fleet.episode

    @property
    def held_until_ms(self) -> int | None:
        """Until when new falls are held; None where they are not."""
        episode = self._fleet.episode
        return episode.until_ms if episode is not None and episode.is_open else None

    def look(self, now_ms: int) -> bool:
        """Whether the fleet has just begun to fall together, or that has just ended."""
        return self._fleet.look(now_ms) is not None

    def is_over(self, alert_id: str) -> bool:
        """Whether an alert has ended, as far as was heard; who sends it may be behind."""
        return self._fleet.is_over(alert_id)

    def tells(self, before: Episode | None, now_ms: int) -> Iterator[Arrival]:
        """What the receivers are to be told of the fleet, after what was recorded of it."""
        episode = self._fleet.episode
        if episode is None or episode == before:
            return
        if before is not None and before.is_open:
            # Its end; or the one before noticed the same a little earlier or later, and told it.
            yield self._arrival(_ended(before, episode), now_ms)
        if episode.is_open:
            yield self._arrival(episode, now_ms)

    def _arrival(self, episode: Episode, now_ms: int) -> Arrival:
        settings = self._settings
        alert = fleet_alert(episode, settings.play, settings.config_version)
        return Arrival(alert, alert.to_json(), now_ms, REASON)


def _ended(before: Episode, episode: Episode) -> Episode:
    return msgspec.structs.replace(
        before,
        ended=episode.ended or "passed",
        ended_ms=max(episode.ended_ms, before.started_ms),
        still=episode.still,
    )
