"""The picture of an account's days: what is drawn where."""

from __future__ import annotations

import re
from datetime import date, timedelta
from itertools import pairwise

import pytest

from pulse.engagement.forecast import Crossing
from pulse.web.pages.about.axis import Axes, Size
from pulse.web.pages.about.chart import NARROW, WIDE, Fired, Now, chart
from pulse.web.pages.about.weeks import groups

from .days import FIRST, day

SIZE = Size(1_000, 200, 0, 0, 0, 100, 50)
"""A plot of 1,000 by 100 pixels: a point of the score is a pixel."""
START = FIRST.toordinal()


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)]


def test_a_score_is_drawn_where_its_day_and_its_height_are() -> None:
    drawn = chart([day(n, float(n)) for n in range(100)], [], size=SIZE)

    assert points(drawn.score)[0] == (0.0, 100.0)
    assert points(drawn.score)[50] == (500.0, 50.0)
    assert (drawn.top, drawn.bottom, drawn.right) == (0.0, 100.0, 1000.0)


def test_the_line_is_drawn_as_it_was_on_each_day() -> None:
    days = [day(n, line=35.0 if n < 50 else 40.0) for n in range(100)]
    drawn = chart(days, [], size=SIZE)

    assert points(drawn.line) == [(0.0, 65.0), (500.0, 65.0), (500.0, 60.0), (1000.0, 60.0)]
    assert drawn.line_says == "line 40"
    assert "the line was moved once" in drawn.says


def test_the_zones_are_shaded_by_that_line_and_leave_nothing_between_them() -> None:
    days = [
        day(n, line=35.0 if n < 50 else 40.0, approach=50.0 if n < 70 else 55.0) for n in range(100)
    ]
    drawn = chart(days, [], size=SIZE)
    danger, approaching, healthy = map(points, (drawn.danger, drawn.approaching, drawn.healthy))

    assert danger[-2:] == [(1000.0, 100.0), (0.0, 100.0)]
    assert healthy[-2:] == [(1000.0, 0.0), (0.0, 0.0)]
    # What lies between has the border of each.
    assert approaching == [*healthy[:-2], *reversed(danger[:-2])]


def test_a_day_without_a_score_and_days_that_are_missing_are_gaps() -> None:
    days = [day(n, None if n == 20 else 50.0) for n in range(60) if not 40 <= n < 45]
    runs = chart(days, [], size=SIZE).score.split(" M")

    assert len(runs) == 3
    assert [len(points(f"M{each.removeprefix('M')}")) for each in runs] == [20, 19, 15]


def test_a_single_day_can_be_seen() -> None:
    (run,) = chart([day(0)], [], size=SIZE).score.split(" ", maxsplit=0)

    assert len(points(run)) == 2


def test_it_never_leaves_its_plot_whatever_the_scores() -> None:
    days = [day(n, score, line=-5.0, approach=140.0) for n, score in enumerate((-3.0, 104.0))]
    drawn = chart(days, [], size=SIZE, now=Now(START + 1.5, 120.0))

    for path in (drawn.score, drawn.line, drawn.danger, drawn.healthy, drawn.approaching):
        assert all(0 <= x <= 1000 and 0 <= y <= 100 for x, y in points(path)), path


def test_a_short_history_is_drawn_over_four_weeks() -> None:
    drawn = chart([day(n) for n in range(5)], [], size=SIZE)

    assert points(drawn.score)[0][0] == pytest.approx(23 / 28 * 1000, abs=1)


# -- alerts ----------------------------------------------------------------------------------------


def test_alerts_are_marked_where_they_fired_at_the_score_of_their_day() -> None:
    days = [day(n, 80.0 if n < 50 else 30.0) for n in range(100)]
    fired = [Fired(START + 60, "danger", "danger"), Fired(START + 20, "silence", "silence")]
    silent, danger = chart(days, fired, size=SIZE).marks

    assert (silent.x, silent.y, silent.kind) == (200.0, 20.0, "signal")
    assert (danger.x, danger.y, danger.kind) == (600.0, 70.0, "danger")


def test_alerts_too_near_to_each_other_are_one_mark_of_the_worst_kind() -> None:
    days = [day(n) for n in range(365)]
    alerts = ((100, "usage_drop"), (101, "danger"), (102, "silence"), (200, "approaching"))
    fired = [Fired(START + at, kind, f"{kind} {at}") for at, kind in alerts]
    first, second = chart(days, fired, size=SIZE).marks

    assert (first.kind, first.many) == ("danger", 3)
    assert first.says == "usage_drop 100; danger 101; silence 102"
    assert (second.kind, second.many) == ("approaching", 1)


def test_what_is_outside_of_what_is_drawn_has_no_mark() -> None:
    days = [day(n) for n in range(30, 60)]
    fired = [Fired(START + at, "danger", "") for at in (10, 400)]

    assert chart(days, fired, size=SIZE).marks == []


# -- what is projected -----------------------------------------------------------------------------


