"""What happened to an account, the newest first: alerts, what was sent, what people said
of it, zones."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pulse.alerting.people.account_notes import AccountNote
    from pulse.alerting.people.outcomes import Outcome
    from pulse.alerting.records.delivery import Delivery
    from pulse.desk.books import KnownAlert
    from pulse.history import DayRow

MOST: Final = 200
_SENT: Final = {
    "pending": "is about to be sent",
    "retrying": "could not be sent yet, and is tried again",
    "succeeded": "was sent",
    "failed": "could not be sent",
    "superseded": "was not sent, something newer was",
    "skipped": "was not sent",
    "disabled": "was not sent, the receiver is disabled",
}
_ENDED: Final = {
    "recovered": "it recovered",
    "crossed": "it crossed the line",
    "active_again": "it is used again",
    "churned": "it has left",
    "rule_removed": "the rule is gone",
    "escalated": "another alert says more",
    "settled": "it has become usual",
    "passed": "its time is over",
    "no_longer": "it does not hold any more",
    "forgotten": "it was erased",
    "renamed": "the account has another id",
}


class Entry(NamedTuple):
    """Something that happened. What is of a day alone is at its start."""

    at_ms: int
    kind: str
    """`alert`, `ended`, `sent`, `not_sent`, `said`, `note`, `zone` or `line`."""
    words: str
    more: str = ""
    tone: str = ""
    """The severity of an alert, or the zone that was entered."""
    day: str = ""
    """The day, of what is of a day alone."""
    note_id: str = ""
    author: str = ""
    """Whose note it is."""


class _State(msgspec.Struct):
    resolution: str | None = None


_state: Final = msgspec.json.Decoder(_State).decode


def timeline(
    alerts: Iterable[KnownAlert],
    outcomes: Iterable[Outcome],
    deliveries: Iterable[Delivery],
    days: Sequence[DayRow],
    notes: Iterable[AccountNote] = (),
) -> list[Entry]:
    """What happened to an account, the newest first, at most `MOST`."""
    known = list(alerts)
    reasons = {each.id: each.reason for each in known}
    found = [
        *_alerts(known),
        *(
            Entry(
                each.at_ms,
                "said",
                f"{each.author} closed {_words(each.reason)} as {_words(each.outcome)}",
                each.note,
            )
            for each in outcomes
        ),
        *(_noted(each) for each in notes),
        *(_sent(each, reasons) for each in deliveries),
        *_days(days),
    ]
    return sorted(found, key=lambda each: -each.at_ms)[:MOST]


def _alerts(alerts: Iterable[KnownAlert]) -> Iterator[Entry]:
    for each in alerts:
        reason = _words(each.reason).capitalize()
        yield Entry(each.started_ms, "alert", f"{reason}: alert", each.summary, each.severity)
        if each.status != "firing":
            resolution = _state(each.json).resolution or ""
            why = _ENDED.get(resolution, _words(resolution))
            yield Entry(each.at_ms, "ended", f"{reason}: ended", why)


def _noted(note: AccountNote) -> Entry:
    return Entry(
        note.at_ms, "note", f"{note.author} noted", note.text, note_id=note.id, author=note.author
    )


def _sent(delivery: Delivery, reasons: dict[str, str]) -> Entry:
    about = [_words(reasons[name]) for name, _ in delivery.alerts if name in reasons]
    what = ", ".join(dict.fromkeys(about)) or "an alert"
    if delivery.is_digest:
        what = f"a digest with {what}"
    state = delivery.state.value
    words = f"{what[:1].upper()}{what[1:]} {_SENT.get(state, _words(state))}"
    more = "" if state == "succeeded" else _words(delivery.reason)
    if delivery.attempts > 1:
        more = f"{more}, {delivery.attempts} attempts".strip(", ")
    kind = "sent" if state == "succeeded" else "not_sent"
    return Entry(delivery.at_ms, kind, f"{words}: {delivery.receiver}", more)


def _days(days: Sequence[DayRow]) -> Iterator[Entry]:
    for before, day in pairwise(days):
        at_ms, on = _start_ms(day.day), day.day.isoformat()
        if before.zone != day.zone:
            score = "" if day.score is None else f"score {day.score:.1f}, line {day.line:g}"
            yield Entry(at_ms, "zone", f"From {before.zone} to {day.zone}", score, day.zone, on)
        if before.line != day.line:
            moved = f"The danger line went from {before.line:g} to {day.line:g}"
            yield Entry(at_ms, "line", moved, "", "", on)
        if before.lifecycle != day.lifecycle:
            life = f"From {before.lifecycle} to {day.lifecycle}"
            yield Entry(at_ms, "zone", life, "where it is in its life", "", on)


def _start_ms(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


def _words(name: str) -> str:
    return name.replace("_", " ")
