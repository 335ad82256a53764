"""What `pulse calibrate` says of a line and of weights, a line for each thing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pulse.calibration.words import (
    NO_ALERT,
    NOTHING_LEARNT,
    never_judged,
    note_of_weight,
    who_left,
    why_no_better,
)
from pulse.cli.words import date_of
from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    from pulse.calibration.choice import Choice, Interval
    from pulse.calibration.lines import Quality
    from pulse.calibration.scores import DayScores
    from pulse.calibration.weights import Proposal


def choice_in_words(choice: Choice, name: str, scores: DayScores, split: int) -> list[str]:
    """What was chosen and how good it is, a line for each."""
    date = date_of_row(scores, split)
    lines = [f"{name}: {who_left(choice, date)}"]
    if unjudged := never_judged(choice):
        lines.append(f"never judged {unjudged}")
    if why := why_no_better(choice, date):
        lines.append(f"line         {choice.enter:.1f}: {why}")
    else:
        lines.append(f"line         {choice.enter:.1f}{_between(choice.enter_interval, '.0f')}")
    chosen = choice.chosen
    intervals = choice.precision_interval, choice.recall_interval
    return [
        *lines,
        quality_in_words("earlier", chosen.earlier),
        quality_in_words("later", chosen.later, *intervals),
    ]


def quality_in_words(
    name: str, found: Quality, precision: Interval | None = None, recall: Interval | None = None
) -> str:
    """How good alerts are, on one line."""
    if not found.alerts_a_week:
        return f"{name:12} {NO_ALERT}"
    lift = "" if math.isnan(found.lift) else f"lift {found.lift:.1f}, "
    return (
        f"{name:12} precision {_share(found.precision)}{_between(precision)}, "
        f"recall {_share(found.recall)}{_between(recall)}, F1 {found.f1:.2f}, {lift}"
        f"{found.alerts_a_week:.1f} alerts a week, {_share(found.lead_days, 0)} days before"
    )


def _share(value: float, digits: int = 2) -> str:
    return "unknown" if math.isnan(value) else f"{value:.{digits}f}"


def weights_in_words(proposal: Proposal | None, weights: dict[str, float]) -> list[str]:
    """What other weights would do."""
    if proposal is None:
        return [f"weights      {NOTHING_LEARNT}"]
    now, then = proposal.now, proposal.then
    gain = then.value - now.value
    lines = [
        f"weights      AUC on the later part {now.value:.3f}{_between(now.interval, '.3f')} as "
        f"they are, {then.value:.3f}{_between(then.interval, '.3f')} with those below, "
        f"{gain:+.3f}{_between(proposal.gain, '+.3f')}"
    ]
    for name, weight in proposal.weights.items():
        note = note_of_weight(proposal, name)
        lines.append(f"{'':12} {name} {weights[name]:g} → {weight:g}{note and f', {note}'}")
    return lines


def _between(interval: Interval | None, form: str = ".2f") -> str:
    return "" if interval is None else f" ({interval.low:{form}} to {interval.high:{form}})"


def date_of_row(scores: DayScores, row: int) -> str:
    return date_of((scores.first_day + row) * DAY_MS)
