"""Working time: only what lies on working days counts, not Saturdays, Sundays and holidays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.engagement.days import NEVER, day_of, day_start

if TYPE_CHECKING:
    from pulse.engagement.holidays import Holidays

_SATURDAY: Final = 6
_SUNDAY: Final = 0
"""Numbers of days modulo seven; the first day was a Monday."""


def is_working(day: int, holidays: Holidays | None) -> bool:
    """Whether it is a working day."""
    if day % 7 in (_SATURDAY, _SUNDAY):
        return False
    return holidays is None or not holidays.has(day)


def later(at_ms: int, by_ms: int, timezone: str, holidays: Holidays | None) -> int:
    """The first instant at which so much working time has passed since another one.

    >>> friday_17h = 1_704_474_000_000
    >>> later(friday_17h, 24 * 3_600_000, "UTC", None) - friday_17h == 72 * 3_600_000
    True
    """
    day, begin_ms = day_of(at_ms, timezone), at_ms
    while True:
        end_ms = day_start(day + 1, timezone)
        if end_ms >= NEVER:
            return NEVER
        if is_working(day, holidays):
            if end_ms - begin_ms >= by_ms:
                return begin_ms + by_ms
            by_ms -= end_ms - begin_ms
        day, begin_ms = day + 1, end_ms


def earlier(at_ms: int, by_ms: int, timezone: str, holidays: Holidays | None) -> int:
    """The last instant since which so much working time has passed by another one.

    `later` of an instant has come by `at_ms` where that instant is no later than this.
    """
    day, end_ms = day_of(at_ms, timezone), at_ms
    while True:
        begin_ms = day_start(day, timezone)
        if is_working(day, holidays):
            if end_ms - begin_ms >= by_ms:
                return end_ms - by_ms
            by_ms -= end_ms - begin_ms
        day, end_ms = day - 1, begin_ms
