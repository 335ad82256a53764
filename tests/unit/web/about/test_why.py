"""Why an account has its score, in sentences."""

from __future__ import annotations

from typing import Any

import pytest

from pulse.config.scoring import DEFAULT_SCORECARD
from pulse.engagement.forecast import Crossing
from pulse.web.pages.about.measured import Row, rows
from pulse.web.pages.about.why import crosses, why

from .days import day

NBSP = "\N{NO-BREAK SPACE}"


def over(number: float) -> dict[str, float]:
    return {"7d": number, "28d": number, "84d": number}


def measures(users: int, days: int, recency: float | None = 0.5) -> dict[str, Any]:
    return {
        "events": over(100), "value": over(100), "active_users": over(users),
        "features": over(5), "active_days": over(days), "recency_days": recency,
    }  # fmt: skip


def document(**changes: Any) -> dict[str, Any]:
    return {
        "as_of": "2026-03-02T12:00:00Z",
        "lifecycle": "current",
        "zone": "danger",
        "score": 31.2,
        "line": {"enter": 40.0, "exit": 50.0, "approach": 55.0},
        "since": "2026-02-20T00:00:00Z",
        "contributions": {"active_users": 6.0, "active_days": 25.0},
        "out_of": {"active_users": 30.0, "active_days": 25.0},
        "measures": measures(7, 12),
        "then": {"score": 60.0, "measures": measures(14, 12)},
        "profile": {"seats": 40},
        **changes,
    }


def said(**changes: Any) -> list[str]:
    found = document(**changes)
    return why(found, rows(found, DEFAULT_SCORECARD, []))


def test_it_says_where_it_stands_and_what_it_was() -> None:
    assert said()[:3] == [
        "The score is 31.2 of 100, 8.8 below the danger line at 40; from 50 on it is out of "
        "danger.",
        "It has been in danger for 10 days, since 20 February 2026.",
        "28 days ago it was 60.0: it fell by 28.8.",
    ]


def test_it_names_the_measures_that_lack_points_with_then_and_what_they_need() -> None:
    assert said()[3] == (
        "Active users bring 6.0 of 30.0 points: 7 in 28 days, against 14 four weeks before "
        f"(50{NBSP}% less); all of them need 32 (0.8 a seat)."
    )
    assert not any(each.startswith("Active days") for each in said())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"zone": "unknown"}, "It is not judged"),
        ({"score": None}, "It has no score: nothing could be measured."),
        ({"lifecycle": "churned"}, "It has left: nothing is raised about it any more."),
        ({"zone": "approaching", "score": 47.0},
         "The score is 47.0 of 100, 7.0 above the danger line at 40; below 55 an account "
         "approaches it."),
        ({"then": None}, "What it was 28 days ago is not known: its past is too short."),
        ({"score": 60.0, "zone": "healthy"}, "28 days ago it was the same, 60.0."),
        ({"score": 70.0, "zone": "healthy"}, "28 days ago it was 60.0: it rose by 10.0."),
        ({"since": "2026-03-02T01:00:00Z"}, "It has been in danger since today."),
        ({"since": "2026-03-01T01:00:00Z"}, "It has been in danger for 1 day, since 1 March 2026."),
        ({"measures": measures(7, 12, 2.4)}, "Nobody has used it for 2.4 days."),
        ({"measures": measures(0, 0, None)}, "It was never used."),
        ({"contributions": {"active_users": 30.0, "active_days": 25.0}},
         "Every measure brings all of its points."),
        ({"measures": measures(14, 12)}, "7 in 28 days, about as four weeks before (14)"),
    ],
)  # fmt: skip
def test_each_state_is_told(changes: dict[str, Any], words: str) -> None:
    if "about as" in words:
        words = "14 in 28 days, about as four weeks before (14)"
    assert any(words in each for each in said(**changes)), said(**changes)


def turned(left: int, came: int | None, here: int, *names: str) -> dict[str, Any]:
    of = {"left": left, "came": came, "here": here, "here_names": [],
          "left_names": [{"name": name} for name in names]}  # fmt: skip
    return {"turnover": {"active_users": of}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (turned(9, 2, 7, "ada", "bob"),
         "9 of 14 users of the 28 days before have not been seen since: ada, bob and 7 more; "
         "2 new."),
        (turned(1, 0, 3, "ada"),
         "1 of 4 users of the 28 days before has not been seen since: ada; no new one came."),
        (turned(2, None, 3), "2 users of the 28 days before have not been seen since."),
    ],
)  # fmt: skip
def test_who_left_is_named_and_who_came_counted(changes: dict[str, Any], words: str) -> None:
    assert words in said(**changes)


def test_nobody_who_left_is_no_sentence() -> None:
    assert not any("not been seen" in each for each in said(**turned(0, 2, 5)))


def test_the_year_and_the_line_that_moved_are_told() -> None:
    days = [day(n, 80.0 - n, zone="danger" if n >= 45 else "healthy", line=35.0 if n < 9 else 40.0)
            for n in range(50)]  # fmt: skip

    assert why(document(), [], days)[-2:] == [
        "In the 50 days since 1 January 2026 it was between 31 and 80, and in danger on 5 of them.",
        "The line itself was moved on 10 January 2026, from 35 to 40.",
    ]
    assert why(document(), [], days[:40])[-2].endswith("and never in danger.")


def test_a_measure_of_another_scorecard_is_told_by_its_points() -> None:
    row = Row("logins", "", None, None, 1.0, 9.0, "", 0.0, "", is_share=False)

    assert "Logins bring 1.0 of 9.0 points." in why(document(), [row])


def test_measures_that_lack_most_come_first_and_those_without_points_last() -> None:
    found = rows(document(), DEFAULT_SCORECARD, [day(n, active_users=n) for n in range(30)])

    assert [row.words for row in found] == ["active users", "active days", "features", "events"]
    assert [row.of for row in found] == [30.0, 25.0, None, None]
    assert (found[0].then, found[0].now, found[0].change) == (14, 7, -0.5)
    assert found[0].full == "32 (0.8 a seat)"
    assert found[0].spark.startswith("M1.0 22.0L")  # it rose from nothing …
    assert found[0].spark.endswith("L95.0 2.0")  # … to its most
    assert found[2].full == ""


@pytest.mark.parametrize(
    ("crossing", "words"),
    [
        (Crossing(0.3, 0.2, 0.6, -2.0), "below the line any day now (90 % sure: between 1 January"),
        (Crossing(1.0, 0.8, 2.0, -2.0), "in 1 day, on 2 January (90 %"),
        (Crossing(12.0, 9.0, 400.0, -0.1), "between 10 January and 5 February 2027)."),
        (Crossing(12.0, 9.0, 1e12, -0.1), "and 30 December 2035)."),
    ],
)
def test_a_crossing_is_said_however_uncertain(crossing: Crossing, words: str) -> None:
    assert words in crosses(day(0), crossing)
