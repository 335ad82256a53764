"""A made-up history through the engine: who leaves is told of before, better than by chance."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from pulse.calibration.choice import Objective, Shape, choose, split_periods
from pulse.calibration.lines import Terms, base_rate
from pulse.calibration.outcomes import Outcomes, read_outcomes
from pulse.calibration.scores import Notebook
from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, FIRST_DAY
from pulse.model import Alert
from pulse.playback.lines import FileLine
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.simulation.history import History
from pulse.simulation.setting import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.long

SETTING: Final = Setting(accounts=150, days=250, seed=11, churn=0.6)
GOOD_NEWS: Final = ("ready_to_ask", "outgrows_seats", "subscription_cancelled")


class Played(NamedTuple):
    history: History
    replay: Replay
    notebook: Notebook
    outcomes: Outcomes


@cache
def played() -> Played:
    history, notebook = History(SETTING), Notebook()

    def lines() -> Iterator[FileLine]:
        for day in history.days():
            for number, line in enumerate(day):
                yield FileLine("simulated", number, line)

    def observe(account: Any, at_ms: int, view: Any, score: float | None) -> None:
        day = account.calendar.day - FIRST_DAY
        notebook.note(account.account_id, day, score, account.fact("segment"))

    replay = Replay(policy(Config()), observe)
    replay.run(Script(lines()))
    return Played(history, replay, notebook, read_outcomes(history.outcomes(), "churn.csv"))


def left() -> dict[str, int]:
    """When those left who were there for two months."""
    found = {}
    for account in played().history.accounts:
        churned_ms = played().outcomes[account.account_id][0].churned_ms
        if churned_ms is not None and account.story.over >= SETTING.first + 60:
            found[account.account_id] = churned_ms
    return found


def test_nothing_is_refused_or_late() -> None:
    tally = played().replay.tally

    assert not tally.refused
    assert tally.counts["duplicates"] == 0
    assert sum(tally.counts[name] for name in ("late_minutes", "late_hours", "late_days")) == 0


def test_most_who_leave_are_told_of_before() -> None:
    began: dict[str, list[int]] = defaultdict(list)
    for raw in played().replay.alerts():
        alert = Alert.model_validate_json(raw)
        if alert.status == "firing" and alert.reason not in GOOD_NEWS:
            began[alert.account_id].append(alert.at)
    found = [
        name
        for name, churned_ms in left().items()
        if any(7 * DAY_MS <= churned_ms - at_ms <= 120 * DAY_MS for at_ms in began[name])
    ]

    assert len(left()) >= 25
    assert len(found) >= 0.75 * len(left())


def test_those_who_left_are_known_as_such() -> None:
    statuses = {each["account_id"]: each for each in played().replay.accounts()}

    gone = {name for name, each in statuses.items() if each["lifecycle"] == "churned"}
    assert set(left()) <= gone
    for account in played().history.accounts:
        if played().history.outcome(account) == "stayed" and account.account_id in statuses:
            assert account.account_id not in gone


def test_a_line_is_better_than_chance() -> None:
    notebook, outcomes, terms = played().notebook, played().outcomes, Terms(7, 50)
    scores = notebook.scores({name: outcomes[name] for name in notebook.ids})
    split, warm_up = 2 * scores.days // 3, 56
    shape = Shape(gap=10, dwell_days=1)
    choice = choose(
        scores, shape, Objective(), split=split, terms=terms, warm_up=warm_up, resamples=20
    )  # fmt: skip

    for period, quality in zip(
        split_periods(scores.days, split, warm_up),
        (choice.chosen.earlier, choice.chosen.later),
        strict=True,
    ):
        assert quality.precision > 2 * base_rate(scores, period, terms)
        assert quality.recall > 0.2
    assert choice.reason == "objective"
