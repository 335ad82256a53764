"""What became of an alert, as whoever closed it says: its record, and its event.

It is written twice. The event goes into the events topic, into the partition of its account, as all
that happens to an account does; it weighs nothing, so closing an alert is no use of the product.
The record goes into the outcomes topic, which keeps longer than the events and holds nothing else.
The newest word on an alert counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import msgspec

from pulse.model.time import format_ms, parse_ts

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 1

EVENT: Final = "pulse.alert_closed"
"""The event's name. What begins with `pulse.` is no product's."""
SOURCE: Final = "pulse"
"""`pulse keys` makes none of this source, so what a product says of alerts is not believed."""

Word = Literal["saved", "false_alarm", "churned", "ignored"]
WORDS: Final[tuple[Word, ...]] = get_args(Word)
"""`saved`: it was right, and they stay. `churned`: it was right, and they left. `false_alarm`: it
was nothing. `ignored`: nobody looked into it, so it says nothing of the alert."""

TRUE: Final = frozenset(("saved", "churned"))
"""The words that say that the alert was right."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The word on one alert. Instants are milliseconds UTC.

    `segment` and `started_ms` are the alert's. `author` is who said it, which is no user of the
    product.
    """

    alert_id: str
    account_id: str
    reason: str
    outcome: Word
    author: str
    at_ms: int
    started_ms: int
    segment: str = ""
    note: str = ""


class _Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    v: int
    alert_id: str
    account_id: str
    reason: str
    outcome: Word
    author: str
    at: str
    started_at: str
    segment: str = ""
    note: str = ""


class _Properties(msgspec.Struct):
    alert_id: str
    reason: str
    outcome: Word
    started_at: str
    author: str = ""
    segment: str = ""


class _Event(msgspec.Struct):
    event: str
    account_id: str
    ts: str | int
    properties: _Properties
    source: str = ""


_encode: Final = msgspec.json.Encoder().encode
_records: Final = msgspec.json.Decoder(_Record)
_events: Final = msgspec.json.Decoder(_Event)


def encode_outcome(outcome: Outcome) -> tuple[str, bytes]:
    """Key and value of a record of the outcomes topic."""
    record = _Record(
        v=VERSION,
        alert_id=outcome.alert_id,
        account_id=outcome.account_id,
        reason=outcome.reason,
        outcome=outcome.outcome,
        author=outcome.author,
        at=format_ms(outcome.at_ms),
        started_at=format_ms(outcome.started_ms),
        segment=outcome.segment,
        note=outcome.note,
    )
    return outcome.alert_id, _encode(record)


def decode_outcome(value: bytes) -> Outcome:
    """The outcome of a record's value. Raises `ValueError`."""
    record = _records.decode(value)
    if record.v != VERSION:
        raise ValueError(f"a record of version {record.v}; this pulse reads version {VERSION}")
    return Outcome(
        alert_id=record.alert_id,
        account_id=record.account_id,
        reason=record.reason,
        outcome=record.outcome,
        author=record.author,
        at_ms=parse_ts(record.at),
        started_ms=parse_ts(record.started_at),
        segment=record.segment,
        note=record.note,
    )


def event_of(outcome: Outcome) -> bytes:
    """The outcome as an event, one line. Said again, it has the same id and counts once."""
    properties: dict[str, Any] = {
        "alert_id": outcome.alert_id,
        "reason": outcome.reason,
        "outcome": outcome.outcome,
        "author": outcome.author,
        "started_at": format_ms(outcome.started_ms),
    }
    if outcome.segment:
        properties["segment"] = outcome.segment
    return _encode(
        {
            "id": f"{outcome.alert_id}-{outcome.outcome}-{outcome.at_ms}",
            "account_id": outcome.account_id,
            "event": EVENT,
            "ts": format_ms(outcome.at_ms),
            "source": SOURCE,
            "properties": properties,
        }
    )


def outcome_of(line: bytes) -> Outcome | None:
    """The outcome that an event says; None for every other line.

    >>> said = Outcome(alert_id="al_1", account_id="acme", reason="danger", outcome="saved",
    ...                author="kim", at_ms=60_000, started_ms=0)
    >>> outcome_of(event_of(said)) == said, outcome_of(b'{"event": "login"}')
    (True, None)
    """
    if EVENT.encode() not in line:
        return None
    try:
        found = _events.decode(line)
        at_ms, started_ms = parse_ts(found.ts), parse_ts(found.properties.started_at)
    except (ValueError, UnicodeDecodeError):
        return None
    if found.event != EVENT or found.source != SOURCE:
        return None
    said = found.properties
    return Outcome(
        alert_id=said.alert_id,
        account_id=found.account_id,
        reason=said.reason,
        outcome=said.outcome,
        author=said.author,
        at_ms=at_ms,
        started_ms=started_ms,
        segment=said.segment,
    )


def newest(outcomes: Iterable[Outcome]) -> dict[str, Outcome]:
    """The newest word on each alert, by the alert's id."""
    found: dict[str, Outcome] = {}
    for each in outcomes:
        known = found.get(each.alert_id)
        if known is None or known.at_ms <= each.at_ms:
            found[each.alert_id] = each
    return found
