"""Who left, of those who were told of and of those who were not."""

from __future__ import annotations

from pulse.calibration.holdout import Effect, Group, effect
from pulse.calibration.outcomes import Stay

DAY_MS = 86_400_000


def of(
    alerts: list[tuple[str, int]], outcomes: dict[str, tuple[Stay, ...]], since: int = 0
) -> Effect:
    """Within 30 days, known for 100; held out are those that begin with h, from a day on."""
    in_ms = [(name, day * DAY_MS) for name, day in alerts]
    until_ms, since_ms = 100 * DAY_MS, since * DAY_MS
    return effect(in_ms, outcomes, lambda name, _: name.startswith("h"), 30, until_ms, since_ms)


def left(day: int, since: int | None = None) -> Stay:
    return Stay(None if since is None else since * DAY_MS, day * DAY_MS)


STAYS = Stay(None, None)


def test_each_account_counts_once_on_its_side() -> None:
    found = of(
        [("a", 1), ("a", 5), ("b", 2), ("h1", 3), ("h2", 4)],
        {"a": (left(20),), "b": (STAYS,), "h1": (left(10),), "h2": (STAYS,)},
    )

    assert found == Effect(Group(2, 1), Group(2, 1))


def test_alerts_before_anybody_was_held_out_are_not_compared() -> None:
    outcomes = dict.fromkeys(("a", "b", "h1", "h2"), (left(25),))

    found = of([("a", 1), ("b", 10), ("h1", 9), ("h1", 12), ("h2", 3)], outcomes, since=10)

    assert found == Effect(Group(1, 1), Group(1, 1))


def test_who_leaves_later_than_the_horizon_has_stayed() -> None:
    assert of([("a", 1)], {"a": (left(31),)}).sent == Group(1, 0)
    assert of([("a", 2)], {"a": (left(31),)}).sent == Group(1, 1)


def test_what_is_not_known_yet_is_not_judged_unless_they_have_left_already() -> None:
    assert of([("a", 80)], {"a": (STAYS,)}).sent == Group(0, 0)
    assert of([("a", 80)], {"a": (left(90),)}).sent == Group(1, 1)
    # An earlier alert of the same account is.
    assert of([("a", 60), ("a", 80)], {"a": (STAYS,)}).sent == Group(1, 0)


def test_alerts_outside_of_every_stay_and_of_strangers_say_nothing() -> None:
    outcomes = {"a": (left(10), left(40, since=30))}

    assert of([("a", 15)], outcomes).sent == Group(0, 0)
    assert of([("a", 31)], outcomes).sent == Group(1, 1)
    assert of([("stranger", 1)], outcomes).sent == Group(0, 0)
