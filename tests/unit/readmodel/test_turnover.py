"""Who came and who left, against a naive recount of sets."""

from __future__ import annotations

import random

import pytest

from pulse.engagement.distinct import FORGOTTEN, LastSeen
from pulse.readmodel.turnover import MOST_HERE, MOST_LEFT, turnover

TODAY = 740_000


def seen_in(visits: list[tuple[str, int]], limit: int = 10_000) -> LastSeen:
    found = LastSeen(limit)
    for name, day in visits:
        found.touch(name, day, TODAY)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_it_equals_a_recount_of_who_was_there_in_each_of_the_two_windows(seed: int) -> None:
    pick = random.Random(seed)
    visits = sorted(
        ((f"u{pick.randrange(60)}", TODAY - pick.randrange(84)) for _ in range(150)),
        key=lambda visit: visit[1],
    )
    now = {name for name, day in visits if day >= TODAY - 28}
    before = {name for name, day in visits if TODAY - 56 <= day < TODAY - 28}

    found = turnover(seen_in(visits), TODAY, len(before))

    assert found["here"] == len(now)
    assert found["left"] == len(before - now)
    assert found["came"] == len(now - before)
    assert {each["name"] for each in found["left_names"]} <= before - now
    assert len(found["left_names"]) == min(len(before - now), MOST_LEFT)
    assert len(found["here_names"]) == min(len(now), MOST_HERE)


def test_those_with_the_most_use_are_named_with_their_share() -> None:
    visits = [(f"u{n}", TODAY - 40) for n in range(20) for _ in range(n + 1)]

    names = turnover(seen_in(visits), TODAY, 20)["left_names"]

    assert [each["name"] for each in names] == [f"u{n}" for n in range(19, 19 - MOST_LEFT, -1)]
    assert names[0]["share"] == round(20 / 210, 3)
    assert names[0]["last_seen"] == "2026-12-10"


def test_whose_name_was_forgotten_is_counted_and_not_named() -> None:
    seen = seen_in([("ada", TODAY - 40), ("bob", TODAY - 40)])
    seen.forget("ada")

    found = turnover(seen, TODAY, 2)

    assert (found["left"], [each["name"] for each in found["left_names"]]) == (2, ["bob"])
    assert FORGOTTEN not in str(found)


def test_how_many_came_is_not_known_of_a_short_past() -> None:
    assert turnover(seen_in([("ada", TODAY)]), TODAY, None)["came"] is None


def test_of_very_many_it_is_an_estimate() -> None:
    visits = [(f"u{n}", TODAY - (40 if n % 2 else 3)) for n in range(4_000)]

    found = turnover(seen_in(visits, limit=500), TODAY, 2_000)

    assert 1_600 < found["left"] < 2_400
    assert 1_600 < found["here"] < 2_400


def test_nobody_is_nobody() -> None:
    assert turnover(LastSeen(10), TODAY, 0) == {
        "here": 0, "left": 0, "came": 0, "here_names": [], "left_names": [],
    }  # fmt: skip
