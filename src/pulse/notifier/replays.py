"""What people want to be sent again, and what of it is under way. No I/O.

People ask in the silences topic. Each replay becomes one record of the deliveries topic, which is
written before the first attempt; what has one is not begun again, however often it is read. What
was asked is erased once the record is acknowledged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.records.replays import delivery_of_replay

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from pulse.alerting.records.replays import Replay
    from pulse.alerting.stages.grouping import Entry
    from pulse.notifier.receiver import ReceiverSettings

_AT_ONCE: Final = 32
"""So many that were not attempted yet stand in a receiver's queue: alerts come between them."""
_OPEN: Final = 1_000
"""So many of a receiver wait for another attempt."""


class Replays:
    """Who leads has one. `asked` is all that people ask for, by replay id, in their order; what is
    erased there is gone from it at once.
    """

    def __init__(self, receivers: Mapping[str, ReceiverSettings], late_after_ms: int) -> None:
        self.asked: Mapping[str, Replay] = {}
        self._receivers = receivers
        self._late_after_ms = late_after_ms
        self._waiting: dict[str, dict[str, Replay]] = {}
        """By receiver, then by replay id, as those below."""
        self._open: dict[str, dict[str, Delivery]] = {}
        self._busy: dict[tuple[str, str], str] = {}
        """By receiver and alert the replay that tells it: one at a time keeps their order."""
        self._recorded: list[str] = []
        self._known: set[str] = set()

    def ask(self, asked: Mapping[str, Replay], is_recorded: Callable[[str], bool]) -> None:
        """All that people ask for by now. What is on record is only to be erased there."""
        self.asked = asked
        self._known &= asked.keys()
        self._waiting = {}
        for name, each in asked.items():
            if is_recorded(name):
                self._is_recorded(name)
            else:
                self._waiting.setdefault(each.of.receiver, {})[name] = each

    def take_up(self, disabled: Collection[str], now_ms: int) -> list[Delivery]:
        """The records of those that are begun now; one that cannot be sent says so at once."""
        found: list[Delivery] = []
        for receiver, waiting in self._waiting.items():
            if receiver not in self._receivers:
                state, why, names = State.FAILED, "no_such_receiver", list(waiting)
            elif receiver in disabled:
                state, why, names = State.DISABLED, "endpoint_disabled", list(waiting)
            else:
                state, why, names = State.PENDING, "", self._next(receiver, waiting)
            for name in names:
                begun = delivery_of_replay(waiting.pop(name), now_ms, self._late_after_ms)
                if state is not State.PENDING:
                    begun = begun.becomes(state, now_ms, reason=why)
                self._is_recorded(name)
                found.append(begun)
        return found

    def _next(self, receiver: str, waiting: Mapping[str, Replay]) -> list[str]:
        """As many as there is room for; none whose alert an earlier one still tells."""
        names: list[str] = []
        if not waiting:
            return names
        room = self._room(receiver)
        passed: set[str] = set()
        for name, each in waiting.items():
            if len(names) >= room:
                break
            alerts = [alert_id for alert_id, _ in each.of.alerts]
            if passed.isdisjoint(alerts) and not any((receiver, a) in self._busy for a in alerts):
                names.append(name)
            passed.update(alerts)
        return names

    def note(self, delivery: Delivery) -> None:
        """What has become of a replay."""
        of_receiver = self._open.setdefault(delivery.receiver, {})
        keys = [(delivery.receiver, alert_id) for alert_id, _ in delivery.alerts]
        if delivery.is_open:
            of_receiver[delivery.id] = delivery
            self._busy.update(dict.fromkeys(keys, delivery.id))
            return
        of_receiver.pop(delivery.id, None)
        for key in keys:
            if self._busy.get(key) == delivery.id:
                del self._busy[key]

    def recorded(self) -> list[str]:
        """What need not be asked any more once all until now is acknowledged, since the last
        call.
        """
        found, self._recorded = self._recorded, []
        return found

    def telling(self, alert_id: str) -> list[str]:
        """The ids of those under way that tell an alert."""
        names = (self._busy.get((receiver, alert_id)) for receiver in self._open)
        return [name for name in names if name is not None]

    def _is_recorded(self, name: str) -> None:
        if name not in self._known:
            self._known.add(name)
            self._recorded.append(name)

    def _room(self, receiver: str) -> int:
        settings, of_receiver = self._receivers[receiver], self._open.get(receiver, {})
        at_once = min(_AT_ONCE, settings.concurrency)
        if settings.rate is not None:
            at_once = min(at_once, max(1, int(settings.rate)))
        untried = sum(each.state is State.PENDING for each in of_receiver.values())
        return min(at_once - untried, _OPEN - len(of_receiver))


def is_overtaken(replay: Delivery, entry: Callable[[str], Entry | None]) -> bool:
    """Whether one of its alerts came to another state since it was begun.

    What was over before is told all the same: a person asked for it.
    """
    for alert_id, status in replay.alerts:
        known = entry(alert_id)
        if known is None or known.arrived_ms < replay.created_ms:
            continue
        if known.brief.status != status:
            return True
    return False
