"""Rolling sums and distinct counts. `tests/property` holds them against a naive recount."""

from __future__ import annotations

import pytest

from pulse.engagement.measures import MICRO
from pulse.engagement.windows import KEPT_DAYS, TILE_DAYS, LastSeen, Sums


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
    again = Sums()
    again.unpack(sums.pack())

    assert sums.tiles(day) == {1000 + n: amount for n, amount in enumerate(amounts) if amount}
    assert sums.windows()[2] == sum(amounts)
    assert (again.tiles(day), again.windows()) == (sums.tiles(day), sums.windows())


def seen(limit: int = 100) -> LastSeen:
    return LastSeen(limit)


def test_an_id_counts_once_in_a_window() -> None:
    ids = seen()
    for day in range(100, 150):
        if day > 100:
            ids.roll(day)
        ids.touch("ada", day, day)

    assert ids.windows() == (1, 1, 1)


def test_distinct_ids_over_each_window() -> None:
    ids = seen()
    for day in range(100, 200):
        if day > 100:
            ids.roll(day)
        ids.touch(f"user {day}", day, day)

    assert ids.live == (7, 28, 84)
    assert ids.windows() == (7, 28, 84)
    ids.roll(200)
    assert (ids.live, ids.fixed) == ((6, 27, 83), (7, 28, 84))


def test_an_id_seen_late_does_not_grow_younger() -> None:
    ids = seen()
    ids.touch("ada", 100, 100)

    assert ids.touch("ada", 95, 100) is False
    assert ids.touch("bob", 90, 100) is True
    assert ids.windows() == (1, 2, 2)
    assert ids.touch("bob", 94, 100) is True  # later than before, and inside 7 days now
    assert ids.windows() == (2, 2, 2)


def test_ids_that_left_every_window_are_forgotten() -> None:
    ids = seen()
    ids.touch("ada", 100, 100)
    for day in range(101, 100 + KEPT_DAYS):
        ids.roll(day)
    assert ids.days == {"ada": 100}
    assert ids.windows() == (0, 0, 0)

    ids.roll(100 + KEPT_DAYS)
    assert (ids.days, ids.ring) == ({}, {})


def test_exact_up_to_the_limit() -> None:
    ids = seen(limit=500)
    for n in range(500):
        ids.touch(f"feature {n}", 100, 100)

    assert ids.level == 0
    assert ids.windows() == (500, 500, 500)


@pytest.mark.parametrize("true", [501, 2_000, 10_000, 50_000])
def test_beyond_the_limit_a_count_is_near_the_truth(true: int) -> None:
    limit = 500
    ids = seen(limit)
    for n in range(true):
        ids.touch(f"feature {n}", 100, 100)

    assert ids.level > 0
    assert len(ids.days) <= limit
    # Three times the standard error.
    assert ids.windows()[0] == pytest.approx(true, rel=3 * 1.2 / limit**0.5)


def test_beyond_the_limit_no_order_matters() -> None:
    names = [f"user {n}" for n in range(3_000)]
    forwards, backwards = seen(), seen()
    for name in names:
        forwards.touch(name, 100, 100)
    for name in reversed(names):
        backwards.touch(name, 100, 100)

    assert forwards.windows() == backwards.windows()
    assert forwards.days == backwards.days


def test_beyond_the_limit_days_pass_as_ever() -> None:
    ids = seen(limit=200)
    for day in range(100, 120):
        if day > 100:
            ids.roll(day)
        for n in range(100):
            ids.touch(f"user {day} {n}", day, day)

    got = ids.windows()
    assert got[0] == pytest.approx(700, rel=0.3)
    assert got[1] == got[2] == pytest.approx(2_000, rel=0.3)
    assert sum(ids.ring.values()) == len(ids.days)
