"""How early and how surely pulse's line tells who leaves, beside the rules that people use.

    python -m benchmarks.leaving cdnow            # `make leaving`

Everything that is chosen (weights, line, thresholds, the parameters of BG/NBD) is chosen on the
events before the split alone, with the outcomes that were known then: the line with the most recall
of those as precise there as the rule of thumb, and of them the one that tells soonest. The table is
of what came after.

A leaving is dated when it could be known: the last event plus the days after which nobody comes
back.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import tempfile
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

from pulse.calibration.choice import Objective, Shape, choose, interval_of, quartile_of
from pulse.calibration.lines import (
    Period,
    Quality,
    Terms,
    alerts_of,
    base_rate,
    count,
    quality,
)
from pulse.calibration.outcomes import Outcomes, Stay
from pulse.calibration.scores import SAMPLE_DAYS, DayScores, Notebook
from pulse.calibration.weights import labelled, resampled
from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, FIRST_DAY
from pulse.model.time import format_ms, parse_ts
from pulse.playback.lines import Lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

HERE: Final = Path(__file__).parent
SILENT_DAYS: Final = 21
"""The rule of thumb: no login in three weeks."""
LEAST_RECALL: Final = 0.95


class Data(NamedTuple):
    """A history. `split_ms` parts what is chosen on from what is looked at."""

    name: str
    events: list[bytes]
    config: Path
    left_after_days: int
    terms: Terms
    split_ms: int
    warm_up_days: int
    with_bg_nbd: bool
    with_weights: bool
    """Whether weights are chosen too, of `WEIGHTS`."""


def cdnow() -> Data:
    """The purchases of CDNOW's customers, from the package `lifetimes`."""
    text = (resources.files("lifetimes") / "datasets" / "CDNOW_master.txt").read_text()
    rows = [line.split() for line in text.splitlines()[1:]]
    rows.sort(key=lambda row: (row[1], row[0]))
    events = [
        json.dumps(
            {
                "id": f"p{number}",
                "account_id": customer,
                "event": "purchase",
                "ts": f"{date[:4]}-{date[4:6]}-{date[6:]}T12:00:00Z",
                "properties": {"value": float(dollars)},
            }
        ).encode()
        for number, (customer, date, _, dollars) in enumerate(rows)
    ]
    split_ms = parse_ts("1998-01-01T00:00:00Z")
    return Data("cdnow", events, HERE / "cdnow.yaml", 90, Terms(30, 120), split_ms, 180, True, True)


DATA: Final = {"cdnow": cdnow}


class Seen(NamedTuple):
    """Events as numbers: the account and the instant of each, in order."""

    account: list[str]
    at_ms: NDArray[np.int64]


def read(events: Sequence[bytes]) -> Seen:
    """Accounts and instants of events."""
    decoded = [json.loads(event) for event in events]
    return Seen(
        [event["account_id"] for event in decoded],
        np.array([parse_ts(event["ts"]) for event in decoded]),
    )


def outcomes_of(seen: Seen, left_after_days: int, end_ms: int) -> Outcomes:
    """Who had left by `end_ms`, as it could be known then."""
    last: dict[str, int] = {}
    for account, at_ms in zip(seen.account, seen.at_ms.tolist(), strict=True):
        if at_ms < end_ms:
            last[account] = max(at_ms, last.get(account, 0))
    after_ms = left_after_days * DAY_MS
    return {
        account: (Stay(None, at_ms + after_ms if at_ms + after_ms < end_ms else None),)
        for account, at_ms in last.items()
    }


def played(
    events: Sequence[bytes],
    config: Config,
    outcomes: Outcomes,
    until_ms: int,
    sample_days: int,
) -> DayScores:
    """The day-start scores of a history, by the engine."""
    notebook = Notebook(tuple(rule.called for rule in config.scorecard), sample_days)

    def observe(account: Any, at_ms: int, view: Any, score: float | None) -> None:
        day = account.calendar.day - FIRST_DAY
        notebook.note(account.account_id, day, score, None, view.shares)

    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        file.write(b"\n".join(events))
        file.flush()
        script = Script(Lines([file.name]), until_ms=until_ms - 1)
        Replay(policy(config), observe).run(script)
    return notebook.scores(outcomes)


class Habits(NamedTuple):
    """Of each day (row) and account (column) of a table: what the rules and BG/NBD look at."""

    recency: NDArray[np.float32]
    """Days since the last event; NaN before the first."""
    repeats: NDArray[np.float32]
    """Days with an event, the first left out."""
    age: NDArray[np.float32]
    """Days since the first event."""


