"""What is recorded beside each alert's entry: where it came from, its way, its JSON. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pulse.alerting.records import envelope
from pulse.alerting.records.delivery import Beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pulse.alerting.brief import Decision
    from pulse.alerting.stages.grouping import Entry, Notice
    from pulse.notifier.reading.arrival import Arrival
    from pulse.notifier.state.journal import Journal
    from pulse.notifier.state.letters import Letters
    from pulse.notifier.state.log import Record

_encode: Final = msgspec.json.Encoder().encode
_NO_NEWS: Final = frozenset({"repeat", "already_resolved"})
"""Decisions that come again whenever alerts are read again."""
_NOTHING: Final = Beside(origin="", due_ms=0)


class Besides:
    """It by alert id, from what the journal read on. `entry` gives what the pipeline knows of one.

    An alert's JSON is recorded for as long as it may be asked for: the topic of alerts may have
    dropped it by then.
    """

    def __init__(
        self,
        journal: Journal,
        letters: Letters,
        entry: Callable[[str], Entry | None],
        late_after_ms: int,
    ) -> None:
        self._journal = journal
        self._letters = letters
        self._entry = entry
        self._late_after_ms = late_after_ms
        self._known = journal.besides
        self._fresh: dict[str, bytes] = {}
        """JSON of alerts that were taken and are not written yet."""
        self._kept: set[str] = set()
        """Alerts that a disabled endpoint would have been told: to be sent again one day."""

    def take(self, arrival: Arrival) -> None:
        """An alert has another state."""
        alert = arrival.alert
        self._known[alert.id] = msgspec.structs.replace(
            self._of(alert.id), origin=arrival.origin, due_ms=arrival.due_ms
        )
        self._fresh[alert.id] = arrival.raw
        self._letters.put(alert.id, alert.status, arrival.raw)

    def keep(self, alert_ids: Iterable[str]) -> None:
        """Record the JSON of these in any case."""
        self._kept.update(alert_ids)

    def origin(self, alert_id: str) -> str:
        """Where its newest state was written; empty where that is not known."""
        return self._of(alert_id).origin

    def came_late(self, alert_id: str) -> bool:
        """Whether its newest state came long after it was due."""
        entry, beside = self._entry(alert_id), self._of(alert_id)
        return entry is not None and 0 < beside.due_ms < entry.arrived_ms - self._late_after_ms

    def due_ms(self, notice: Notice, since_ms: int) -> int:
        """Where a notification's latency counts from: what was held is due when it is let go, which
        was at `since_ms`.
        """
        due_ms: list[int] = []
        for alert_id, _ in notice.alerts:
            entry, beside = self._entry(alert_id), self._known.get(alert_id)
            came_now = entry is not None and entry.arrived_ms >= since_ms
            due_ms.append(beside.due_ms if beside is not None and came_now else since_ms)
        return max(due_ms, default=since_ms)

    def written(
        self, decisions: Iterable[Decision], changes: Iterable[Record], now_ms: int
    ) -> list[Record]:
        """The records of what the pipeline decided and has to say, in its order, with this beside
        the alerts; then of the alerts whose way alone has another step.
        """
        touched = self._decided(decisions, now_ms)
        records: list[Record] = []
        for key, said in changes:
            if key.startswith(envelope.ALERT):
                alert_id = key.removeprefix(envelope.ALERT)
                touched.discard(alert_id)
                records += self._of_alert(alert_id, said)
            else:
                records.append(self._journal.write(key, said))
        for alert_id in sorted(touched):
            if (entry := self._entry(alert_id)) is not None:
                records += self._of_alert(alert_id, _encode(entry))
        self._fresh = {}
        self._kept = set()
        return records

    def _of(self, alert_id: str) -> Beside:
        return self._known.get(alert_id, _NOTHING)

    def _decided(self, decisions: Iterable[Decision], now_ms: int) -> set[str]:
        """The alerts whose way has another step."""
        touched: set[str] = set()
        for decision in decisions:
            if decision.reason in _NO_NEWS:
                continue
            before = self._of(decision.alert_id)
            after = before.after(decision, now_ms)
            if after is not before:
                self._known[decision.alert_id] = after
                touched.add(decision.alert_id)
        return touched

    def _of_alert(self, alert_id: str, said: bytes | None) -> Iterator[Record]:
        """An alert's record, and its JSON's before it."""
        beside, entry = self._of(alert_id), self._entry(alert_id)
        raw = self._fresh.pop(alert_id, None)
        key = envelope.JSON + alert_id
        if entry is not None and (alert_id in self._kept or _may_be_told(entry, beside)):
            if raw is not None:
                beside = msgspec.structs.replace(beside, has_json=True)
                yield self._journal.write(key, raw)
        elif beside.has_json:
            beside = msgspec.structs.replace(beside, has_json=False)
            self._letters.drop(alert_id)
            yield self._journal.write(key, None)
        if said is None:
            self._known.pop(alert_id, None)
            yield self._journal.write(envelope.ALERT + alert_id, None)
        else:
            self._known[alert_id] = beside
            yield self._journal.write(envelope.ALERT + alert_id, said, beside)


def _may_be_told(entry: Entry, beside: Beside) -> bool:
    """Whether its JSON may be asked for: it is in a group, or its end may come to one."""
    goes_on = entry.brief.is_firing and not entry.brief.is_endless
    return bool(entry.told) or (beside.has_json and goes_on)
