"""Days on which nobody works: they say nothing about an account that was quiet on them."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from pulse.engagement.windows import WINDOWS, Triple

NONE: Final = (0, 0, 0)


class Holidays:
    """The holidays of an account, as numbers of days (`engagement.days`).

    >>> from datetime import date
    >>> christmas = Holidays([date(2024, 12, day).toordinal() for day in (25, 26)])
    >>> christmas.between(date(2024, 12, 20).toordinal(), date(2024, 12, 26).toordinal())
    1
    """

    def __init__(self, days: list[int]) -> None:
        self.days = sorted(set(days))

    def between(self, first: int, end: int) -> int:
        """How many days from `first` up to `end` are holidays."""
        return bisect_left(self.days, end) - bisect_left(self.days, first)

    def has(self, day: int) -> bool:
        """Whether a day is a holiday."""
        return self.between(day, day + 1) > 0

    def in_windows(self, today: int) -> Triple:
        """How many days of each window before today are holidays."""
        if not self.between(today - WINDOWS[2], today):
            return NONE
        return (
            self.between(today - WINDOWS[0], today),
            self.between(today - WINDOWS[1], today),
            self.between(today - WINDOWS[2], today),
        )

    def are_most(self, first: int, end: int) -> bool:
        """Whether more than half of the days from `first` up to `end` are holidays."""
        return 2 * self.between(first, end) > end - first

    def put_off(self, day: int, days: int) -> int:
        """The day that comes `days` working or weekend days after `day`, holidays not counted.

        >>> Holidays([102, 103]).put_off(100, 2), Holidays([110]).put_off(100, 2)
        (104, 102)
        """
        end, counted = day + days, 0
        while (found := self.between(day + 1, end + 1)) > counted:
            end += found - counted
            counted = found
        return end
