"""The projected day of crossing."""

from __future__ import annotations

import random

import pytest

from pulse.engagement.forecast import crossing, may_cross


def falling(by: float, days: int = 28, noise: float = 0.0) -> list[tuple[int, float]]:
    chance = random.Random(3)
    return [(day, 90.0 - by * day + chance.uniform(-noise, noise)) for day in range(days)]


@pytest.mark.parametrize("by", [0.5, 1.0, 1.75])
def test_a_straight_fall_crosses_where_its_line_does(by: float) -> None:
    enter = 90.0 - by * 37
    found = crossing(falling(by), enter, within_days=14)

    assert found is not None
    assert found.days == pytest.approx(10.0)
    assert found.soonest == pytest.approx(found.latest)


def test_the_interval_holds_the_day_and_grows_with_the_noise() -> None:
    calm = crossing(falling(1.5, noise=1.0), 40.0, within_days=14)
    rough = crossing(falling(1.5, noise=6.0), 40.0, within_days=14)

    assert calm is not None
    assert rough is not None
    assert calm.soonest < calm.days < calm.latest
    assert rough.latest - rough.soonest > calm.latest - calm.soonest


def test_two_odd_days_do_not_move_it() -> None:
    scores = falling(1.5)
    scores[5], scores[20] = (5, 5.0), (20, 100.0)
    found = crossing(scores, 40.0, within_days=14)

    assert found is not None
    assert found.days == pytest.approx(19 / 3, abs=0.3)


@pytest.mark.parametrize(
    "scores",
    [
        falling(0.1),  # too far away
        falling(-1.0),
        falling(1.5, days=13),  # too short
        [(day, 60.0) for day in range(27)] + [(27, 45.0)],  # one bad day
        falling(0.25, noise=20.0),  # mere noise
    ],
)
def test_nothing_is_projected(scores: list[tuple[int, float]]) -> None:
    assert crossing(scores, 40.0, within_days=14) is None


def test_who_is_below_crosses_today() -> None:
    found = crossing(falling(2.0), 40.0, within_days=14)

    assert found is not None
    assert (found.days, found.soonest, found.latest) == (0.0, 0.0, 0.0)


def test_a_closer_look_is_worth_its_time() -> None:
    assert may_cross(days=27, fall=20.0, above=20.0, within_days=14)
    assert not may_cross(days=27, fall=4.9, above=1.0, within_days=14)
    assert not may_cross(days=27, fall=5.0, above=20.0, within_days=14)
