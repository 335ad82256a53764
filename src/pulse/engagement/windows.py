"""Rolling windows of one account: sums over 7, 28 and 84 of its days; `distinct` has the counts.

A measure over W days is the larger of two: over the last W complete days, fixed at the start of
today (`fixed`), and over the W days that end today (`past` and today together). So growth shows
at once, midnight makes no dip, and every window holds whole weeks. A late event corrects the
second at once and the first at the next day's start.

All updates are O(1) an event and O(1) a day: a day that begins adds what ended and takes away
what falls out. Tests hold every number against a naive recount.
"""

from __future__ import annotations

from typing import Final

from librt.vecs import vec
from mypy_extensions import i16, i64

from pulse.engagement.codec import Reader, Writer

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

_WIDEST: Final = 32_767


class Sums:
    """Sums of one quantity by day, with their windows. Integers; exact, however large.

    Past days are kept in a ring, in multiples of `unit` as long as all of them are, and in two
    bytes each as long as they fit.

    >>> s = Sums()
    >>> s.today = 5
    >>> s.roll(100)               # day 100 begins, day 99 had 5
    >>> s.today = 2
    >>> s.windows()
    (7, 7, 7)
    """

    __slots__ = (
        "_fixed7", "_fixed28", "_fixed84", "_folded", "_last", "_past7", "_past28", "_past84",
        "_ring", "_unit", "_wide", "is_kept", "today",
    )  # fmt: skip

    def __init__(self, unit: int = 1) -> None:
        self._unit = unit
        self.today = 0
        self.is_kept = False
        """Whether any past day that is kept is not zero."""
        self._ring: vec[i16] = vec[i16]()
        """Past days, day D at D modulo the ring's length; empty while all are zero."""
        self._wide: list[int] | None = None
        """The same where two bytes do not do."""
        self._folded = b""
        """Or still as it was written, until a day before today is asked for."""
        self._last = 0
        """The latest past day that was not zero when it was written."""
        self._past7 = 0
        """Over the W - 1 days before today."""
        self._past28 = 0
        self._past84 = 0
        self._fixed7 = 0
        """Over the W days before today, as of the start of today."""
        self._fixed28 = 0
        self._fixed84 = 0

    @property
    def fixed(self) -> Triple:
        """Over the complete days, as of the start of today."""
        return (self._fixed7, self._fixed28, self._fixed84)

    def roll(self, day: int) -> None:
        """Begin `day`, the day after today."""
        today = self.today
        if not today and (not self.is_kept or day - self._last > TILE_DAYS):
            self._forget()
            return
        self.today = 0
        if self._folded:
            self._unfold(day - 1)
        self._put(day - 1, today)
        a, b, c = self._past7 + today, self._past28 + today, self._past84 + today
        self._fixed7, self._fixed28, self._fixed84 = a, b, c
        wide, unit = self._wide, self._unit
        if wide is None:
            ring = self._ring
            at = i64(day)
            self._past7 = a - int(ring[(at - W7) & _MASK]) * unit
            self._past28 = b - int(ring[(at - W28) & _MASK]) * unit
            self._past84 = c - int(ring[(at - W84) & _MASK]) * unit
        else:
            self._past7 = a - wide[(day - W7) & _MASK] * unit
            self._past28 = b - wide[(day - W28) & _MASK] * unit
            self._past84 = c - wide[(day - W84) & _MASK] * unit

    def correct(self, day: int, today: int, amount: int) -> None:
        """Add `amount` to a past `day`, `today` being today."""
        if self._folded:
            self._unfold(today)
        self._put(day, self._get(day) + amount)
        age = today - day
        if age < W7:
            self._past7 += amount
        if age < W28:
            self._past28 += amount
        if age < W84:
            self._past84 += amount

    def windows(self) -> Triple:
        """The measure over each window, as of now."""
        today = self.today
        a, b, c = self._past7 + today, self._past28 + today, self._past84 + today
        x, y, z = self._fixed7, self._fixed28, self._fixed84
        return (a if a > x else x, b if b > y else y, c if c > z else z)

    def on(self, day: int, today: int) -> int:
        """The sum of one day, `today` being today."""
        if self._folded:
            self._unfold(today)
        return self.today if day == today else self._get(day)

    def tiles(self, today: int) -> dict[int, int]:
        """The days before `today` that are not zero, oldest first."""
        if self._folded:
            self._unfold(today)
        days = range(today - TILE_DAYS, today)
        return {day: amount for day in days if (amount := self._get(day))}

    def over(self, first: int, end: int, today: int) -> int:
        """The sum of the days from `first` up to `end`, all before `today`, which is today."""
        if self._folded:
            self._unfold(today)
        return self._total(first, end)

    def windows_at_start(self, day: int, today: int, unknown: list[tuple[int, int]]) -> Triple:
        """The measure over each window at the start of a past `day`, `today` being today.

        `unknown` are (day, amount) that came later and were not known then.
        """
        if self._folded:
            self._unfold(today)
        fixed, past = [0, 0, 0], [0, 0, 0]
        for n, width in enumerate(WINDOWS):
            total = self._total(day - width + 1, day)
            last = self._get(day - width)
            for late_day, amount in unknown:
                if day - width < late_day < day:
                    total -= amount
                elif late_day == day - width:
                    last -= amount
            past[n], fixed[n] = total, total + last
        return (max(fixed[0], past[0]), max(fixed[1], past[1]), max(fixed[2], past[2]))

    def _total(self, first: int, end: int) -> int:
        """Over the days from `first` up to `end`."""
        if not self.is_kept:
            return 0
        wide = self._wide
        if wide is not None:
            return sum([wide[day & _MASK] for day in range(first, end)]) * self._unit
        ring, at, last, total = self._ring, i64(first), i64(end), i64(0)
        while at < last:
            total += i64(ring[at & _MASK])
            at += 1
        return int(total) * self._unit

    def is_empty(self) -> bool:
        """Whether every day that is kept is zero."""
        return not self.is_kept and not self.today

    def _forget(self) -> None:
        if self.is_kept:
            self.is_kept, self._ring, self._wide, self._folded = False, vec[i16](), None, b""
        self._past7 = self._past28 = self._past84 = 0
        self._fixed7 = self._fixed28 = self._fixed84 = 0

    def _get(self, day: int) -> int:
        if not self.is_kept:
            return 0
        wide = self._wide
        if wide is not None:
            return wide[day & _MASK] * self._unit
        return int(self._ring[i64(day) & _MASK]) * self._unit

    def _put(self, day: int, amount: int) -> None:
        if not self.is_kept:
            if not amount:
                return
            self.is_kept, self._ring = True, vec[i16]([0] * _RING)
        unit = self._unit
        if amount:
            if day > self._last:
                self._last = day
            if unit != 1:
                if amount % unit:
                    self._count_in_ones()
                else:
                    amount //= unit
        wide = self._wide
        if wide is None:
            if -_WIDEST <= amount <= _WIDEST:
                self._ring[i64(day) & _MASK] = i16(i64(amount))
                return
            wide = self._wide = [int(each) for each in self._ring]
            self._ring = vec[i16]()
        wide[day & _MASK] = amount

    def _count_in_ones(self) -> None:
        wide = self._wide
        if wide is None:
            wide = [int(each) for each in self._ring]
            self._ring = vec[i16]()
        self._wide = [each * self._unit for each in wide]
        self._unit = 1

    def write(self, present: Writer, past: Writer, today: int) -> None:
        """Write everything, what was before today apart; `read` takes it. `today` is today."""
        unit = self._unit
        present.number(unit)
        present.number(packed_amount(self.today, unit))
        for amount in (
            self._past7, self._past28, self._past84, self._fixed7, self._fixed28, self._fixed84
        ):  # fmt: skip
            past.number(packed_amount(amount, unit))
        past.number(self._last)
        past.data(self._folded or (self._days(today) if self.is_kept else b""))

    def read(self, present: Reader, past: Reader) -> None:
        """Become what `write` wrote."""
        unit = self._unit = present.number()
        self.today = _amount(present, unit)
        self._past7, self._past28, self._past84 = (
            _amount(past, unit), _amount(past, unit), _amount(past, unit)
        )  # fmt: skip
        self._fixed7, self._fixed28, self._fixed84 = (
            _amount(past, unit), _amount(past, unit), _amount(past, unit)
        )  # fmt: skip
        self._last = past.number()
        self._folded = past.data()
        self.is_kept = len(self._folded) > 0

    def _days(self, today: int) -> bytes:
        # From the first day on that is not zero, so that a young account takes little.
        first = today - TILE_DAYS
        while first < today and not self._get(first):
            first += 1
        writer = Writer()
        writer.number(today - first)
        wide = self._wide
        if wide is None:
            writer.number(0)
            writer.ring(self._ring, first, today)
        else:
            writer.number(1)
            for day in range(first, today):
                writer.number(wide[day & _MASK])
        return writer.done()

    def _unfold(self, today: int) -> None:
        reader, self._folded = Reader(self._folded, 0), b""
        first = today - reader.number()
        if reader.number():
            wide = self._wide = [0] * _RING
            for day in range(first, today):
                wide[day & _MASK] = reader.number()
        else:
            self._ring = vec[i16]([0] * _RING)
            reader.ring(self._ring, first, today)


def _amount(reader: Reader, unit: int) -> int:
    return unpacked(reader.number(), unit)


def packed_amount(amount: int, unit: int) -> int:
    """An amount as it is written: in multiples of `unit` where that goes."""
    if unit != 1 and amount % unit == 0:
        return amount // unit << 1
    return amount << 1 | 1


def unpacked(number: int, unit: int) -> int:
    """What `packed_amount` gave."""
    return number >> 1 if number & 1 else (number >> 1) * unit
