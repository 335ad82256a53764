"""Rolling windows of one account: sums and distinct counts over 7, 28 and 84 of its days.

A measure over W days is the larger of two: over the last W complete days, fixed at the start of
today (`fixed`), and over the W days that end today (`past` and today together). So growth shows
at once, midnight makes no dip, and every window holds whole weeks. A late event corrects the
second at once and the first at the next day's start.

All updates are O(1) an event and O(1) a day: a day that begins adds what ended and takes away
what falls out. Tests hold every number against a naive recount.
"""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Any, Final

from xxhash import xxh3_64_intdigest

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOWS: Final = (7, 28, 84)
"""Whole weeks, so that every weekday counts equally often."""
W7: Final = 7
W28: Final = 28
W84: Final = 84

KEPT_DAYS: Final = 92
"""How long ids are kept and late events are taken: the longest window and 8 days to correct it."""

THEN_DAYS: Final = 28
"""How far back "then" lies, with which the present is compared."""

TILE_DAYS: Final = 120
"""How long tiles are kept: the longest window as it was `THEN_DAYS` ago, and 8 days."""
_RING: Final = 128
_MASK: Final = 127

Triple = tuple[int, int, int]
"""One number a window, in the order of `WINDOWS`."""

_NOTHING: Final = (0, 0, 0)
_WIDER: Final = {"b": "h", "h": "i", "i": "q"}
"""Type codes of `array`, 1 to 8 bytes a number; what is wider still is kept in a list."""


