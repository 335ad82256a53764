"""Stories of holidays: nobody falls on them, nobody is missed on them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from .story import Story, at

# -- windows in which hardly anybody works --------------------------------------------------------


def closed_for(days: int, scorecard: list[dict[str, Any]] | None = None, **profile: Any) -> Story:
    """Mondays to Fridays for fourteen weeks, then holidays from a Monday on, then as before."""
    off = range(98, 98 + days)
    dates = [(date(2024, 1, 1) + timedelta(days=day)).isoformat() for day in off]
    by_age = [{"from_days": 1, "below": 0.5}]
    settings: dict[str, Any] = {
        "holidays": [{"days": dates}], "signals": {"unused_seats": {"by_age": by_age}},
    }  # fmt: skip
    if scorecard is not None:
        settings["scorecard"] = scorecard
    story = Story(settings)
    if profile:
        story.know(at(0), **profile)
    story.live(0, 98 + days + 40, worked=lambda day: day % 7 < 5 and day not in off, times=2)
    return story


WEEK = [
    [
        {"measure": "active_days", "window": "7d", "weight": 60, "target": 5},
        {"measure": "active_users", "window": "7d", "weight": 40, "target": 3},
    ],
    [{"measure": "events", "window": "7d", "weight": 100, "target": {"of_baseline": 1.0}}],
    [
        {"measure": "trend", "weight": 90, "target": 1.0},
        {"measure": "recency_days", "weight": 10, "floor": 21, "target": 0},
    ],
]


@pytest.mark.parametrize("scorecard", WEEK)
@pytest.mark.parametrize("days", [1, 2, 3, 4, 5, 8])
def test_a_week_of_holidays_raises_nothing_by_windows_of_a_week(
    days: int, scorecard: list[dict[str, Any]]
) -> None:
    assert closed_for(days, scorecard).alerts() == []


@pytest.mark.parametrize("days", [5, 14, 16, 21, 28, 42])
@pytest.mark.parametrize("profile", [{}, {"seats": 5}])
def test_weeks_of_holidays_raise_nothing(days: int, profile: dict[str, Any]) -> None:
    assert closed_for(days, **profile).alerts() == []


def test_a_window_of_holidays_has_no_data_and_leaves_the_zone_as_it_was() -> None:
    """In danger before, for sure: it is neither said that it recovers nor that it falls again."""
    off = range(126, 126 + 35)
    dates = [(date(2024, 1, 1) + timedelta(days=day)).isoformat() for day in off]
    story = Story({"holidays": [{"days": dates}]})
    story.live(0, 90)
    story.live(90, 126, worked=lambda day: day % 14 == 0)
    before = [said for said in story.told() if said[0] == "danger"]
    assert [said[1] for said in before] == ["firing"]
    story.live(126, 150, worked=lambda _: False)
    assert story.play.status("acme")["zone"] == "unknown"
    assert story.play.status("acme")["score"] is None
    story.live(150, 164, worked=lambda day: day % 14 == 0 and day not in off)
    assert [said for said in story.told() if said[0] == "danger"] == before
    story.live(164, 182)
    assert [said[1] for said in story.told("danger")] == ["firing", "recovered"]


def test_recency_does_not_count_holidays() -> None:
    scorecard = [
        {"measure": "recency_days", "weight": 100, "floor": 21, "target": 0},
        {"measure": "active_days", "window": "84d", "weight": 1, "target": 1},
    ]
    story = closed_for(21, scorecard)
    assert story.alerts() == []
    acme = story.play.state.account("acme")
    today = acme.calendar.day
    scores = [acme.notes.score_on(today - back, today) for back in range(80)]
    assert min(score for score in scores if score is not None) > 85


# -- who was not seen -----------------------------------------------------------------------------


def away(first: int, days: int, until: int, feature: str = "list") -> Story:
    """Ada, who does most, is away from a day on, of which so many are holidays; bob looks in."""
    off = range(first, first + days)
    dates = [(date(2024, 1, 1) + timedelta(days=day)).isoformat() for day in off]
    story = Story({"holidays": [{"days": dates}]} if days else None)
    for day in range(until):
        if day % 7 < 5:
            if day < first:
                story.use(at(day) + 32_400_000, "ada", feature, times=5)
            if day not in off or day % 3 == 0:
                story.use(at(day) + 36_000_000, "bob")
        story.tick(at(day + 1) + 2_000)
    return story


def test_a_champion_is_not_missed_on_holidays() -> None:
    assert away(98, 15, 98 + 15 + 11).alerts("champion_gone") == []
    # Last seen on Friday, the 95th day; fourteen days later, but for fifteen holidays.
    assert [said[2] for said in away(98, 0, 125).told("champion_gone")] == [at(98 - 2 + 14)]
    assert [said[2] for said in away(98, 15, 125).told("champion_gone")] == [at(98 - 2 + 14 + 15)]


def test_a_feature_is_not_missed_on_holidays() -> None:
    (told,) = away(98, 0, 150, "map").alerts("feature_abandoned")
    assert told.at == at(98 - 2 + 28)
    (told,) = away(98, 13, 150, "map").alerts("feature_abandoned")
    assert told.at == at(98 - 2 + 28 + 13)


def test_seats_are_not_given_back_on_holidays() -> None:
    off = range(98, 126)
    dates = [(date(2024, 1, 1) + timedelta(days=day)).isoformat() for day in off]
    story = Story({"holidays": [{"days": dates}]})
    story.know(at(0), seats=5)
    users = ["a", "b", "c", "d", "e"]
    story.live(0, 140, users=users, worked=lambda day: day % 7 < 5 and day not in off)
    assert [said[1] for said in story.told("outgrows_seats")] == ["firing"]
