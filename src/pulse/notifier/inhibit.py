"""The stage that holds alerts back: while the fleet falls together, one alert stands for all.

Pure. What is held is an ordinary notification in its ledger whose first attempt is due when the
holding ends, so that a process that dies loses nothing and needs nobody to send it. When it began
and whether it goes on stands beside it in every ledger (`delivery.encode_fleet`). Who fell lately
is read again from the alerts topic.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from pulse.alerting.fleet import FALLS, REASON, Episode, Fleet, FleetRule, fleet_alert
from pulse.model import Alert
from pulse.notifier.arrival import Arrival, Heard, reason_of
from pulse.notifier.decide import HELD, Firing
from pulse.notifier.delivery import Delivery, State
from pulse.notifier.ledger import Ledger

FLEET_PARTITION: Final = 0
"""Who holds this partition tells the receivers that the fleet falls."""


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
        """Take over what a partition's ledger says."""
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

    def holds(self, alert: Alert) -> int | None:
        """Until when an alert's state that arrives is held; None where it is not."""
        return self.held_until_ms if alert.reason in FALLS and not alert.historical else None

    def look(self, now_ms: int) -> bool:
        """Whether the fleet has just begun to fall together, or that has just ended."""
        return self._fleet.look(now_ms) is not None

    def moves(self, ledger: Ledger, now_ms: int) -> Iterator[Delivery]:
        """The ledger's notifications that are to be held from now on, or not any longer."""
        until_ms = self.held_until_ms
        for delivery in ledger:
            if delivery.state is not State.PENDING or delivery.id in ledger.in_flight:
                continue
            is_held = delivery.reason == HELD
            if until_ms is None:
                # What has ended is not sent: its end was heard, and will be read.
                if (
                    is_held
                    and (delivery.next_ms or 0) > now_ms
                    and not self._fleet.is_over(delivery.alert_id)
                ):
                    yield release(delivery, now_ms)
            elif is_held:
                if delivery.next_ms != until_ms:
                    yield hold(delivery, now_ms, until_ms)
            elif delivery.status == "firing" and reason_of(delivery.alert) in FALLS:
                lane = ledger.lane(delivery.alert_id, delivery.receiver)
                if lane.firing is Firing.UNTRIED:
                    yield hold(delivery, now_ms, until_ms)

    def tells(self, ledger: Ledger, now_ms: int) -> Iterator[Arrival]:
        """What the receivers are to be told of the fleet, where the ledger is the one for that."""
        if ledger.partition != FLEET_PARTITION:
            return
        before, episode = ledger.fleet, self._fleet.episode
        if episode is None or episode == before:
            return
        if before is not None and before.is_open:
            # Its end; or others noticed the same a little earlier or later, and told it.
            yield self._arrival(_ended(before, episode), now_ms)
        if episode.is_open:
            yield self._arrival(episode, now_ms)

    def _arrival(self, episode: Episode, now_ms: int) -> Arrival:
        settings = self._settings
        alert = fleet_alert(episode, settings.play, settings.config_version)
        return Arrival(alert, alert.to_json(), now_ms, REASON)


def hold(delivery: Delivery, now_ms: int, until_ms: int) -> Delivery:
    """The delivery, not to be sent before `until_ms`; its latency counts from then."""
    return delivery.becomes(
        State.PENDING, now_ms, next_ms=until_ms, due_ms=max(delivery.due_ms, until_ms), reason=HELD
    )


def release(delivery: Delivery, now_ms: int) -> Delivery:
    """A delivery that was held, to be sent now."""
    return delivery.becomes(State.PENDING, now_ms, next_ms=now_ms, due_ms=now_ms, reason="")


def _ended(before: Episode, episode: Episode) -> Episode:
    return msgspec.structs.replace(
        before,
        ended=episode.ended or "passed",
        ended_ms=max(episode.ended_ms, before.started_ms),
        still=episode.still,
    )
