"""Where accounts are: countries, their time zones, and when nobody works there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from pulse.simulation.product import date_of, weekday


@dataclass(frozen=True, slots=True)
class Place:
    """A country, with one of its time zones."""

    country: str
    timezone: str
    share: int
    """Of 100 accounts."""
    holidays: tuple[tuple[int, int], ...]
    """Months and days, besides those of all."""
    easter: bool = False
    """Whether Good Friday and the Monday after are free."""
    summer: int = 8
    """The month in which many are away."""


PLACES: Final = (
    Place("US", "America/New_York", 22, ((7, 4), (11, 11))),
    Place("US", "America/Chicago", 9, ((7, 4), (11, 11))),
    Place("US", "America/Los_Angeles", 11, ((7, 4), (11, 11))),
    Place("CA", "America/Toronto", 6, ((7, 1),), easter=True),
    Place("GB", "Europe/London", 12, (), easter=True),
    Place("DE", "Europe/Berlin", 13, ((5, 1), (10, 3)), easter=True),
    Place("FR", "Europe/Paris", 8, ((5, 1), (5, 8), (7, 14), (8, 15)), easter=True),
    Place("BR", "America/Sao_Paulo", 5, ((4, 21), (5, 1), (9, 7), (11, 15)), True, summer=1),
    Place("IN", "Asia/Kolkata", 6, ((1, 26), (8, 15), (10, 2)), summer=5),
    Place("JP", "Asia/Tokyo", 4, ((5, 3), (5, 4), (5, 5), (8, 11), (11, 3))),
    Place("AU", "Australia/Sydney", 4, ((1, 26), (4, 25)), True, summer=1),
)
_EVERYWHERE: Final = ((1, 1), (12, 25), (12, 26))


@lru_cache(maxsize=4096)
def bustle(place: Place, day: int) -> float:
    """How much is worked there on a day, beside a usual day of the week.

    >>> berlin = next(each for each in PLACES if each.country == "DE")
    >>> bustle(berlin, 20089), bustle(berlin, 20089 + 20), bustle(berlin, 20089 + 107)
    (0.06, 1.0, 0.06)
    """
    today = date_of(day)
    if (today.month, today.day) in _EVERYWHERE + place.holidays:
        return 0.06
    if place.easter:
        # Easter is a Sunday: the Friday before it and the Monday after it are free.
        sunday = {4: day + 2, 0: day - 1}.get(weekday(day))
        if sunday is not None and is_easter(sunday):
            return 0.06
    if (today.month, today.day) >= (12, 22) or (today.month, today.day) <= (1, 3):
        return 0.35
    return 0.8 if today.month == place.summer else 1.0


def is_easter(day: int) -> bool:
    """Whether a day is Easter Sunday: the first Sunday after the full moon of spring, which is
    reckoned from the nineteen years of the moon. Right from 1900 to 2099.

    >>> is_easter(20089 + 109), is_easter(20089 + 102)
    (True, False)
    """
    today = date_of(day)
    # Days after March 21 of the full moon; the moon of two years in nineteen comes a day early.
    golden = today.year % 19
    moon = (19 * golden + 24) % 30
    if moon == 29 or (moon == 28 and golden > 10):
        moon -= 1
    march_21 = today.replace(month=3, day=21).toordinal()
    return weekday(day) == 6 and 0 < today.toordinal() - march_21 - moon <= 7


@lru_cache(maxsize=4096)
def midnight_s(timezone: str, day: int) -> int:
    """When a day begins there, in seconds UTC, by the offset that holds at its noon.

    >>> midnight_s("Europe/Berlin", 20089) - 20089 * 86_400
    -3600
    """
    noon = datetime(*date_of(day).timetuple()[:3], hour=12, tzinfo=ZoneInfo(timezone))
    offset = noon.utcoffset() or timedelta(0)
    return day * 86_400 - int(offset.total_seconds())
