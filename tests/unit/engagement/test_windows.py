"""Rolling sums. `tests/property` holds them against a naive recount."""

from __future__ import annotations

import pytest

from pulse.engagement.codec import Reader, Writer
from pulse.engagement.measures import MICRO
from pulse.engagement.windows import TILE_DAYS, Sums


def rolled(sums: Sums, first_day: int, amounts: list[int]) -> int:
    """Lives one day for each amount; the number of the day after."""
    day = first_day
    for amount in amounts:
        sums.today += amount
        day += 1
        sums.roll(day)
    return day


def test_growth_shows_at_once() -> None:
    sums = Sums()
    rolled(sums, 1000, [1] * 100)
    sums.today = 50

    assert sums.windows() == (6 + 50, 27 + 50, 83 + 50)


def test_midnight_makes_no_dip() -> None:
    sums = Sums()
    rolled(sums, 1000, [1] * 100)

    assert sums.windows() == (7, 28, 84)


def test_a_fall_is_seen_at_the_start_of_a_day() -> None:
    sums = Sums()
    day = rolled(sums, 1000, [5] * 84)
    assert sums.windows() == (35, 140, 420)  # nothing yet on this day

    sums.roll(day + 1)
    assert sums.windows() == (30, 135, 415)


def test_what_came_late_counts_at_once_in_the_days_that_end_today() -> None:
    sums = Sums()
    day = rolled(sums, 1000, [2] * 84)
    sums.correct(day - 3, day, 10)

    assert sums.fixed == (14, 56, 168)  # fixed at the start of today, without it
    assert sums.windows() == (22, 64, 176)

    sums.roll(day + 1)
    assert sums.fixed == (22, 64, 176)


def test_a_day_is_kept_as_long_as_a_window_of_four_weeks_ago_needs_it() -> None:
    sums = Sums()
    rolled(sums, 1000, [1])
    for day in range(1002, 1001 + TILE_DAYS):
        sums.roll(day)
    assert sums.tiles(1000 + TILE_DAYS) == {1000: 1}

    sums.roll(1001 + TILE_DAYS)
    assert sums.is_empty()


def test_sums_are_exact_however_large() -> None:
    sums = Sums()
    rolled(sums, 1000, [10**15] * 20_000)

    assert sums.windows()[2] == 84 * 10**15


@pytest.mark.parametrize(
    "amounts", [[3, 0, -2], [MICRO] * 5, [MICRO, 1], [10**5, 10**12], [10**18, 10**19, 10**30, -5]]
)
def test_however_wide_the_numbers_are_none_is_lost(amounts: list[int]) -> None:
    sums = Sums(MICRO)
    day = rolled(sums, 1000, amounts)
    now, days, again = Writer(), Writer(), Sums()
    sums.write(now, days, day)
    again.read(Reader(now.done(), 0), Reader(days.done(), 0))

    assert sums.tiles(day) == {1000 + n: amount for n, amount in enumerate(amounts) if amount}
    assert sums.windows()[2] == sum(amounts)
    assert (again.tiles(day), again.windows()) == (sums.tiles(day), sums.windows())
