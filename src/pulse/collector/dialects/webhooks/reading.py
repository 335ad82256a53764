"""What the webhooks of all services have in common: a delivery, and how its facts become events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from xxhash import xxh3_128_hexdigest

from pulse.collector.dialects import traits
from pulse.collector.meaning import Meant
from pulse.model.time import MAX_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.config.webhooks import Webhook


class Delivery(NamedTuple):
    """A webhook as it came in."""

    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes
    received_ms: int


class Fact(NamedTuple):
    """What a webhook says of its account, by the name that means it where nothing is configured.

    `about` is the properties that such a fact is read from.
    """

    event: str
    about: Mapping[str, Any] = {}
    user_id: str | None = None


class Told(NamedTuple):
    """What a webhook says: nothing of use where there are no facts."""

    id: str | None
    """The service's own, the same when it sends again."""
    ts_ms: int | None
    facts: list[Fact]


def meaning_of(told: Told, said: Any, delivery: Delivery, settings: Webhook) -> Meant:
    """The events that a webhook is. What cannot be one is a letter: its sender cannot mend it."""
    meant = Meant(settings.source)
    if not told.facts:
        meant.passed_over += 1
        return meant
    account = next((got for path in settings.account if (got := name(at(said, path)))), None)
    if account is None:
        meant.keep(said, "unlinked", f"no account at {' or '.join(settings.account)}")
        return meant
    record = told.id or xxh3_128_hexdigest(delivery.body)
    for number, fact in enumerate(told.facts):
        fields = {
            # What one webhook says besides its first fact needs an id of its own.
            "id": f"{record}/{number}" if number else record,
            "account_id": account,
            "event": fact.event,
            "ts": delivery.received_ms if told.ts_ms is None else told.ts_ms,
            "properties": dict(fact.about),
        }
        if fact.user_id is not None:
            fields["user_id"] = fact.user_id
        meant.add(number, fields)
    for bad in meant.refused:
        meant.keep(said, bad.reason, f"{bad.field}: {bad.detail}")
    return meant


def at(said: Any, path: str) -> Any:
    """What a path leads to, None where it leads nowhere.

    >>> at({"issue": {"fields": [{"name": "Acme"}]}}, "issue.fields.0.name")
    'Acme'
    """
    for step in path.split("."):
        if isinstance(said, dict):
            said = said.get(step)
        elif isinstance(said, list) and step.isdecimal() and len(step) < 5:
            said = said[int(step)] if int(step) < len(said) else None
        else:
            return None
    return said


def name(value: Any) -> str | None:
    """A name or an id; None where there is none, which some services write as 0."""
    found = traits.text(value)
    return None if found == "0" else found


def seconds(value: Any) -> int | None:
    """Milliseconds of an integer of seconds; None where it is none."""
    if type(value) is int and 0 <= value <= MAX_MS // 1_000:
        return value * 1_000
    return None


def card(thing: Any, year: str, month: str) -> list[Fact]:
    """That an account's card has changed, from where its year and month of expiry are found; no
    fact where they are none.

    >>> card({"card": {"y": 2027, "m": 4}}, "card.y", "card.m")[0].about
    {'expires_at': '2027-04'}
    """
    in_year, in_month = at(thing, year), at(thing, month)
    if type(in_year) is not int or type(in_month) is not int:
        return []
    if not (2000 <= in_year <= 9998 and 1 <= in_month <= 12):
        return []
    return [Fact("card_updated", {"expires_at": f"{in_year}-{in_month:02}"})]
