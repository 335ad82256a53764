"""The scorecard: weighted measures, 0 to 100, with each one's contribution kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from pulse.engagement.days import DAY_MS
from pulse.engagement.measures import MICRO, SUMS, WINDOWED, Measures
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
        self._plans = [_plan(rule) for rule in rules]
        self.rises_with_use = all(_rises_with_use(rule) for rule in rules)
        """Whether more use on the same day can never lower the score."""
        self.recency_floor_days = max(
            (max(r.floor, r.target.amount) for r in rules if r.measure == "recency_days"),
            default=0.0,
        )
        """From this recency on the score does not depend on recency any more."""

    def score(self, now: Measures, fixed: Measures, facts: Facts) -> Score:
        """Score of the measures `now`; `fixed` holds what was fixed at the start of today."""
        seats, mrr, baseline_days = facts
        points: list[tuple[str, float, float]] = []
        total = 0.0
        for name, weight, floor, index, window, unit, per_mrr, kind, amount, days in self._plans:
            if index is None:
                if now.recency_ms is None:
                    continue
                number = now.recency_ms / DAY_MS
            else:
                number = now[index][window] / unit  # type: ignore[index]
            if per_mrr:
                if not mrr or mrr <= 0:
                    continue
                number /= mrr

            if kind == "absolute":
                target = amount
            elif kind == "per_seat":
                if not seats:
                    continue
                target = amount * seats
            else:
                if baseline_days <= 0 or index is None:
                    continue
                own: float = fixed[index][_LONGEST] / unit  # type: ignore[index]
                if per_mrr:
                    own /= mrr  # type: ignore[operator]  # as above
                own *= min(days / baseline_days, 1.0)
                if own <= 0.0:
                    continue
                target = amount * own

            if target == floor:
                share = 1.0 if number >= target else 0.0
            else:
                share = (number - floor) / (target - floor)
                share = 0.0 if share <= 0.0 else 1.0 if share > 1.0 else share
            points.append((name, weight, share))
            total += weight
        if total <= 0.0:
            return Score(None, {})
        contributions = {name: 100.0 * weight * share / total for name, weight, share in points}
        score = 0.0
        for part in contributions.values():  # `sum` adds otherwise from Python 3.12 on
            score += part
        return Score(score, contributions)


_LONGEST = len(WINDOWS) - 1
_Plan = tuple[str, float, float, int | None, int, int, bool, str, float, int]


def _plan(rule: MeasureRule) -> _Plan:
    """A rule as `Scorecard.score` wants it: everything looked up that can be."""
    per_mrr = rule.measure == "value_per_mrr"
    measure = "value" if per_mrr else rule.measure
    return (
        rule.name,
        rule.weight,
        rule.floor,
        WINDOWED.index(measure) if measure in WINDOWED else None,  # None: recency
        rule.window,
        MICRO if measure in SUMS else 1,
        per_mrr,
        rule.target.kind,
        rule.target.amount,
        # A sum is compared with an average window, a distinct count with all that there was.
        W84 if measure in ("active_users", "features") else WINDOWS[rule.window],
    )


def _rises_with_use(rule: MeasureRule) -> bool:
    if rule.measure == "recency_days":
        return rule.floor >= rule.target.amount
    # A negative value, which would break this, is noticed where it is added.
    if rule.target.kind == "absolute":
        return rule.target.amount >= rule.floor
    return rule.floor <= 0.0  # seats, or what the account had, are not known here