class Sums:
    """Sums of one quantity by day, with their windows. Integers; exact, however large.

    Past days are kept in a ring of the narrowest integers that hold them, in multiples of `unit`
    as long as all of them are.

    >>> s = Sums()
    >>> s.today = 5
    >>> s.roll(100)               # day 100 begins, day 99 had 5
    >>> s.today = 2
    >>> s.windows()
    (7, 7, 7)
    """

    __slots__ = ("fixed", "kept", "last", "past", "today", "unit")

    def __init__(self, unit: int = 1) -> None:
        self.unit = unit
        self.today = 0
        self.kept: Any = None
        """Past days, day D at D modulo the ring's length; None while all are zero."""
        self.last = 0
        """The latest past day that was not zero when it was written."""
        self.past: Triple = _NOTHING
        """Over the W - 1 days before today."""
        self.fixed: Triple = _NOTHING
        """Over the W days before today, as of the start of today."""

    def roll(self, day: int) -> None:
        """Begin `day`, the day after today."""
        today = self.today
        if self.kept is None:
            if not today:
                self.past = self.fixed = _NOTHING
                return
        elif not today and day - self.last > TILE_DAYS:
            self.kept = None
            self.past = self.fixed = _NOTHING
            return
        a, b, c = self.past
        if today:
            a += today
            b += today
            c += today
            self.today = 0
        self._put(day - 1, today)
        self.fixed = (a, b, c)
        kept, unit = self.kept, self.unit
        u: int = kept[(day - W7) & _MASK]
        v: int = kept[(day - W28) & _MASK]
        w: int = kept[(day - W84) & _MASK]
        self.past = (a - u * unit, b - v * unit, c - w * unit)

    def correct(self, day: int, today: int, amount: int) -> None:
        """Add `amount` to a past `day`, `today` being today."""
        self._put(day, self._get(day) + amount)
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
        return self.today if day == today else self._get(day)

    def tiles(self, today: int) -> dict[int, int]:
        """The days before `today` that are not zero, oldest first."""
        days = range(today - TILE_DAYS, today)
        return {day: amount for day in days if (amount := self._get(day))}

    def windows_at_start(self, day: int, unknown: list[tuple[int, int]]) -> Triple:
        """The measure over each window at the start of a past `day`.

        `unknown` are (day, amount) that came later and were not known then.
        """
        fixed, past = [0, 0, 0], [0, 0, 0]
        for n, width in enumerate(WINDOWS):
            total = 0
            for age in range(1, width):
                total += self._get(day - age)
            last = self._get(day - width)
            for late_day, amount in unknown:
                if day - width < late_day < day:
                    total -= amount
                elif late_day == day - width:
                    last -= amount
            past[n], fixed[n] = total, total + last
        return (max(fixed[0], past[0]), max(fixed[1], past[1]), max(fixed[2], past[2]))

    def is_empty(self) -> bool:
        """Whether every day that is kept is zero."""
        return self.kept is None and not self.today

    def _get(self, day: int) -> int:
        if self.kept is None:
            return 0
        got: int = self.kept[day & _MASK]
        return got * self.unit

    def _put(self, day: int, amount: int) -> None:
        if self.kept is None:
            if not amount:
                return
            self.kept = array("b", bytes(_RING))
        unit = self.unit
        if amount:
            if day > self.last:
                self.last = day
            if unit != 1 and amount % unit:
                self._in_ones()
                unit = 1
        while True:
            try:
                self.kept[day & _MASK] = amount // unit
                return
            except OverflowError:
                self._widen()

    def _in_ones(self) -> None:
        days = [int(each) * self.unit for each in self.kept]
        self.kept, self.unit = array("b", bytes(_RING)), 1
        for at, amount in enumerate(days):
            while True:
                try:
                    self.kept[at] = amount
                    break
                except OverflowError:
                    self._widen()

    def _widen(self) -> None:
        wider = _WIDER.get(self.kept.typecode)
        self.kept = list(self.kept) if wider is None else array(wider, self.kept)

    def pack(self) -> tuple[Any, ...]:
        """The whole state; `unpack` takes it."""
        if self.kept is None:
            if not self.today and self.past == _NOTHING and self.fixed == _NOTHING:
                return (self.unit,)
            return (self.unit, self.today, self.past, self.fixed)
        kept = self.kept
        if isinstance(kept, list):
            return (self.unit, self.today, self.past, self.fixed, self.last, "", kept)
        data = kept.tobytes()
        return (self.unit, self.today, self.past, self.fixed, self.last, kept.typecode, data)

    def unpack(self, packed: Sequence[Any]) -> None:
        """Become what `pack` said."""
        self.unit = packed[0]
        if len(packed) > 1:
            self.today = packed[1]
            past, fixed = packed[2], packed[3]
            self.past = (past[0], past[1], past[2])
            self.fixed = (fixed[0], fixed[1], fixed[2])
        if len(packed) > 4:
            self.last = packed[4]
            code = packed[5]
            self.kept = array(code, packed[6]) if code else list(packed[6])


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
        self.live: Triple = _NOTHING
        """Ids last seen in the W days that end today."""
        self.fixed: Triple = _NOTHING
        """Ids seen in the W days before today, as of the start of today."""

    def touch(self, name: str, day: int, today: int) -> bool:
        """See `name` on `day` (today or before); whether that changed anything."""
        last = self.days.get(name, 0)
        if last >= day:
            return False
        if self.level and xxh3_64_intdigest(name.encode()) & ((1 << self.level) - 1):
            return False
        ring = self.ring
        if not last:
            name = sys.intern(name)  # many accounts have features of the same names
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
        self.live = (
            a - ring.get(day - W7, 0), b - ring.get(day - W28, 0), c - ring.get(day - W84, 0)
        )  # fmt: skip
        gone = day - KEPT_DAYS
        if gone in ring:
            del ring[gone]
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

    def is_empty(self) -> bool:
        """Whether no id is kept."""
        return not self.days

    def pack(self, today: int) -> tuple[Any, ...]:
        """The whole state; `unpack` takes it. `today` is today."""
        days = self.days
        if not days:
            return (self.level, self.live, self.fixed)
        # Ids are kept for less than 256 days.
        ages = bytes([today - last for last in days.values()])
        return (self.level, self.live, self.fixed, list(days), ages)

    def unpack(self, packed: Sequence[Any], today: int) -> None:
        """Become what `pack` said."""
        self.level = packed[0]
        live, fixed = packed[1], packed[2]
        self.live = (live[0], live[1], live[2])
        self.fixed = (fixed[0], fixed[1], fixed[2])
        if len(packed) > 3:
            ages: bytes = packed[4]
            ring = self.ring
            names: list[str] = packed[3]
            for name, age in zip(names, ages, strict=True):
                last = today - age
                self.days[sys.intern(name)] = last
                ring[last] = ring.get(last, 0) + 1

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
        a = b = c = 0
        for last, n in self.ring.items():
            if last > today - W84:
                c += n
                if last > today - W28:
                    b += n
                    if last > today - W7:
                        a += n
        self.live = (a, b, c)
