"""A made-up fleet in which it is known which line is right."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pulse.calibration.choice import (
    LEAST_CHURNED,
    Objective,
    Shape,
    choose,
    quartile_of,
    split_periods,
)
from pulse.calibration.linefile import line_of
from pulse.calibration.lines import Terms
from pulse.calibration.outcomes import Outcomes, Stay
from pulse.calibration.scores import DayScores, Notebook
from pulse.calibration.weights import auc, propose
from pulse.cli.calibrate_words import choice_in_words
from pulse.engagement.days import DAY_MS
from pulse.errors import PulseError

DAYS, SPLIT = 400, 260
TERMS, SHAPE = Terms(7, 60), Shape(10, 1)


@cache
def fleet(leaving: int = 120, staying: int = 200) -> DayScores:
    """Who leaves falls to a score about 20 forty days before. Who stays wanders about 55, and dips
    to about 40 now and then.
    """
    chance = random.Random(3)
    notebook = Notebook(("use", "noise", "against"))
    outcomes: Outcomes = {}
    for number in range(leaving + staying):
        name, leaves = f"a{number}", number < leaving
        end = chance.randrange(60, DAYS) if leaves else DAYS
        dip = chance.randrange(DAYS)
        for day in range(end):
            usual = 40.0 if 0 <= day - dip < 10 else 55.0
            mean = 20.0 if leaves and end - day < 40 else usual
            score = chance.gauss(mean, 2.0)
            shares = {
                "use": score / 100,
                "noise": chance.random(),
                "against": 1 - chance.gauss(mean, 30) / 100,
            }
            notebook.note(name, day, score, None, shares.copy)
        outcomes[name] = (Stay(0, end * DAY_MS if leaves else None),)
    return notebook.scores(outcomes)


def test_the_line_lies_between_those_who_leave_and_those_who_dip() -> None:
    choice = choose(fleet(), SHAPE, Objective(), split=SPLIT, terms=TERMS, warm_up=50)
    assert choice.reason == "objective"
    assert 20 < choice.enter < 38
    assert choice.enter in SHAPE.enters()
    low, high = choice.enter_interval or (0, 0)
    assert low <= choice.enter <= high
    later = choice.chosen.later
    assert later.precision > 0.9
    assert later.recall > 0.9
    assert 30 < later.lead_days <= 40
    assert later.lift > 3
    low, high = choice.precision_interval or (0, 0)
    assert low <= later.precision <= high


def test_higher_lines_find_dips_too() -> None:
    choice = choose(fleet(), SHAPE, Objective(), split=SPLIT, terms=TERMS)
    at = {each.enter: each.earlier for each in choice.candidates}
    assert at[45.0].precision < 0.5 < at[choice.enter].precision
    assert at[45.0].alerts_a_week > 2 * at[choice.enter].alerts_a_week


def test_capacity_bounds_the_alerts() -> None:
    free = choose(fleet(), SHAPE, Objective("capacity", 1e6), split=SPLIT, terms=TERMS)
    tight = choose(fleet(), SHAPE, Objective("capacity", 1.0), split=SPLIT, terms=TERMS)
    assert tight.chosen.earlier.alerts_a_week <= 1.0 < free.chosen.earlier.alerts_a_week
    assert tight.enter < free.enter


@pytest.mark.parametrize("kind", ["precision", "recall"])
def test_a_bound_is_met_or_said(kind: Literal["precision", "recall"]) -> None:
    met = choose(fleet(), SHAPE, Objective(kind, 0.8), split=SPLIT, terms=TERMS)
    assert met.reason == "objective"
    assert getattr(met.chosen.earlier, kind) >= 0.8
    never = choose(fleet(), SHAPE, Objective(kind, 1.01), split=SPLIT, terms=TERMS)
    assert never.reason == "no line meets the objective"
    assert never.enter == pytest.approx(quartile_of(fleet(), SPLIT))


def test_with_few_that_left_it_is_the_bottom_quartile() -> None:
    few = fleet(LEAST_CHURNED - 1, 60)
    choice = choose(few, SHAPE, Objective(), split=SPLIT, terms=TERMS)
    assert choice.reason == "too few churned"
    assert choice.churned[0] < LEAST_CHURNED
    week = (few.table[SPLIT - 7 : SPLIT, n] for n in range(len(few.ids)))
    judged = [each[np.isfinite(each)][-1:] for each in week]
    stayed = few.churned >= SPLIT
    last = [each[0] for each, stays in zip(judged, stayed, strict=True) if stays and len(each)]
    assert choice.enter == pytest.approx(float(np.quantile(last, 0.25)), abs=1e-4)


def test_what_came_later_changes_no_choice() -> None:
    """Frozen on the earlier part: another later part, the same line and interval."""
    scores = fleet()
    table = scores.table.copy()
    table[SPLIT:] = 50.0
    churned = np.where(scores.churned < SPLIT, scores.churned, 1 << 30).astype(np.int32)
    other = replace(scores, table=table, churned=churned)
    first, second = (
        choose(each, SHAPE, Objective(), split=SPLIT, terms=TERMS) for each in (scores, other)
    )
    assert (first.enter, first.enter_interval) == (second.enter, second.enter_interval)
    earlier = [[repr(each.earlier) for each in one.candidates] for one in (first, second)]
    assert earlier[0] == earlier[1]


def test_weights_follow_what_tells_and_no_sign_is_against_all_sense() -> None:
    earlier, later = split_periods(DAYS, SPLIT, 50)
    present = {"use": 10.0, "noise": 60.0, "against": 30.0}
    proposal = propose(fleet(), present, earlier, later, TERMS)
    assert proposal is not None
    assert "against" in proposal.turned
    assert "use" not in proposal.turned
    assert proposal.weights["use"] > 80
    assert proposal.weights["against"] == 0
    assert proposal.then.value > proposal.now.value + 0.1
    gain = proposal.gain
    assert gain is not None
    assert 0 < gain.low < proposal.then.value - proposal.now.value < gain.high


def test_no_weights_where_nobody_left() -> None:
    earlier, later = split_periods(DAYS, SPLIT, 50)
    stayed = fleet(0, 60)
    assert propose(stayed, {"use": 1, "noise": 1, "against": 1}, earlier, later, TERMS) is None


def test_weights_need_twenty_that_left() -> None:
    earlier, later = split_periods(DAYS, SPLIT, 50)
    few = fleet(LEAST_CHURNED - 1, 60)
    assert propose(few, {"use": 1, "noise": 1, "against": 1}, earlier, later, TERMS) is None


def test_a_measure_without_data_keeps_its_weight() -> None:
    earlier, later = split_periods(DAYS, SPLIT, 50)
    shares = fleet().samples.shares.copy()
    shares[:, 1] = np.nan
    blind = replace(fleet(), samples=replace(fleet().samples, shares=shares))
    present = {"use": 10.0, "noise": 30.0, "against": 60.0}
    proposal = propose(blind, present, earlier, later, TERMS)
    assert proposal is not None
    assert proposal.without_data == ("noise",)
    assert proposal.weights["noise"] == 30.0
    assert sum(proposal.weights.values()) == pytest.approx(100, abs=0.2)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1, max_size=30))
def test_the_area_under_the_curve_is_that_of_scikit_learn(days: list[tuple[bool, int]]) -> None:
    leaves, score = np.array(days).T
    found = auc(leaves.astype(bool), score / 7)
    if len(set(leaves)) == 2:
        assert found == pytest.approx(roc_auc_score(leaves, -score), abs=1e-12)
    else:
        assert math.isnan(found)


def test_lines_for_which_there_is_no_room_are_not_tried() -> None:
    wide = Shape(60, 0)
    assert wide.enters()[-1] == 39.0
    assert line_of(39.0, 60, 15) == {"enter": 39.0, "exit": 99.0, "approach": 40.0}
    choice = choose(fleet(LEAST_CHURNED - 1, 60), wide, Objective(), split=SPLIT, terms=TERMS)
    assert choice.enter == 39.0  # the quartile is above
    with pytest.raises(PulseError, match="leave no room for a line"):
        Shape(98, 0).enters()


def test_where_nobody_is_judged_there_is_no_line() -> None:
    scores = fleet(LEAST_CHURNED - 1, 60)
    nobody = replace(scores, table=np.full_like(scores.table, np.nan))
    with pytest.raises(PulseError, match="no account was judged in the week before the split"):
        choose(nobody, SHAPE, Objective(), split=SPLIT, terms=TERMS)


def test_what_is_known_ends_before_the_history_does() -> None:
    until = DAYS - 50
    choice = choose(fleet(), SHAPE, Objective(), split=SPLIT, terms=TERMS, known_until=until)
    churned = fleet().churned
    assert choice.churned[1] == ((churned >= SPLIT) & (churned < until)).sum()
    _, later = split_periods(DAYS, SPLIT, 0, until)
    assert later == (SPLIT, until, until)
    # Outcomes may also know more than the history: alerts to its end can be judged.
    assert split_periods(DAYS, SPLIT, 0, DAYS + 99)[1] == (SPLIT, DAYS, DAYS + 99)


def test_stays_of_one_account_are_drawn_together() -> None:
    """Each account twice, one after the other: as many accounts, twice the leavings."""
    notebook, outcomes = Notebook(), dict[str, tuple[Stay, ...]]()
    for number in range(40):
        stays = []
        for begin in (0, 130):
            end = begin + 60 + number
            for day in range(begin, end):
                score = 20.0 if end - day < 20 else 60.0
                notebook.note(f"a{number}", day, score, None)
            stays.append(Stay(begin * DAY_MS, end * DAY_MS))
        outcomes[f"a{number}"] = tuple(stays)
    scores = notebook.scores(outcomes)
    choice = choose(scores, SHAPE, Objective(), split=229, terms=Terms(1, 30))
    assert (choice.churned[0], choice.leavings[0]) == (40, 79)
    assert choice.chosen.earlier.recall == 1.0


def test_where_nothing_is_known_of_any_alert_that_is_said() -> None:
    choice = choose(fleet(), SHAPE, Objective(), split=SPLIT, terms=Terms(7, SPLIT + 1))
    assert (choice.reason, choice.is_judged) == ("no line meets the objective", False)
    said = "\n".join(choice_in_words(choice, "all", fleet(), SPLIT))
    assert "was not known of any by then" in said
    assert "no line meets" not in said
    never = choose(fleet(), SHAPE, Objective("recall", 1.01), split=SPLIT, terms=TERMS)
    assert "no line meets the objective" in "\n".join(choice_in_words(never, "all", fleet(), SPLIT))
