"""What is said of a line and of weights, in the terminal and on the page alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.calibration.choice import LEAST_CHURNED

if TYPE_CHECKING:
    from pulse.calibration.choice import Choice
    from pulse.calibration.weights import Proposal

NO_ALERT: Final = "no alert"
"""Of a part of the time in which a line warns of nobody."""
NOTHING_LEARNT: Final = "nothing can be learnt from these outcomes"
"""Where there are no weights to propose."""


def who_left(choice: Choice, split: str) -> str:
    """How many left before and after the day of the split, and how often."""
    earlier, later = choice.churned
    times = [
        "" if leavings == accounts else f" ({leavings:,} times)"
        for leavings, accounts in zip(choice.leavings, choice.churned, strict=True)
    ]
    accounts = "1 account" if earlier == 1 else f"{earlier:,} accounts"
    return f"{accounts} left before {split}{times[0]}, {later:,} after{times[1]}"


def never_judged(choice: Choice) -> str:
    """How many of those that left no line ever judged, and why; empty where there are none."""
    if not choice.never_judged:
        return ""
    return (
        f"{choice.never_judged:,} of these: too young, or too little data "
        "(line.min_history_days, line.min_active_days)"
    )


def why_no_better(choice: Choice, split: str) -> str:
    """What the line is where it was not chosen by the objective, and why; else empty."""
    if choice.reason == "objective":
        return ""
    if choice.reason == "too few churned":
        why = f"with fewer than {LEAST_CHURNED} that left nothing can be learnt from them"
    elif not choice.is_judged:
        why = (
            f"what came of the alerts before {split} was not known of any by then: try a longer "
            "history, a later --split or a smaller --horizon"
        )
    else:
        why = "no line meets the objective"
    return f"the bottom quartile of the scores; {why}"


def note_of_weight(proposal: Proposal, name: str) -> str:
    """What is remarkable about the proposed weight of a measure; empty where nothing is."""
    if name in proposal.without_data:
        return "no data"
    return "against all sense the other way" if name in proposal.turned else ""