def habits(seen: Seen, scores: DayScores) -> Habits:
    """As of the start of each day."""
    columns = {account_id: n for n, account_id in enumerate(scores.ids)}
    shape = scores.table.shape
    happened = np.zeros(shape, bool)
    for account, day in zip(seen.account, seen.at_ms // DAY_MS - scores.first_day, strict=True):
        column = columns.get(account)
        if column is not None and day < shape[0]:
            happened[day, column] = True
    last = np.full(shape[1], np.nan, np.float32)
    first, days = last.copy(), np.zeros(shape[1], np.float32)
    found = Habits(*(np.full(shape, np.nan, np.float32) for _ in range(3)))
    for day in range(shape[0]):
        found.recency[day], found.age[day] = day - last, day - first
        found.repeats[day] = np.where(days > 0, days - 1, np.nan)
        row = happened[day]
        last[row] = day
        first[row & np.isnan(first)] = day
        days[row] += 1
    return found


def p_alive(of: Habits, parameters: Mapping[str, float]) -> NDArray[np.float32]:
    """The chance that somebody is still a customer, by BG/NBD (Fader, Hardie and Lee 2005)."""
    r, alpha, a, b = (parameters[name] for name in ("r", "alpha", "a", "b"))
    seen_for = of.age - of.recency  # t_x: from the first event to the last
    x = of.repeats
    odds = a / (b + np.maximum(x, 1) - 1) * ((alpha + of.age) / (alpha + seen_for)) ** (r + x)
    return np.where(x > 0, 1 / (1 + odds), 1.0).astype(np.float32)


def fitted(of: Habits, day: int) -> dict[str, float]:
    """BG/NBD's parameters, from what was known at the start of a day."""
    from lifetimes import BetaGeoFitter

    known = np.isfinite(of.age[day]) & (of.age[day] > 0)
    x, age = of.repeats[day][known], of.age[day][known]
    fitter = BetaGeoFitter(penalizer_coef=0.0)
    fitter.fit(x, np.where(x > 0, age - of.recency[day][known], 0.0), age)
    return {name: float(value) for name, value in fitter.params_.items()}


class Way(NamedTuple):
    """Something that scores accounts, low where they leave, and its line."""

    name: str
    table: NDArray[np.float32]
    enter: float
    shape: Shape


class Table(NamedTuple):
    """Every measure's share of its full marks: by rule, day (row) and account (column)."""

    shares: NDArray[np.float32]

    def scores(self, weights: Sequence[float]) -> NDArray[np.float32]:
        """The scores by other weights; every measure of these data always has data."""
        total = sum(weights)
        parts = np.array(weights, np.float32) * np.float32(100 / total)
        found: NDArray[np.float32] = np.einsum("rda,r->da", self.shares, parts)
        return found


def table_of(scores: DayScores) -> Table:
    """Made of the samples of every day."""
    samples = scores.samples
    shares = np.full((len(samples.rules), *scores.table.shape), np.nan, np.float32)
    shares[:, samples.day, samples.stay] = samples.shares.T
    return Table(shares)


WEIGHTS: Final = [
    (habit, lately, spent, 100 - habit - lately - spent)
    for habit in (0, 20, 30, 40)
    for lately in (0, 20)
    for spent in (0, 10)
]
"""Those that are tried for CDNOW."""


def best_weights(
    table: Table, scores: DayScores, shape: Shape, period: Period, terms: Terms, precision: float
) -> tuple[int, ...]:
    """Those with which a line tells soonest, of those that are as precise and find nearly all."""
    found: dict[tuple[int, ...], float] = {}
    for weights in WEIGHTS:
        way = Way("", table.scores(weights), 0.0, shape)
        for enter in shape.enters()[::3]:
            got = judged(way._replace(enter=enter), scores, period, terms)
            if got.precision >= precision and got.recall >= LEAST_RECALL:
                found[weights] = max(found.get(weights, 0.0), got.lead_days)
    return max(found, key=lambda weights: found[weights])


def main() -> None:
    """Choose, look, and print the table as Markdown."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaving", description=__doc__)
    parser.add_argument("data", choices=sorted(DATA), help="which history")
    data = DATA[parser.parse_args().data]()
    seen, terms = read(data.events), data.terms
    end_ms = int(seen.at_ms.max()) // DAY_MS * DAY_MS + DAY_MS
    early = [event for event, at in zip(data.events, seen.at_ms, strict=True) if at < data.split_ms]
    config = Config.load(data.config)
    line = config.line
    shape, at_once = Shape(line.exit - line.enter, -(-line.dwell_ms // DAY_MS)), Shape(1e-3, 0)
    rule = f"nothing for {SILENT_DAYS} days"

    # -- before the split ------------------------------------------------------------------------
    say(f"{data.name}: {len(early):,} of {len(data.events):,} events before the split")
    known = outcomes_of(seen, data.left_after_days, data.split_ms)
    scores = played(early, config, known, data.split_ms, 1 if data.with_weights else SAMPLE_DAYS)
    days, of = scores.days, habits(seen, scores)
    period = Period(data.warm_up_days, days, days)
    thumb = Way(rule, -of.recency, 0.5 - SILENT_DAYS, at_once)
    bound = judged(thumb, scores, period, terms).precision
    say(f"the rule's precision: {bound:.3f}")
    if data.with_weights:
        table = table_of(scores)
        weights = best_weights(table, scores, shape, period, terms, bound)
        say(f"weights {weights}")
        rules = tuple(
            rule.model_copy(update={"weight": float(weight)})
            for rule, weight in zip(config.scorecard, weights, strict=True)
        )
        config = config.model_copy(update={"scorecard": rules})
        scores = dataclasses.replace(scores, table=table.scores(weights))

    def chosen(tried: DayScores, shape: Shape) -> float:
        objective = Objective("precision", bound)
        found = choose(tried, shape, objective, split=days, terms=terms, warm_up=data.warm_up_days)
        say(f"line {found.enter:.1f}, {found.reason}: {found.chosen.earlier}")
        return found.enter

    ways = [
        Way("pulse", scores.table, chosen(scores, shape), shape),
        Way("bottom quartile of the score", scores.table, quartile_of(scores, days), shape),
        thumb,
    ]
    parameters: dict[str, float] = {}
    if data.with_bg_nbd:
        parameters = fitted(of, days - 1)
        say(f"BG/NBD {parameters}")
        alive = dataclasses.replace(scores, table=100 * p_alive(of, parameters))
        ways.append(Way("P(alive) of BG/NBD", alive.table, chosen(alive, at_once), at_once))

    # -- after it --------------------------------------------------------------------------------
    outcomes = outcomes_of(seen, data.left_after_days, end_ms)
    scores = played(data.events, config, outcomes, end_ms, SAMPLE_DAYS)
    of = habits(seen, scores)
    split = data.split_ms // DAY_MS - scores.first_day
    after = Period(split, scores.days - terms.horizon_days, scores.days)
    tables = {
        rule: -of.recency,
        "P(alive) of BG/NBD": 100 * p_alive(of, parameters) if parameters else of.recency,
    }
    left = int(((scores.churned >= after.start) & (scores.churned < after.end)).sum())
    first, last = (
        format_ms((scores.first_day + row) * DAY_MS)[:10] for row in (after.start, after.end)
    )
    print(
        f"{first} to {last}: {left:,} accounts left; alerts at random would have a precision of "
        f"{base_rate(scores, after, terms):.2f}.\n"
    )
    print("| | line | precision | recall | days before | alerts a week | AUC (95 %) |")
    print("|---|--:|--:|--:|--:|--:|---|")
    for way in ways:
        mine = way._replace(table=tables.get(way.name, scores.table))
        got, ranks = judged(mine, scores, after, terms), auc(mine, scores, after, terms)
        print(
            f"| {way.name} | {way.enter:.1f} | {got.precision:.3f} | {got.recall:.2f} | "
            f"{got.lead_days:.0f} | {got.alerts_a_week:.0f} | {ranks} |"
        )


def judged(way: Way, scores: DayScores, period: Period, terms: Terms) -> Quality:
    """How good a way is in a period."""
    mine = dataclasses.replace(scores, table=way.table)
    alerts = alerts_of(mine, way.enter, way.enter + way.shape.gap, way.shape.dwell_days)
    base = base_rate(scores, period, terms)
    return quality(count(alerts, scores.churned, period, terms), period, base)


def auc(way: Way, scores: DayScores, period: Period, terms: Terms) -> str:
    """How well it ranks: on a day a week of each account that pulse judges, as long as there is the
    notice; with an interval by resampled accounts.
    """
    days = labelled(scores, period, terms)
    value = np.nan_to_num(way.table[days.day, days.stay], nan=-1e9)
    chance = np.random.default_rng(1)
    drawn = [
        roc_auc_score(days.leaves[rows], -value[rows]) for rows in resampled(days.account, chance)
    ]
    found = interval_of(np.array(drawn))
    assert found is not None
    return f"{roc_auc_score(days.leaves, -value):.3f} ({found.low:.3f} to {found.high:.3f})"


def say(text: str) -> None:
    """To whoever waits."""
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


if __name__ == "__main__":
    main()
