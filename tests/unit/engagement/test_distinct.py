"""Distinct ids by window. `tests/property` holds them against a naive recount."""

from __future__ import annotations

import pytest

from pulse.engagement.codec import Reader, Writer
from pulse.engagement.distinct import LastSeen
from pulse.engagement.windows import KEPT_DAYS


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
    assert (ids.days, ids.live) == ({}, (0, 0, 0))


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
    for day in range(120, 204):  # the ring still knows when each was seen
        ids.roll(day)
    assert ids.live[2] == 0
    assert ids.days


@pytest.mark.parametrize("many", [5, 63, 64, 65, 66, 150])
@pytest.mark.parametrize("is_packed", [False, True])
def test_each_id_is_found_however_many_there_are(many: int, *, is_packed: bool) -> None:
    """By name, by hash, and in an index, also where the way changes while ids come."""
    ids, days = seen(limit=1_000), dict[str, int]()
    for round_ in range(20):
        today = 100 + round_
        if round_:
            ids.roll(today)
        for n in range(many * (round_ + 1) // 20):
            day = today - n % 3
            days[f"user {n}"] = max(day, days.get(f"user {n}", 0))
            ids.touch(f"user {n}", day, today)
            assert ids.last_of(f"user {n}") == days[f"user {n}"]
        if is_packed:
            present, past = Writer(), Writer()
            ids.write(present, past, today)
            ids = seen(limit=1_000)
            ids.read(Reader(present.done(), 0), Reader(past.done(), 0), today)
        assert ids.days == days
        assert (ids.last_of("nobody"), ids.holds("user"), len(ids)) == (0, False, len(days))
