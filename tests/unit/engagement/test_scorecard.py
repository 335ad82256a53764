"""Scores: scaling, targets, and what happens where data is missing."""

from __future__ import annotations

from typing import Literal

import pytest

from pulse.engagement.days import DAY_MS
from pulse.engagement.measures import MICRO, NEVER_USED, Measures
from pulse.engagement.scorecard import Facts, MeasureRule, Scorecard, Target

Kind = Literal["absolute", "per_seat", "of_baseline"]
NOTHING = (0, 0, 0)
NO_FACTS = Facts(0, 0, 0)
W7, W28, W84 = 0, 1, 2


def measures(
    events: int = 0, users: int = 0, days: int = 0, value: int = 0, recency_days: float | None = 0
) -> Measures:
    """The same number in every window."""
    return Measures(
        (events * MICRO,) * 3,
        (value * MICRO,) * 3,
        (users,) * 3,
        NOTHING,
        (days,) * 3,
        NEVER_USED if recency_days is None else round(recency_days * DAY_MS),
    )


def rule(
    measure: str,
    target: float,
    kind: Kind = "absolute",
    *,
    floor: float = 0,
    weight: float = 1,
    window: int = W28,
) -> MeasureRule:
    return MeasureRule(measure, measure, window, weight, floor, Target(kind, target))


def score(
    *rules: MeasureRule,
    now: Measures | None = None,
    fixed: Measures | None = None,
    facts: Facts = NO_FACTS,
) -> float | None:
    return Scorecard(rules).score(now or measures(), fixed or measures(), facts).value


@pytest.mark.parametrize(
    ("days", "wanted"), [(0, 0.0), (4, 0.0), (6, 25.0), (8, 50.0), (12, 100.0), (28, 100.0)]
)
def test_a_measure_is_scaled_from_floor_to_target_and_clamped(days: int, wanted: float) -> None:
    assert score(rule("active_days", 12, floor=4), now=measures(days=days)) == wanted


@pytest.mark.parametrize(
    ("days", "wanted"), [(0, 100.0), (7, pytest.approx(200 / 3)), (21, 0.0), (100, 0.0)]
)
def test_with_a_floor_above_the_target_smaller_is_better(days: float, wanted: float) -> None:
    assert score(rule("recency_days", 0, floor=21), now=measures(recency_days=days)) == wanted


@pytest.mark.parametrize(("users", "wanted"), [(2, 0.0), (3, 100.0), (4, 100.0)])
def test_with_floor_and_target_equal_it_is_all_or_nothing(users: int, wanted: float) -> None:
    assert score(rule("active_users", 3, floor=3), now=measures(users=users)) == wanted


def test_seats_are_used() -> None:
    seats = rule("active_users", 0.8, "per_seat")

    assert score(seats, now=measures(users=4), facts=Facts(10, 0, 0)) == 50.0
    assert score(seats, now=measures(users=4)) is None
    assert score(seats, now=measures(users=4), facts=Facts(0, 0, 0)) is None


def test_a_sum_is_compared_with_an_average_window_of_ones_own_past() -> None:
    own = rule("events", 1.0, "of_baseline", window=W28)
    past = measures(events=300)

    def of(days: int) -> float | None:
        return score(own, now=measures(events=50), fixed=past, facts=Facts(0, 0, days))

    assert of(84) == pytest.approx(50)  # 100 in an average 28 days
    assert of(42) == pytest.approx(25)  # known for half of the time: 200
    assert of(10) == pytest.approx(100 / 6)  # never more than all of it
    assert of(0) is None


def test_a_distinct_count_is_compared_with_all_of_ones_own_past() -> None:
    own = rule("active_users", 1.0, "of_baseline")

    assert score(own, now=measures(users=5), fixed=measures(users=20), facts=Facts(0, 0, 84)) == 25
    assert score(own, now=measures(users=5), facts=Facts(0, 0, 84)) is None


def test_value_for_money() -> None:
    worth = rule("value_per_mrr", 10)

    assert score(worth, now=measures(value=500), facts=Facts(0, 100.0, 0)) == 50.0
    assert score(worth, now=measures(value=500), facts=Facts(0, 0.0, 0)) is None
    assert score(worth, now=measures(value=500)) is None


def test_value_for_money_against_ones_own_past() -> None:
    worth = rule("value_per_mrr", 1.0, "of_baseline")
    facts = Facts(0, 100.0, 84)

    assert score(worth, now=measures(value=50), fixed=measures(value=300), facts=facts) == (
        pytest.approx(50)
    )


def test_what_has_no_data_gives_its_weight_to_the_others_in_proportion() -> None:
    card = Scorecard(
        (
            rule("active_users", 0.8, "per_seat", weight=50),
            rule("active_days", 10, weight=30),
            rule("events", 100, weight=10),
            rule("recency_days", 0, floor=20, weight=10),
        )
    )
    got = card.score(measures(events=50, days=10, recency_days=None), measures(), NO_FACTS)

    assert got.contributions == {"active_days": 75.0, "events": 12.5}
    assert got.value == 87.5


def test_no_data_at_all_is_no_score() -> None:
    got = Scorecard((rule("recency_days", 0, floor=20),)).score(
        measures(recency_days=None), measures(), NO_FACTS
    )

    assert got == (None, {})


def test_a_weight_of_zero_is_shown_and_does_not_count() -> None:
    card = Scorecard((rule("active_days", 10, weight=0), rule("events", 10, weight=1)))
    got = card.score(measures(days=10, events=5), measures(), NO_FACTS)

    assert got.contributions == {"active_days": 0.0, "events": 50.0}


@pytest.mark.parametrize(
    ("which", "rises"),
    [
        (rule("events", 10), True),
        (rule("events", 0, floor=10), False),
        (rule("recency_days", 0, floor=21), True),
        (rule("recency_days", 21, floor=0), False),
        (rule("events", 1.0, "of_baseline"), True),
        # The target may turn out to lie below the floor.
        (rule("events", 1.0, "of_baseline", floor=5), False),
        (rule("active_users", 0.5, "per_seat", floor=5), False),
    ],
)
def test_whether_more_use_can_lower_the_score(which: MeasureRule, rises: bool) -> None:
    assert Scorecard((which,)).rises_with_use is rises
