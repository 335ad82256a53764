"""The scorecard: weighted measures, 0 to 100, with each one's contribution kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

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
        self._shares = [(rule.name, rule.weight, _share(rule)) for rule in rules]
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
        for name, weight, share_of in self._shares:
            share = share_of(now, fixed, facts)
            if share is not None:
                points.append((name, weight, share))
                total += weight
        if total <= 0.0:
            return Score(None, {})
        contributions = {name: 100.0 * weight * share / total for name, weight, share in points}
        score = 0.0
        for part in contributions.values():  # `sum` adds otherwise from Python 3.12 on
            score += part
        return Score(score, contributions)


def _rises_with_use(rule: MeasureRule) -> bool:
    if rule.measure == "recency_days":
        return rule.floor >= rule.target.amount
    # A negative value, which would break this, is noticed where it is added.
    if rule.target.kind == "absolute":
        return rule.target.amount >= rule.floor
    return rule.floor <= 0.0  # seats, or what the account had, are not known here


_Number = Callable[["Measures", "Measures", "Facts"], float | None]
"""A number made of the measures now, those fixed at the start of today, and the facts."""


def _share(rule: MeasureRule) -> _Number:
    """How much of the full marks a rule gives, 0 to 1; None without data."""
    number_of, target_of, floor = _number(rule), _target(rule), rule.floor

    def share(now: Measures, fixed: Measures, facts: Facts) -> float | None:
        number = number_of(now, fixed, facts)
        if number is None:
            return None
        target = target_of(now, fixed, facts)
        if target is None:
            return None
        if target == floor:
            return 1.0 if number >= target else 0.0
        part = (number - floor) / (target - floor)
        return 0.0 if part < 0.0 else 1.0 if part > 1.0 else part

    return share


def _number(rule: MeasureRule) -> _Number:
    window = rule.window
    if rule.measure == "recency_days":
        return lambda now, fixed, facts: now.recency_days
    if rule.measure == "value_per_mrr":

        def value_per_mrr(now: Measures, fixed: Measures, facts: Facts) -> float | None:
            mrr = facts.mrr
            return now.value[window] / MICRO / mrr if mrr and mrr > 0 else None

        return value_per_mrr
    measure = WINDOWED.index(rule.measure)
    unit = MICRO if rule.measure in SUMS else 1
    return lambda now, fixed, facts: now[measure][window] / unit  # type: ignore[index]


def _target(rule: MeasureRule) -> _Number:
    kind, amount = rule.target.kind, rule.target.amount
    if kind == "absolute":
        return lambda now, fixed, facts: amount
    if kind == "per_seat":
        return lambda now, fixed, facts: amount * facts.seats if facts.seats else None
    longest = len(WINDOWS) - 1
    of_money = rule.measure == "value_per_mrr"
    measure = WINDOWED.index("value" if of_money else rule.measure)
    unit = MICRO if of_money or rule.measure in SUMS else 1
    # A sum is compared with an average window, a distinct count with all that there was.
    days = W84 if rule.measure in ("active_users", "features") else WINDOWS[rule.window]

    def of_baseline(now: Measures, fixed: Measures, facts: Facts) -> float | None:
        if facts.baseline_days <= 0:
            return None
        own: float = fixed[measure][longest] / unit  # type: ignore[index]
        if of_money:
            own = own / facts.mrr if facts.mrr else 0.0
        own *= min(days / facts.baseline_days, 1.0)
        return amount * own if own > 0 else None

    return of_baseline