def test_a_crossing_is_dashed_from_now_to_the_line_with_its_uncertainty() -> None:
    days = [day(n, 80.0 - n) for n in range(28)]
    now = Now(START + 27.5, 53.0)
    crossing = Crossing(days=10.0, soonest=8.0, latest=13.0, slope=-1.0)
    drawn = chart(days, [], size=SIZE, now=now, crossing=crossing)
    axes = Axes(SIZE, START, START + 27 + 13.0 + 1.0)

    assert drawn.ahead is not None
    assert points(drawn.ahead.path) == [
        (axes.x(START + 27.5), 47.0),
        (axes.x(START + 37), 60.0),
    ]
    assert drawn.ahead.soonest == axes.x(START + 35)
    assert drawn.ahead.latest == axes.x(START + 40)
    assert drawn.now_x == axes.x(START + 27.5) < drawn.right
    assert "projected to cross it in 10 days" in drawn.says


def test_a_crossing_that_is_far_away_ends_at_the_edge() -> None:
    days = [day(n) for n in range(28)]
    drawn = chart(days, [], size=SIZE, crossing=Crossing(27.0, 20.0, 90.0, -1.0))

    assert drawn.ahead is not None
    assert drawn.ahead.latest == drawn.right == 1000.0


def test_nothing_goes_back_in_time() -> None:
    # The account's day begins before that of UTC, and it crosses before what is drawn as now.
    days = [day(n, 80.0 - n) for n in range(28)]
    drawn = chart(
        days, [], size=SIZE, now=Now(START + 26.6, 50.0), crossing=Crossing(0.0, 0.0, 0.0, -1.0)
    )

    for path in [drawn.score, *([drawn.ahead.path] if drawn.ahead else [])]:
        at = [x for x, _ in points(path)]
        assert at == sorted(at)
    assert drawn.ahead is not None
    assert drawn.end is not None
    assert drawn.end[0] == drawn.now_x


def test_without_a_projection_nothing_is_drawn_ahead() -> None:
    drawn = chart([day(n) for n in range(28)], [], size=SIZE, now=Now(START + 27.9, 70.0))

    assert drawn.ahead is None
    assert drawn.end == (drawn.now_x, 30.0, "70")


# -- the strip, the axes, the words ----------------------------------------------------------------


def test_the_strip_has_the_zone_of_each_day_and_a_gap_where_nothing_is_known() -> None:
    zones = ["healthy"] * 10 + ["approaching"] * 5 + ["danger"] * 15
    days = [day(n, zone=zone) for n, zone in enumerate(zones) if not 20 <= n < 25]
    ribbon = chart(days, [], size=SIZE).ribbon

    assert [part.zone for part in ribbon] == ["healthy", "approaching", "danger", "danger"]
    scale = 1000 / 30
    assert [round(part.width / scale) for part in ribbon] == [10, 5, 5, 5]


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("many", [28, 90, 365])
def test_labels_of_days_do_not_run_into_each_other(size: Size, many: int) -> None:
    axes = Axes(size, START, START + many)
    said = [tick for tick in axes.days() if tick.words]

    assert 3 <= len(said) <= 14
    assert all(b.at - a.at >= size.between_labels for a, b in pairwise(said))
    assert all(size.left <= tick.at <= axes.right for tick in said)


def test_a_year_is_marked_by_months_and_where_a_year_begins() -> None:
    axes = Axes(Size(2_000, 100, 0, 0, 0, 0, 50), date(2025, 3, 3).toordinal(), START + 80)
    words = [tick.words for tick in axes.days()]

    assert words == ["Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec", "2026", "Feb",
                     "Mar"]  # fmt: skip


def test_few_days_are_marked_by_their_mondays() -> None:
    axes = Axes(Size(2_000, 100, 0, 0, 0, 0, 50), START, START + 28)

    assert [tick.words for tick in axes.days()] == ["5 Jan", "12 Jan", "19 Jan", "26 Jan"]


def test_many_days_are_told_by_weeks_of_which_the_last_is_whole() -> None:
    days = [day(n) for n in range(365)]
    weeks = groups(days)

    assert (len(weeks), len(weeks[0]), len(weeks[-1])) == (53, 1, 7)
    assert weeks[-1][-1] == days[-1]
    assert len(groups(days[-90:])) == 90
    assert groups([]) == []


def test_who_does_not_see_it_is_told_the_same() -> None:
    days = [day(n, 80.0 - n, zone="danger" if n > 40 else "healthy") for n in range(50)]
    drawn = chart(days, [], size=SIZE, now=Now(START + 49.5, 30.6))
    last = FIRST + timedelta(49)

    assert drawn.says.startswith(
        f"Score from 1 January 2026 to {last.day} February 2026: between 31 and 80, now 31; "
        "danger line at 40; in danger on 9 of 50 days."
    )
    assert drawn.tips[3].says == "4 January 2026: score 77.0, line 40, healthy"
