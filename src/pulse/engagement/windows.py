"""Rolling windows of one account: sums and distinct counts over 7, 28 and 84 of its days.

A measure over W days is the larger of two: over the last W complete days, fixed at the start of
today (`fixed`), and over the W days that end today (`past` and today together). So growth shows
at once, midnight makes no dip, and every window holds whole weeks. A late event corrects the
second at once and the first at the next day's start.

All updates are O(1) an event and O(1) a day: a day that begins adds what ended and takes away
what falls out. Tests hold every number against a naive recount.
"""

from __future__ import annotations

from xxhash import xxh3_64_intdigest

WINDOWS = (7, 28, 84)
"""Whole weeks, so that every weekday counts equally often."""

KEPT_DAYS = 92
"""How long tiles, ids and day starts are kept: the longest window and 8 days to correct it."""

W7, W28, W84 = WINDOWS

Triple = tuple[int, int, int]
"""One number a window, in the order of `WINDOWS`."""

_NOTHING: Triple = (0, 0, 0)


class Sums:
    """Sums of one quantity by day, with their windows. Integers of any unit; exact.

    >>> s = Sums()
    >>> s.today = 5
    >>> s.roll(100)               # day 100 begins, day 99 had 5
    >>> s.today = 2
    >>> s.windows()
    (7, 7, 7)
    """

    __slots__ = ("by_day", "fixed", "past", "today")

    def __init__(self) -> None:
        self.today = 0
        self.by_day: dict[int, int] = {}
        """Past days that are not zero, oldest first but for late ones."""
        self.past: Triple = (0, 0, 0)
        """Over the W - 1 days before today."""
        self.fixed: Triple = (0, 0, 0)
        """Over the W days before today, as of the start of today."""

    def roll(self, day: int) -> None:
        """Begin `day`, the day after today."""
        today, by_day = self.today, self.by_day
        if today:
            by_day[day - 1] = today
            a, b, c = self.past
            a, b, c = a + today, b + today, c + today
            self.fixed = (a, b, c)
            self.today = 0
        elif by_day:
            self.fixed = a, b, c = self.past
        else:
            self.past = self.fixed = _NOTHING
            return
        get = by_day.get
        self.past = (a - get(day - W7, 0), b - get(day - W28, 0), c - get(day - W84, 0))
        by_day.pop(day - KEPT_DAYS, None)

    def correct(self, day: int, today: int, amount: int) -> None:
        """Add `amount` to a past `day`, `today` being today."""
        self.by_day[day] = self.by_day.get(day, 0) + amount
        a, b, c = self.past
        age = today - day
        if age < W7:
            a += amount
        if age < W28:
            b += amount
        if age < W84:
            c += amount
        self.past = (a, b, c)

    def windows(self) -> Triple:
        """The measure over each window, as of now."""
        a, b, c = self.past
        today = self.today
        a, b, c = a + today, b + today, c + today
        x, y, z = self.fixed
        return (a if a > x else x, b if b > y else y, c if c > z else z)

    def on(self, day: int, today: int) -> int:
        """The sum of one day, `today` being today."""
        return self.today if day == today else self.by_day.get(day, 0)


class LastSeen:
    """Distinct ids by window, exact up to `limit` ids and O(1).

    `days` keeps for each id the last day on which it was seen, `ring` counts ids by that day; the
    distinct ids of the W days ending today are the sum of the ring's last W slots.

    Beyond `limit` ids it becomes a sample: only ids whose hash ends in `level` zero bits are kept
    and counts are multiplied by 2**level (adaptive sampling, Flajolet 1990; the standard error of
    a count is about 1.2 / sqrt(limit)). `level` > 0 marks the count as approximate.

    >>> seen = LastSeen(limit=10_000)
    >>> seen.touch("ada", 100, 100), seen.touch("bob", 98, 100), seen.touch("ada", 99, 100)
    (True, True, False)
    >>> seen.windows()
    (2, 2, 2)
    """

    __slots__ = ("days", "fixed", "level", "limit", "live", "ring")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.level = 0
        self.days: dict[str, int] = {}
        self.ring: dict[int, int] = {}
        self.live: Triple = (0, 0, 0)
        """Ids last seen in the W days that end today."""
        self.fixed: Triple = (0, 0, 0)
        """Ids seen in the W days before today, as of the start of today."""

    def touch(self, name: str, day: int, today: int) -> bool:
        """See `name` on `day` (today or before); whether that changed anything."""
        last = self.days.get(name, 0)
        if last >= day:
            return False
        if self.level and xxh3_64_intdigest(name.encode()) & ((1 << self.level) - 1):
            return False
        ring = self.ring
        if last:
            if ring[last] == 1:
                del ring[last]
            else:
                ring[last] -= 1
        ring[day] = ring.get(day, 0) + 1
        self.days[name] = day
        out = today - W84
        if last <= out:
            a, b, c = self.live
            if day > today - W7:
                a += 1
            if day > today - W28:
                b += 1
            if day > out:
                c += 1
            self.live = (a, b, c)
        else:
            a, b, c = self.live
            if last <= today - W7 < day:
                a += 1
            if last <= today - W28 < day:
                b += 1
            self.live = (a, b, c)
        if len(self.days) > self.limit:
            self._thin(today)
        return True

    def roll(self, day: int) -> None:
        """Begin `day`, the day after today."""
        self.fixed = a, b, c = self.live
        ring = self.ring
        if not ring:
            return
        get = ring.get
        self.live = (a - get(day - W7, 0), b - get(day - W28, 0), c - get(day - W84, 0))
        gone = day - KEPT_DAYS
        if ring.pop(gone, 0):
            self.days = {name: last for name, last in self.days.items() if last != gone}

    def windows(self) -> Triple:
        """Distinct ids over each window, as of now."""
        a, b, c = self.live
        x, y, z = self.fixed
        level = self.level
        return (
            (a if a > x else x) << level,
            (b if b > y else y) << level,
            (c if c > z else z) << level,
        )

    def fixed_windows(self) -> Triple:
        """Distinct ids over the complete days, as of the start of today."""
        level = self.level
        if not level:
            return self.fixed
        x, y, z = self.fixed
        return (x << level, y << level, z << level)

    def _thin(self, today: int) -> None:
        while len(self.days) > self.limit:
            self.level += 1
            mask = (1 << self.level) - 1
            self.days = {
                n: d for n, d in self.days.items() if not xxh3_64_intdigest(n.encode()) & mask
            }
            # What was fixed at the day's start was counted at the level before.
            self.fixed = (self.fixed[0] >> 1, self.fixed[1] >> 1, self.fixed[2] >> 1)
        self.ring = {}
        for last in self.days.values():
            self.ring[last] = self.ring.get(last, 0) + 1
        self.live = tuple(  # type: ignore[assignment]  # three windows, three numbers
            sum(n for last, n in self.ring.items() if last > today - w) for w in WINDOWS
        )
