"""What a line must be to be counted. Everything here is checked before anything changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pulse.engagement.days import DAY_MS
from pulse.engagement.usage import BadUsageError
from pulse.model.fields import MAX_AMOUNT
from pulse.model.instants import to_ms
from pulse.model.time import format_ms, is_time_zone
from pulse.model.wire import MAX_TS_MS, PROFILE_INSTANTS

if TYPE_CHECKING:
    from pulse.model.wire import Line

FUTURE_MS: Final = 3_600_000
"""An event further ahead of the clock is refused."""
LATE_MS: Final = 90 * DAY_MS
"""An event further behind the clock is refused."""


class MisplacedError(Exception):
    """The line's account belongs to another partition."""


class RenamedError(MisplacedError):
    """The line's account goes on as another one, `to`."""

    def __init__(self, to: str) -> None:
        self.to = to


def check_id(event_id: str, source: str) -> None:
    """Raises `BadUsageError` where an event's id or its source cannot be one."""
    if not event_id.isprintable():
        raise BadUsageError("wrong_shape", "id: characters that cannot be printed")
    if not source.isprintable():
        raise BadUsageError("wrong_shape", "source: characters that cannot be printed")


def check_names(account_id: str, user: str | None) -> None:
    """Raises `BadUsageError` where an account's or a user's id cannot be one."""
    if not account_id.isprintable():
        raise BadUsageError("wrong_shape", "account_id: characters that cannot be printed")
    if user is not None and not user.isprintable():
        raise BadUsageError("wrong_shape", "user_id: characters that cannot be printed")


def check_time(at_ms: int, clock_ms: int | None, appended_ms: int | None) -> None:
    """Raises `BadUsageError` where an event is too far from the log's clock."""
    if not 0 <= at_ms <= MAX_TS_MS:
        raise BadUsageError("wrong_shape", "ts: not between 1970 and 9999")
    if clock_ms is None:
        # Before the first tick only the broker knows what time it is, if anybody does.
        if appended_ms is not None and 0 <= appended_ms < at_ms - FUTURE_MS:
            detail = f"ts {format_ms(at_ms)}, appended {format_ms(appended_ms)}"
            raise BadUsageError("future", detail)
    elif at_ms > clock_ms + FUTURE_MS:
        raise BadUsageError("future", f"ts {format_ms(at_ms)}, clock {format_ms(clock_ms)}")
    elif at_ms < clock_ms - LATE_MS:
        raise BadUsageError("too_late", f"ts {format_ms(at_ms)}, clock {format_ms(clock_ms)}")


def instant(name: str, ts: str | int) -> int:
    """`to_ms` of a field. Raises `BadUsageError` where it is no instant."""
    try:
        return to_ms(ts)
    except ValueError as error:
        raise BadUsageError("wrong_shape", f"{name}: {error}") from None


def profile_fields(line: Line) -> dict[str, Any]:
    """What a profile record says, checked; times in ms."""
    if line.profile is None:
        raise BadUsageError("wrong_shape", "profile: missing")
    fields: dict[str, Any] = {}
    for name in line.profile.__struct_fields__:
        value = getattr(line.profile, name)
        if value is msgspec.UNSET:
            continue
        if value is not None:
            if name in PROFILE_INSTANTS:
                value = instant(f"profile.{name}", value)
                if not 0 <= value <= MAX_TS_MS:
                    raise BadUsageError("wrong_shape", f"profile.{name}: not between 1970 and 9999")
            elif isinstance(value, str):
                if not 0 < len(value) <= 256 or not value.isprintable():
                    raise BadUsageError("wrong_shape", f"profile.{name}: not a printable name")
            elif not 0 <= value <= MAX_AMOUNT:
                raise BadUsageError("wrong_shape", f"profile.{name}: out of range")
            if name == "timezone" and not is_time_zone(value):
                raise BadUsageError("wrong_shape", f"profile.timezone: no time zone {value!r}")
        fields[name] = value
    return fields
