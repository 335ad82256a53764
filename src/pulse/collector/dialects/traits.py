"""What clients send in many forms, as the fields of events and profiles have it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import msgspec
from xxhash import xxh3_128_hexdigest

from pulse.model.time import parse_ts

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_TRAITS: Final = {
    "name": ("name", "company", "companyName"),
    "segment": ("segment", "tier"),
    "plan": ("plan", "planName"),
    "mrr": ("mrr", "monthlyRecurringRevenue", "monthlySpend", "monthly_spend"),
    "seats": ("seats", "licenses"),
    "owner": ("owner", "accountOwner", "csm"),
    "started_at": ("started_at", "startedAt", "createdAt", "created_at"),
    "renewal_at": ("renewal_at", "renewalAt", "renewalDate"),
    "timezone": ("timezone",),
    "country": ("country",),
}
"""Where a field of a profile is found among an account's traits."""

_FAR_MS: Final = 90 * 86_400_000
"""A clock that is further off than that is no clock."""


def profile(traits: Mapping[str, Any]) -> dict[str, Any]:
    """The profile that traits tell of; what cannot be one is left out.

    >>> profile({"companyName": "Acme", "seats": "12", "plan": ["no", "text"], "employees": 30})
    {'name': 'Acme', 'seats': 12}
    """
    found: dict[str, Any] = {}
    for field, names in _TRAITS.items():
        value = next((traits[name] for name in names if name in traits), None)
        if field in ("mrr", "seats"):
            value = number(value)
            if field == "seats" and value is not None:
                value = int(value)
        elif field in ("started_at", "renewal_at"):
            value = instant(value)
        else:
            value = text(value)
        if value is not None:
            found[field] = value
    return found


def countable(properties: Any) -> dict[str, Any]:
    """Properties whose `feature` and `value` can be counted, if they are there."""
    found = dict(properties) if isinstance(properties, dict) else {}
    if "value" in found:
        value = number(found["value"])
        if value is None:
            del found["value"]
        else:
            found["value"] = value
    if isinstance(found.get("feature"), (dict, list)):
        del found["feature"]
    return found


def made_id(
    said: Mapping[str, Any],
    times: Collection[str],
    beside: Collection[str],
    received: tuple[int, int],
) -> str:
    """The id of an event whose client gives it none: its retry says the same, and is the same then.

    A retry may say something else in the fields `beside`. Where an event has none of the `times`,
    nothing tells it from the next one of its kind: then it is the one that came in as `received`,
    at what instant and at which place of the request.
    """
    own: dict[str, Any] = {name: said[name] for name in sorted(said) if name not in beside}
    if all(said.get(name) is None for name in times):
        own["received"] = received
    return xxh3_128_hexdigest(msgspec.json.encode(own))


def happened_ms(said: int | None, sent: int | None, received_ms: int) -> int:
    """When it happened by our clock: as long before it came in as before it was sent.

    `said` and `sent` are by the client's clock, None where it does not say.

    >>> happened_ms(500_000, 560_000, 1_000_000)
    940000
    """
    if said is None:
        return received_ms
    if sent is None or abs(received_ms - sent) > _FAR_MS or sent < said:
        return said
    return max(received_ms - (sent - said), 0)


def instant(value: Any) -> int | None:
    """Milliseconds of RFC 3339 text or of an integer of them; None where it is none.

    Some clients leave out the offset of text: then it is UTC.

    >>> instant("2024-10-24T21:33:01+02:00") == instant("2024-10-24T19:33:01")
    True
    """
    try:
        return parse_ts(value)
    except ValueError:
        if not isinstance(value, str):
            return None
    try:
        return parse_ts(f"{value}Z")
    except ValueError:
        return None


def text(value: Any) -> str | None:
    """A name or an id, which some clients send as a number; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value) or None


def mapping(value: Any) -> dict[str, Any]:
    """An object; an empty one where it is none."""
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    """A finite number, also as text; None where it is none.

    >>> number("2.5"), number("inf"), number(True)
    (2.5, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
