"""An account's days: which day an instant belongs to, and when the next one starts.

A day number is the proleptic ordinal of the local date (1970-01-01 is 719,163). Days follow one
another without gap or overlap: day D is `[start(D), start(D + 1))`, where `start(D)` is the first
local midnight of that date. So a day has 23 to 25 hours where clocks change, a date that a zone
skipped is a day of no length, and an hour repeated after midnight belongs to the day it repeats.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from pulse.engagement.codec import Reader, Writer

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
NEVER: Final = (1 << 62) - 1
"""An instant, or a day, that does not come."""
NO_INSTANT: Final = -1
"""In place of an instant that is not known; all others are after 1970."""
FIRST_DAY: Final = date(1970, 1, 1).toordinal()
LAST_DAY: Final = date(9999, 12, 30).toordinal()

_ENDLESS_MS: Final = NEVER
_LAST_MS: Final = (LAST_DAY - FIRST_DAY) * DAY_MS
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name; `ZoneInfoNotFoundError` or ValueError if there is none."""
    return ZoneInfo(name)


@lru_cache(maxsize=65_536)
def day_start(day: int, timezone: str) -> int:
    """Instant (ms) at which `day` starts in `timezone`.

    Rounded up to a whole minute: zones of old had offsets with seconds, and a day must not start
    inside a minute, which closes as one. The last day before the year 10,000 does not end.
    """
    if day > LAST_DAY:
        return _ENDLESS_MS
    midnight = datetime.combine(date.fromordinal(day), datetime.min.time(), zone(timezone))
    ms = (midnight - _EPOCH) // _MILLISECOND
    return -(-ms // MINUTE_MS) * MINUTE_MS


class _Latest:
    """What `day_start` said last: at a midnight it is asked the same for every account."""

    __slots__ = ("said",)

    def __init__(self) -> None:
        self.said = (0, "", 0)


_LATEST: Final = _Latest()


def _next_start(day: int, timezone: str) -> int:
    known_day, known_zone, start_ms = _LATEST.said
    if day == known_day and timezone == known_zone:
        return start_ms
    start_ms = day_start(day, timezone)
    _LATEST.said = (day, timezone, start_ms)
    return start_ms


def day_of(at_ms: int, timezone: str) -> int:
    """Number of the day of `timezone` that holds the instant."""
    local = (_EPOCH + timedelta(milliseconds=min(at_ms, _LAST_MS))).astimezone(zone(timezone))
    day = min(local.toordinal(), LAST_DAY)
    while at_ms >= day_start(day + 1, timezone):
        day += 1
    while at_ms < day_start(day, timezone):
        day -= 1
    return day


class Calendar:
    """Which days an account lived through, over its changes of time zone.

    A new time zone holds from the account's next day start. Old days keep their numbers, and the
    number never goes back: moving west makes one long day, moving east may skip a number.

    >>> c = Calendar("UTC", day_of(0, "UTC"))
    >>> c.day, c.end_ms
    (719163, 86400000)
    >>> c.step("Etc/GMT-14")                  # UTC+14, from the end of the day on
    >>> c.day, c.end_ms
    (719164, 122400000)
    """

    __slots__ = ("day", "end_ms", "segments", "start_ms", "timezone")

    def __init__(self, timezone: str, day: int, start_ms: int = -1, end_ms: int = -1) -> None:
        self.segments: list[tuple[int, int, str]] = [(-1, 0, timezone)]
        """Since when (ms), from which day number, which time zone; oldest first."""
        self.timezone = timezone
        """The zone that holds today."""
        self.day = day
        self.start_ms = day_start(day, timezone) if start_ms < 0 else start_ms
        self.end_ms = day_start(day + 1, timezone) if end_ms < 0 else end_ms

    def step(self, timezone: str) -> None:
        """Begin the next day, in `timezone`, at the instant at which today ends."""
        now = self.end_ms
        day = self.day + 1
        if timezone != self.timezone:
            day = max(day, day_of(now, timezone))
            self.segments.append((now, day, timezone))
            self.timezone = timezone
        self.day = day
        self.start_ms = now
        self.end_ms = _next_start(day + 1, timezone)
        if self.end_ms <= now:  # a date that the zone skipped
            self.step(timezone)

    def jump(self, at_ms: int) -> None:
        """Go to the day that holds `at_ms`, as if each day between had been stepped through."""
        timezone = self.timezone
        day = max(day_of(at_ms, timezone), self.day)
        if day > self.day:
            self.day = day
            self.start_ms = day_start(day, timezone)
            self.end_ms = day_start(day + 1, timezone)

    def day_of(self, at_ms: int) -> int:
        """Number of the account's day that holds an instant up to the end of today."""
        if at_ms >= self.start_ms:
            return self.day
        segments = self.segments
        last = self.day
        for since_ms, first, timezone in reversed(segments):
            if at_ms >= since_ms:
                return min(max(day_of(at_ms, timezone), first), last)
            last = first - 1
        return last

    def write(self, writer: Writer) -> None:
        """Write everything; `read` takes it."""
        segments = self.segments
        first = segments[0]
        is_plain = len(segments) == 1 and first[0] == -1 and first[1] == 0
        writer.number(0 if is_plain else len(segments))
        if not is_plain:
            for since_ms, day, timezone in segments:
                writer.number(since_ms)
                writer.number(day)
                writer.text(timezone)
        writer.text(self.timezone)
        writer.number(self.day)
        writer.number(self.start_ms)
        writer.number(self.end_ms - self.start_ms)

    @staticmethod
    def read(reader: Reader) -> Calendar:
        """What `write` wrote."""
        segments: list[tuple[int, int, str]] = []
        for _ in range(reader.number()):
            segments.append((reader.number(), reader.number(), reader.text()))
        timezone, day, start_ms = reader.text(), reader.number(), reader.number()
        calendar = Calendar(timezone, day, start_ms, start_ms + reader.number())
        if segments:
            calendar.segments = segments
        return calendar

    def forget(self, before_ms: int) -> None:
        """Drop the zones that ended before `before_ms`."""
        while len(self.segments) > 1 and self.segments[1][0] <= before_ms:
            del self.segments[0]
