"""When a receiver wants to hear of alerts: working hours, weekdays, holidays, in its time zone.

Outside of them alerts are held, not dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAY_MIN: Final = 24 * 60
_STEP_MIN: Final = 15
"""Clocks are changed at a quarter of an hour."""
_FAR_DAYS: Final = 370
"""What does not open within a year is looked at again then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Some weekdays (0: Monday), times of the day in minutes (from, to) and dates; what is not said
    is every one.

    >>> work = Interval(name="work", weekdays=(0, 1, 2, 3, 4), times=((9 * 60, 17 * 60),))
    >>> work.holds(datetime(2024, 10, 25, 16, 59)), work.holds(datetime(2024, 10, 25, 17, 0))
    (True, False)
    """

    name: str
    weekdays: tuple[int, ...] = ()
    times: tuple[tuple[int, int], ...] = ()
    dates: tuple[date, ...] = ()

    def holds(self, local: datetime) -> bool:
        """Whether a local time is in it."""
        minute = local.hour * 60 + local.minute
        return (
            (not self.weekdays or local.weekday() in self.weekdays)
            and (not self.times or any(start <= minute < end for start, end in self.times))
            and (not self.dates or local.date() in self.dates)
        )


@dataclass(frozen=True, slots=True)
class Hours:
    """Open in one of `active` (always, where there is none) and in none of `mute`."""

    active: tuple[Interval, ...] = ()
    mute: tuple[Interval, ...] = ()

    def held_until(self, at_ms: int, timezone: str) -> int | None:
        """When alerts go out that are held at an instant; None where they are not held."""
        if not (self.active or self.mute):
            return None
        return _held_until(self, at_ms // 60_000, timezone)

    def opens_ms(self, at_ms: int, timezone: str) -> int:
        """When it opens that is closed at an instant."""
        zone = ZoneInfo(timezone)
        for candidate_ms in self._boundaries(at_ms, zone):
            if candidate_ms > at_ms and self._closed_by(candidate_ms, zone) is None:
                return candidate_ms
        return at_ms + _FAR_DAYS * _DAY_MIN * 60_000

    def closed_by(self, at_ms: int, timezone: str) -> str | None:
        """Which interval holds alerts back at an instant; None where none does."""
        return self._closed_by(at_ms, ZoneInfo(timezone))

    def _closed_by(self, at_ms: int, zone: ZoneInfo) -> str | None:
        local = datetime.fromtimestamp(at_ms / 1000, zone)
        for each in self.mute:
            if each.holds(local):
                return each.name
        if self.active and not any(each.holds(local) for each in self.active):
            return "not " + ", ".join(each.name for each in self.active)
        return None

    def _boundaries(self, at_ms: int, zone: ZoneInfo) -> Iterator[int]:
        """Every instant from that day on at which it may open, in order."""
        minutes = {0}
        for each in (*self.active, *self.mute):
            minutes.update(minute for span in each.times for minute in span)
        today = datetime.fromtimestamp(at_ms / 1000, zone).date()
        for ahead in range(_FAR_DAYS):
            day = today + timedelta(days=ahead)
            start, following = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
            offset_ms = start + _offset_ms(start, zone)
            found = {offset_ms + 60_000 * minute - _offset_ms(start, zone) for minute in minutes}
            if following - start != _DAY_MIN * 60_000:
                # The clocks are changed on this day: it may open at the change itself.
                found.update(range(start, following, _STEP_MIN * 60_000))
                found.update(
                    offset_ms + 60_000 * minute - _offset_ms(following, zone) for minute in minutes
                )
            yield from sorted(found)


@lru_cache(maxsize=256)
def _held_until(hours: Hours, minute: int, timezone: str) -> int | None:
    """Thousands of groups ask the same at once, and it opens and closes at whole minutes."""
    if hours.closed_by(60_000 * minute, timezone) is None:
        return None
    return hours.opens_ms(60_000 * minute, timezone)


def next_time(at_ms: int, minute: int, weekdays: tuple[int, ...], timezone: str) -> int:
    """The next instant after `at_ms` that is that minute of the day, on one of the weekdays (any,
    where none is given).

    >>> noon = next_time(0, 12 * 60, (), "UTC")
    >>> noon // 3_600_000, next_time(noon, 12 * 60, (4,), "UTC") // 3_600_000
    (12, 36)
    """
    zone = ZoneInfo(timezone)
    today = datetime.fromtimestamp(at_ms / 1000, zone).date()
    for ahead in range(9):
        day = today + timedelta(days=ahead)
        if not weekdays or day.weekday() in weekdays:
            hour, rest = divmod(minute, 60)
            local = datetime(day.year, day.month, day.day, hour, rest, tzinfo=zone)
            found = round(local.astimezone(UTC).timestamp() * 1000)
            if found > at_ms:
                return found
    raise ValueError("there is no such weekday")


def _midnight(day: date, zone: ZoneInfo) -> int:
    local = datetime(day.year, day.month, day.day, tzinfo=zone)
    return round(local.astimezone(UTC).timestamp() * 1000)


def _offset_ms(at_ms: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(at_ms / 1000, zone).utcoffset() or timedelta()
    return round(offset.total_seconds() * 1000)
