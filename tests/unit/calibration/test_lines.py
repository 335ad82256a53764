"""What a line finds is counted as it is defined, and its alerts are those of the engine."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.calibration.lines import (
    Period,
    Terms,
    alerts_of,
    base_rate,
    count,
    quality,
)
from pulse.calibration.outcomes import Outcomes, Stay
from pulse.calibration.scores import NEVER, DayScores, Notebook
from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, FIRST_DAY
from pulse.engagement.line import Trigger
from pulse.model.time import parse_ts
from pulse.playback.lines import Lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

pytestmark = pytest.mark.long

EXAMPLE = Path(__file__).parents[3] / "examples" / "contributions"


def stayed(names: Iterable[str]) -> Outcomes:
    return {name: (Stay(None, None),) for name in names}


def noted(
    rows: Mapping[str, Sequence[float | None]], left: dict[str, int] | None = None
) -> DayScores:
    """Scores from day 100 on, and on which of these days accounts left (from 0)."""
    notebook = Notebook()
    for account_id, scores in rows.items():
        for day, score in enumerate(scores, 100):
            notebook.note(account_id, day, score, None)
    ends = {name: (Stay(None, (100 + day) * DAY_MS),) for name, day in (left or {}).items()}
    return notebook.scores(stayed(rows) | ends)


def alerts(scores: DayScores, enter: float, exit: float, dwell: int) -> list[tuple[str, int]]:
    found = alerts_of(scores, enter, exit, dwell)
    pairs = zip(found.stay, found.day, strict=True)
    return sorted((scores.ids[stay], int(day)) for stay, day in pairs)


def test_a_dip_is_no_alert_and_between_the_lines_nothing_turns() -> None:
    scores = noted({"a": [50, 39, 45, 39, 39, 39, 45, 39, 55, 55, 39, 39]})
    assert alerts(scores, 40, 50, 1) == [("a", 4), ("a", 11)]
    assert alerts(scores, 40, 50, 0) == [("a", 1), ("a", 10)]


def test_who_has_left_raises_no_alert() -> None:
    scores = noted({"a": [50, 50, 10, 10], "b": [50, 50, 10, 10]}, left={"a": 2})
    assert alerts(scores, 40, 50, 0) == [("b", 2)]


@given(
    st.lists(
        st.lists(st.none() | st.integers(0, 100).map(float), min_size=1, max_size=40),
        min_size=1,
        max_size=3,
    ),
    st.integers(10, 60),
    st.integers(1, 20),
    st.integers(0, 4),
)
def test_alerts_are_those_of_the_engines_trigger(
    rows: list[list[float | None]], enter: int, gap: int, dwell: int
) -> None:
    expected = []
    for name, row in zip("abc", rows, strict=False):
        trigger = Trigger()
        for day, score in enumerate(row):
            if score is None:
                trigger.turning_ms = Trigger().turning_ms
            elif trigger.follow(score, enter, enter + gap, dwell * DAY_MS, day * DAY_MS):
                expected += [(name, day)] * trigger.on
    scores = noted(dict(zip("abc", rows, strict=False)))
    assert alerts(scores, enter, enter + gap, dwell) == expected


def test_a_history_has_the_alerts_that_a_replay_gives() -> None:
    """The engine also looks at the moment a dwell ends, which may be a day before; and where an
    account has just begun to approach, it waits another dwell.
    """
    config = Config.load(EXAMPLE / "pulse.yaml")
    notebook = Notebook()
    replay = Replay(
        policy(config),
        lambda account, _, __, score: notebook.note(
            account.account_id, account.calendar.day - FIRST_DAY, score, None
        ),
    )
    replay.run(Script(Lines([str(EXAMPLE / "contributions.ndjson.gz")])))
    scores, line = notebook.scores(stayed(notebook.ids)), config.line
    dwell_days = math.ceil(line.dwell_ms / DAY_MS)
    simulated = {
        (name, scores.first_day + day)
        for name, day in alerts(scores, line.enter, line.exit, dwell_days)
    }
    fired = {
        (alert["account_id"], parse_ts(alert["at"]) // DAY_MS)
        for alert in map(json.loads, replay.alerts())
        if (alert["reason"], alert["status"]) == ("danger", "firing")
    }
    assert len(simulated) >= len(fired) > 500
    near = range(-1, dwell_days + 1)
    apart = [(n, day) for n, day in simulated if not {(n, day + each) for each in near} & fired]
    # A score that is above the line for some hours between two day starts begins its dwell again.
    assert len(apart) < len(fired) / 100


def test_right_wrong_and_not_judged() -> None:
    terms, low = Terms(5, 30), [90.0] + [10.0] * 99
    rows: dict[str, Sequence[float | None]] = {
        "in time": list(low),  # alert on day 1
        "too late": [90.0] * 38 + [10.0] * 62,
        "stays": list(low),
        "leaves after the horizon": list(low),
        "end is not known": [90.0] * 80 + [10.0] * 20,
        "never warned": [90.0] * 100,
    }
    left = {"in time": 20, "too late": 40, "leaves after the horizon": 60, "never warned": 50}
    scores, period = noted(rows, left), Period(0, 100, 100)
    counts = count(alerts_of(scores, 40, 50, 0), scores.churned, period, terms)
    assert counts.alerts.tolist() == [1, 1, 1, 1, 1, 0]
    assert counts.right.tolist() == [1, 0, 0, 0, 0, 0]
    assert counts.wrong.tolist() == [0, 0, 1, 1, 0, 0]
    assert counts.left.tolist() == [1, 1, 0, 1, 0, 1]
    assert counts.found.tolist() == [1, 0, 0, 0, 0, 0]
    assert counts.lead_days[0] == 19

    got = quality(counts, period, base_rate(scores, period, terms))
    assert got.precision == 1 / 3
    assert got.recall == 1 / 4
    assert math.isclose(got.f1, 2 / 7)
    assert math.isclose(got.alerts_a_week, 5 * 7 / 100)
    assert got.lead_days == 19


def test_the_earlier_part_does_not_know_what_came_later() -> None:
    terms = Terms(0, 30)
    scores = noted({"a": [90.0] + [10.0] * 99}, left={"a": 25})
    found = alerts_of(scores, 40, 50, 0)
    known_later = count(found, scores.churned, Period(0, 50, 100), terms)
    assert (known_later.right.sum(), known_later.left.sum()) == (1, 1)
    # On day 20 nobody knew it, and the alert's horizon was not over.
    known_then = count(found, scores.churned, Period(0, 20, 20), terms)
    assert (known_then.right.sum(), known_then.wrong.sum(), known_then.left.sum()) == (0, 0, 0)


def test_base_rate_is_the_precision_of_chance() -> None:
    terms = Terms(0, 10)
    scores = noted({"a": [50.0] * 100, "b": [50.0] * 100}, left={"a": 80})
    period = Period(0, 90, 100)
    # Days 0 to 89 can be judged; `a` has 80 of them before it left, and the last 10 count.
    assert math.isclose(base_rate(scores, period, terms), 10 / 170)
    assert math.isnan(base_rate(scores, Period(95, 100, 100), terms))


def test_segments_are_apart_and_as_they_were_then() -> None:
    notebook = Notebook()
    for day in (100, 101, 102):
        for name, segment in (("a", "smb"), ("b", "big"), ("c", "smb"), ("d", "new")):
            # What a profile says after the account has left, or after the split, nobody knew.
            later = {"c": "lost", "d": "smb"}.get(name, segment) if day == 102 else segment
            notebook.note(name, day, 50.0, later)
    outcomes = stayed("abcd") | {"c": (Stay(None, 102 * DAY_MS),)}
    scores = notebook.scores(outcomes, split_day=101)
    assert dict(zip(scores.ids, scores.segments, strict=True)) == {
        "a": "smb", "b": "big", "c": "smb", "d": "new",
    }  # fmt: skip
    part = scores.of_segments(lambda name: name == "smb")
    assert part.ids == ["a", "c"]
    assert part.churned.tolist() == [NEVER, 2]
    assert np.isfinite(part.table).tolist() == [[True, True], [True, True], [True, False]]


def test_who_is_not_in_the_outcomes_is_left_out_and_what_was_before_a_start_too() -> None:
    notebook = Notebook(("use",), sample_days=1)
    for day in range(100, 104):
        for name in ("trial", "acme"):
            notebook.note(name, day, 50.0, None, lambda: {"use": 0.5})
    scores = notebook.scores({"acme": (Stay(102 * DAY_MS, None),), "gone": (Stay(None, None),)})
    assert scores.ids == ["acme"]
    assert np.isfinite(scores.table[:, 0]).tolist() == [False, False, True, True]
    assert scores.samples.day.tolist() == [2, 3]
    assert set(scores.samples.stay.tolist()) == {0}


def test_an_account_that_came_back_has_several_stays() -> None:
    notebook = Notebook(("use",), sample_days=1)
    row = [90.0, 10.0, 10.0, 10.0, 10.0, 10.0, 90.0, 10.0]
    for day, score in enumerate(row, 100):
        for name in ("first", "acme", "last"):
            notebook.note(name, day, score, None, lambda: {"use": 0.5})
    back = (Stay(None, 103 * DAY_MS), Stay(105 * DAY_MS, 108 * DAY_MS))
    scores = notebook.scores(stayed(["first", "last"]) | {"acme": back})
    assert scores.ids == ["first", "acme", "acme", "last"]
    assert scores.accounts.tolist() == [0, 1, 1, 2]
    assert scores.churned.tolist() == [NEVER, 3, 8, NEVER]
    # A day belongs to the stay that it is in, and those between two stays to none.
    assert np.isfinite(scores.table[:, 1]).tolist() == [True] * 3 + [False] * 5
    assert np.isfinite(scores.table[:, 2]).tolist() == [False] * 5 + [True] * 3
    assert [scores.samples.day[scores.samples.stay == column].tolist() for column in range(4)] == [
        [*range(8)],
        [0, 1, 2],
        [5, 6, 7],
        [*range(8)],
    ]
    # Who comes back begins anew: its second stay has an alert of its own.
    found = alerts_of(scores, 40, 50, 0)
    pairs = sorted(zip(found.stay.tolist(), found.day.tolist(), strict=True))
    assert pairs == [(0, 1), (0, 7), (1, 1), (2, 5), (2, 7), (3, 1), (3, 7)]
    counts = count(found, scores.churned, Period(0, 8, 8), Terms(1, 3))
    # The second leaving is on day 8, of which nothing is known.
    assert (counts.left.tolist(), counts.lead_days[1]) == ([0, 1, 0, 0], 2)
