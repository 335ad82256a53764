"""The scorecard: weighted measures, 0 to 100, with each one's contribution kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pulse.engagement.measures import MICRO, Measures
from pulse.engagement.windows import W84, WINDOWS


@dataclass(frozen=True, slots=True)
class Target:
    """What counts as full marks.

    `absolute`: the number itself. `per_seat`: times the account's seats. `of_baseline`: times
    what the account's own last 84 complete days had in an average window of that length (for a
    distinct count: in all of them).
    """

    kind: Literal["absolute", "per_seat", "of_baseline"]
    amount: float


@dataclass(frozen=True, slots=True)
class MeasureRule:
    """One line of a scorecard.

    `window` indexes `WINDOWS` (unused for `recency_days`). The measure is scaled linearly from
    `floor` (no marks) to `target` (full marks) and clamped; a floor above the target means that
    smaller is better.
    """

    name: str
    measure: str
    window: int
    weight: float
    floor: float
    target: Target


class Facts(NamedTuple):
    """What a scorecard may use besides the measures."""

    seats: int | None
    mrr: float | None
    baseline_days: int
    """Complete days that the account's own 84 days really hold, 0 to 84."""


class Score(NamedTuple):
    """A score and where it comes from. `value` is None if no measure has data."""

    value: float | None
    contributions: dict[str, float]
    """Points by the name of the rule; together they are the score."""


class Scorecard:
    """Weighted measures.

    A measure without data (no seats known, no MRR, no past) gives its weight to the others in
    proportion.
    """

    def __init__(self, rules: tuple[MeasureRule, ...]) -> None:
        self.rules = rules
        self.rises_with_use = all(_rises_with_use(rule) for rule in rules)
        """Whether more use on the same day can never lower the score."""
        self.recency_floor_days = max(
            (max(r.floor, r.target.amount) for r in rules if r.measure == "recency_days"),
            default=0.0,
        )
        """From this recency on the score does not depend on recency any more."""

    def score(self, now: Measures, fixed: Measures, facts: Facts) -> Score:
        """Score of the measures `now`; `fixed` holds what was fixed at the start of today."""
        points: list[tuple[str, float, float]] = []
        total = 0.0
        for rule in self.rules:
            share = _share(rule, now, fixed, facts)
            if share is not None:
                points.append((rule.name, rule.weight, share))
                total += rule.weight
        if total <= 0.0:
            return Score(None, {})
        contributions = {name: 100.0 * weight * share / total for name, weight, share in points}
        return Score(sum(contributions.values()), contributions)


def _rises_with_use(rule: MeasureRule) -> bool:
    if rule.measure == "recency_days":
        return rule.floor >= rule.target.amount
    # A negative value, which would break this, is noticed where it is added.
    if rule.target.kind == "absolute":
        return rule.target.amount >= rule.floor
    return rule.floor <= 0.0  # seats, or what the account had, are not known here


def _share(rule: MeasureRule, now: Measures, fixed: Measures, facts: Facts) -> float | None:
    number: float | None
    if rule.measure == "recency_days":
        number = now.recency_days
        if number is None:
            return None
    elif rule.measure == "value_per_mrr":
        if not facts.mrr or facts.mrr <= 0:
            return None
        number = now.number("value", rule.window) / facts.mrr
    else:
        number = now.number(rule.measure, rule.window)
    target = _target(rule, fixed, facts)
    if target is None:
        return None
    if target == rule.floor:
        return 1.0 if number >= target else 0.0
    return min(max((number - rule.floor) / (target - rule.floor), 0.0), 1.0)


def _target(rule: MeasureRule, fixed: Measures, facts: Facts) -> float | None:
    kind, amount = rule.target.kind, rule.target.amount
    if kind == "absolute":
        return amount
    if kind == "per_seat":
        return amount * facts.seats if facts.seats else None
    if facts.baseline_days <= 0:
        return None
    longest = len(WINDOWS) - 1
    if rule.measure in ("events", "value", "active_days", "value_per_mrr"):
        days = WINDOWS[rule.window]
        name = "value" if rule.measure == "value_per_mrr" else rule.measure
        total = getattr(fixed, name)[longest] / (MICRO if name in ("events", "value") else 1)
        if name == "value" and rule.measure == "value_per_mrr":
            if not facts.mrr:
                return None
            total /= facts.mrr
        own = total * min(days / min(facts.baseline_days, W84), 1.0)
    else:
        own = float(getattr(fixed, rule.measure)[longest])
    return amount * own if own > 0 else None
