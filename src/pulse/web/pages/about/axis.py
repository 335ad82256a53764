"""The axes of a picture over days: where its days and scores are, and what is written beside."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAYS_OF_MONTHS: Final = 150
"""Longer than so many days, and months are marked; else Mondays."""
_WEEK: Final = 7


class Size(NamedTuple):
    """A picture's size in pixels, and how far its plot stays from each edge."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    between_labels: int
    """So far apart are labels of days at least."""


class Tick(NamedTuple):
    """A mark on an axis; without words where there is no room for them."""

    at: float
    words: str


class Axes(NamedTuple):
    """Where days and scores are. Days are ordinals and may have fractions.

    >>> axes = Axes(Size(120, 120, 10, 10, 10, 10, 40), first=100, last=200)
    >>> axes.x(100), axes.x(150), axes.y(0), axes.y(100), axes.y(140)
    (10.0, 60.0, 110.0, 10.0, 10.0)
    """

    size: Size
    first: float
    last: float

    def x(self, day: float) -> float:
        """Pixels from the left."""
        size = self.size
        room = size.width - size.left - size.right
        return round(size.left + room * (day - self.first) / (self.last - self.first), 1)

    def y(self, score: float) -> float:
        """Pixels from the top; what is beyond the scale is at its end."""
        size = self.size
        room = size.height - size.top - size.bottom
        return round(size.top + room * (1.0 - min(max(score, 0.0), 100.0) / 100.0), 1)

    @property
    def right(self) -> float:
        """Where the plot ends."""
        return self.x(self.last)

    def scores(self) -> list[Tick]:
        """The marks of the scores."""
        return [Tick(self.y(score), str(score)) for score in range(0, 101, 20)]

    def days(self) -> list[Tick]:
        """The marks of the days: the months, or where few are shown the Mondays."""
        in_months = self.last - self.first > _DAYS_OF_MONTHS
        ticks, free_from = list[Tick](), 0.0
        for day in self._months() if in_months else self._mondays():
            at, words = self.x(day.toordinal()), ""
            if at >= free_from and at <= self.right - self.size.between_labels / 3:
                words = _month(day) if in_months else f"{day.day} {day:%b}"
                free_from = at + self.size.between_labels
            ticks.append(Tick(at, words))
        return ticks

    def _months(self) -> Iterator[date]:
        day = date.fromordinal(int(self.first))
        for month in range(12 * day.year + day.month - 1, 12 * 9999):
            day = date(month // 12, month % 12 + 1, 1)
            if day.toordinal() > self.last:
                return
            if day.toordinal() >= self.first:
                yield day

    def _mondays(self) -> Iterator[date]:
        day = date.fromordinal(int(self.first))
        day += timedelta(-day.weekday() % _WEEK)
        while day.toordinal() <= self.last:
            yield day
            day += timedelta(_WEEK)


def _month(day: date) -> str:
    return f"{day:%Y}" if day.month == 1 else f"{day:%b}"
