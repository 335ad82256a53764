"""Days on which nobody works: they say nothing about an account that was quiet on them."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pulse.engagement.windows import WINDOWS, Triple

if TYPE_CHECKING:
    from pulse.engagement.profile import Profile

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


@dataclass(frozen=True, slots=True)
class HolidayRule:
    """Days (as in `engagement.days`) on which the accounts of these countries and segments do not
    work; of all where none is named.
    """

    days: tuple[int, ...]
    countries: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()


class HolidayBook:
    """Which holidays hold for whom.

    >>> book = HolidayBook((HolidayRule((5, 6)), HolidayRule((9,), frozenset(["DE"]))))
    >>> book.of(None).days
    [5, 6]
    """

    def __init__(self, rules: tuple[HolidayRule, ...] = ()) -> None:
        self.rules = rules
        self._known = dict[tuple[str, str], "Holidays | None"]()
        """By country and segment, as accounts ask for them."""

    def of(self, profile: Profile | None) -> Holidays | None:
        """The holidays of the account with that profile; None where there are none."""
        if not self.rules:
            return None
        country, segment = ("", "") if profile is None else (profile.country, profile.segment)
        key = (country, segment)
        if key not in self._known:
            days = [
                day
                for rule in self.rules
                if (not rule.countries or country in rule.countries)
                and (not rule.segments or segment in rule.segments)
                for day in rule.days
            ]
            self._known[key] = Holidays(days) if days else None
        return self._known[key]
