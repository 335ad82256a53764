"""The days of a history one by one, or by weeks, and what is said of them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

    from pulse.history import DayRow
    from pulse.model.account import Zone

_WEEKLY_FROM: Final = 150
"""More days than that are told by their weeks."""


def groups(days: Sequence[DayRow]) -> list[list[DayRow]]:
    """The days one by one, or where there are many in weeks, of which the last is complete."""
    if not days:
        return []
    if len(days) <= _WEEKLY_FROM:
        return [[day] for day in days]
    last = days[-1].day
    weeks = groupby(days, key=lambda day: (last - day.day).days // 7)
    return [list(each) for _, each in weeks]


def worst(days: Iterable[DayRow]) -> Zone:
    """The worst zone of some days."""
    order = ("danger", "approaching", "unknown", "healthy")
    return min((day.zone for day in days), key=order.index)


def mean(days: Iterable[DayRow]) -> float | None:
    """The mean score of the days that have one."""
    scores = [day.score for day in days if day.score is not None]
    return sum(scores) / len(scores) if scores else None


def words_of(day: date) -> str:
    """A day as people say it.

    >>> from datetime import date
    >>> words_of(date(2026, 3, 2))
    '2 March 2026'
    """
    return f"{day.day} {day:%B %Y}"


def week_or_day(group: Sequence[DayRow]) -> str:
    """Which days a group has, in words.

    >>> from datetime import date
    >>> from pulse.history import DayRow
    >>> day = DayRow(date(2026, 3, 2), 50.0, "healthy", "current", 40.0, 55.0, 0, 0, 0, 0, 0, 0)
    >>> week_or_day([day._replace(day=date(2026, 2, 24)), day]), week_or_day([day])
    ('24 Feb to 2 March 2026', '2 March 2026')
    """
    first, last = group[0].day, group[-1].day
    if first == last:
        return words_of(last)
    return f"{first.day} {first:%b} to {words_of(last)}"
