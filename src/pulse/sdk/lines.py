"""What an app says, as a line of the events topic; or what is wrong with it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypedDict

import msgspec
from pydantic import ValidationError

from pulse.errors import PulseError
from pulse.model.usage import AccountProfile, read_record
from pulse.packs import Line

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_LINE_BYTES: Final = 256 << 10
"""Of one event: as much as a record of many has, so that no topic refuses it."""

Instant = str | int | datetime
"""RFC 3339 text, milliseconds, or a datetime with its time zone."""


class BadEventError(PulseError, ValueError):
    """It cannot be counted, and was not sent; the message says which field is wrong and why."""


class ProfileFields(TypedDict, total=False):
    """What a profile may say: what is left out stays as it is, and None deletes it."""

    name: str | None
    segment: str | None
    plan: str | None
    mrr: float | None
    seats: int | None
    owner: str | None
    started_at: Instant | None
    renewal_at: Instant | None
    country: str | None
    timezone: str | None


def line_of(fields: Mapping[str, Any]) -> Line:
    """An event, or a profile (`type`), as a line. Raises `BadEventError`.

    The bytes are read as a worker would: what is sent is what can be counted.

    >>> line_of({"id": "e1", "account_id": "acme", "event": "run", "ts": 0}).data
    b'{"id":"e1","account_id":"acme","event":"run","ts":0}'
    >>> line_of({"id": "e1", "account_id": "", "event": "run", "ts": 0})
    Traceback (most recent call last):
    pulse.sdk.lines.BadEventError: account_id must have 1 to 256 characters, all of them printable
    """
    unknown = sorted(fields.get("profile", {}).keys() - AccountProfile.model_fields.keys())
    if unknown:
        raise BadEventError(f"a profile has no field {', '.join(unknown)}")
    try:
        data = msgspec.json.encode(fields)
        found = read_record(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BadEventError(f"{place} {first['msg'].removeprefix('Value error, ')}") from None
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise BadEventError(f"it cannot be written as JSON: {error}") from None
    if len(data) > MAX_LINE_BYTES:
        raise BadEventError(f"it has {len(data)} bytes, at most {MAX_LINE_BYTES} are taken")
    return Line(found.account_id, data)


def instant(value: Any) -> Any:
    """A datetime in milliseconds; what else is said stays, to be looked at. Raises `BadEventError`.

    >>> from datetime import UTC
    >>> instant(datetime(1970, 1, 2, tzinfo=UTC)), instant("1970-01-02T00:00:00Z")
    (86400000, '1970-01-02T00:00:00Z')
    """
    if not isinstance(value, datetime):
        return value
    if value.utcoffset() is None:
        raise BadEventError("a datetime needs its time zone, like datetime.now(UTC)")
    return round(value.timestamp() * 1000)
