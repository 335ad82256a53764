"""What `pulse calibrate` says of a line and of weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pulse.cli.words import count, date_of
from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    from pulse.calibration.choice import Choice, Interval
    from pulse.calibration.lines import Quality
    from pulse.calibration.scores import DayScores
    from pulse.calibration.weights import Proposal


def choice_in_words(choice: Choice, name: str, scores: DayScores, split: int) -> list[str]:
    """What was chosen and how good it is, a line for each."""
    times = [
        "" if leavings == accounts else f" ({leavings:,} times)"
        for leavings, accounts in zip(choice.leavings, choice.churned, strict=True)
    ]
    earlier, later = choice.churned
    lines = [
        f"{name}: {count(earlier, 'account')} left before {date_of_row(scores, split)}{times[0]}, "
        f"{later:,} after{times[1]}"
    ]
    if choice.never_judged:
        lines.append(
            f"never judged {choice.never_judged:,} of these: too young, or too little data "
            "(line.min_history_days, line.min_active_days)"
        )
    if choice.reason == "too few churned":
        lines.append(
            f"line         {choice.enter:.1f}: the bottom quartile of the scores; with fewer than "
            "20 that left nothing can be learnt from them"
        )
    elif choice.reason != "objective" and not choice.is_judged:
        lines.append(
            f"line         {choice.enter:.1f}: the bottom quartile of the scores; what came of "
            f"the alerts before {date_of_row(scores, split)} was not known of any by then: try a "
            "longer history, a later --split or a smaller --horizon"
        )
    elif choice.reason != "objective":
        lines.append(
            f"line         {choice.enter:.1f}: the bottom quartile of the scores; no line meets "
            "the objective"
        )
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
        return f"{name:12} no alert"
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
        return ["weights      nothing can be learnt from these outcomes"]
    now, then = proposal.now, proposal.then
    gain = then.value - now.value
    lines = [
        f"weights      AUC on the later part {now.value:.3f}{_between(now.interval, '.3f')} as "
        f"they are, {then.value:.3f}{_between(then.interval, '.3f')} with those below, "
        f"{gain:+.3f}{_between(proposal.gain, '+.3f')}"
    ]
    for name, weight in proposal.weights.items():
        note = ", against all sense the other way" if name in proposal.turned else ""
        note = ", no data" if name in proposal.without_data else note
        lines.append(f"{'':12} {name} {weights[name]:g} → {weight:g}{note}")
    return lines


def _between(interval: Interval | None, form: str = ".2f") -> str:
    return "" if interval is None else f" ({interval.low:{form}} to {interval.high:{form}})"


def date_of_row(scores: DayScores, row: int) -> str:
    return date_of((scores.first_day + row) * DAY_MS)
