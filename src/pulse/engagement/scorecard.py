"""The scorecard: weighted measures, 0 to 100, with each one's contribution kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from librt.vecs import vec
from mypy_extensions import i64

from pulse.engagement.days import DAY_MS
from pulse.engagement.holidays import NONE
from pulse.engagement.key_features import KeyFeatures
from pulse.engagement.measures import MICRO, NEVER_USED, SUMS, WINDOWED, Measures
from pulse.engagement.windows import W84, WINDOWS, Triple


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

    `window` indexes `WINDOWS` (unused where the measure has none). The measure is scaled linearly
    from `floor` (no marks) to `target` (full marks) and clamped; a floor above the target means
    that smaller is better.
    """

    name: str
    measure: str
    window: int
    weight: float
    floor: float
    target: Target


class Facts:
    """What a scorecard may use besides the measures."""

    __slots__ = (
        "active_days_ever", "baseline_days", "free_since", "has_holidays", "holidays", "mrr",
        "seats",
    )  # fmt: skip

    def __init__(
        self,
        seats: float,
        mrr: float,
        baseline_days: int,
        active_days_ever: int = 0,
        holidays: Triple = NONE,
        free_since: int = 0,
    ) -> None:
        self.seats = seats
        """0 where they are not known."""
        self.mrr = mrr
        """0 where it is not known."""
        self.baseline_days = baseline_days
        """Complete days that the account's own 84 days really hold, 0 to 84."""
        self.active_days_ever = active_days_ever
        """Active days over the whole life, today included."""
        self.holidays = holidays
        """Days of each window on which nobody works: it counts as so much shorter."""
        self.free_since = free_since
        """Such days since the last use."""
        self.has_holidays: bool = holidays[2] > 0


class Score(NamedTuple):
    """A score and where it comes from. `value` is None if no measure has data."""

    value: float | None
    contributions: dict[str, float]
    """Points by the name of the rule; together they are the score."""


NO_DATA: Final = -1.0
"""What `Scorecard.value` gives where no measure has data."""

_ABSOLUTE: Final = 0
_PER_SEAT: Final = 1
_OF_BASELINE: Final = 2
_KINDS: Final = {"absolute": _ABSOLUTE, "per_seat": _PER_SEAT, "of_baseline": _OF_BASELINE}
_RECENCY: Final = -1
_EVER: Final = -2
_TREND: Final = -3
_KEY_FEATURES: Final = -4
_OTHERS: Final = {
    "recency_days": _RECENCY,
    "active_days_ever": _EVER,
    "trend": _TREND,
    "key_features": _KEY_FEATURES,
}
"""The measures that are not in `WINDOWED`."""
_MISSING: Final = -1.0


class Scorecard:
    """Weighted measures.

    A measure without data (no seats known, no MRR, no past) gives its weight to the others in
    proportion. So does one whose window is holidays for the most part. Where no window is left that
    has data, what has no window says too little alone, and there is no score.

    `key_features` are the shell patterns of the features that the measure of this name counts.
    """

    def __init__(self, rules: tuple[MeasureRule, ...], key_features: tuple[str, ...] = ()) -> None:
        self.rules = rules
        self.has_trend: bool = any(rule.measure == "trend" for rule in rules)
        self.key_features: KeyFeatures | None = None
        """What to count, where there is such a measure."""
        if any(rule.measure == "key_features" for rule in rules):
            self.key_features = KeyFeatures(key_features)
        self.asks_more: bool = self.has_trend or self.key_features is not None
        """Whether it has measures that are made on demand (`pulse.engagement.on_demand`)."""
        self._plans = [_Plan(rule) for rule in rules]
        self._shares: vec[float] = vec[float]([0.0] * len(rules))
        self.rises_with_use = all(_rises_with_use(rule) for rule in rules)
        """Whether more use on the same day can never lower the score."""
        self.recency_floor_days = max(
            (float(max(r.floor, r.target.amount)) for r in rules if r.measure == "recency_days"),
            default=0.0,
        )
        """From this recency on the score does not depend on recency any more."""

    def value(self, now: Measures, fixed: Measures, facts: Facts) -> float:
        """Score of the measures `now`; `fixed` holds what was fixed at the start of today.

        `NO_DATA` if no measure has data.
        """
        total = self._weigh(now, fixed, facts)
        if total <= 0.0:
            return NO_DATA
        score = 0.0
        shares = self._shares
        for n, plan in enumerate(self._plans):
            share = shares[i64(n)]
            if share != _MISSING:
                score += 100.0 * plan.weight * share / total
        return score

    def score(self, now: Measures, fixed: Measures, facts: Facts) -> Score:
        """The same, with what each measure contributes."""
        total = self._weigh(now, fixed, facts)
        if total <= 0.0:
            return Score(None, {})
        contributions = {
            plan.name: 100.0 * plan.weight * share / total
            for plan, share in zip(self._plans, self._shares, strict=True)
            if share != _MISSING
        }
        score = 0.0
        for part in contributions.values():  # `sum` adds otherwise from Python 3.12 on
            score += part
        return Score(score, contributions)

    def shares(self, now: Measures, fixed: Measures, facts: Facts) -> dict[str, float]:
        """Each rule's share of its full marks, 0 to 1; those without data are left out."""
        self._weigh(now, fixed, facts)
        return {
            plan.name: share
            for plan, share in zip(self._plans, self._shares, strict=True)
            if share != _MISSING
        }

    def _weigh(self, now: Measures, fixed: Measures, facts: Facts) -> float:
        """Fill in each rule's share of its full marks; the weight of all that have data."""
        seats, mrr, baseline_days = facts.seats, facts.mrr, facts.baseline_days
        has_holidays = facts.has_holidays
        is_blind = False
        total = seen = 0.0
        shares = self._shares
        for n, plan in enumerate(self._plans):
            shares[i64(n)] = _MISSING
            if plan.index == _RECENCY:
                recency_ms = now.recency_ms
                if recency_ms == NEVER_USED:
                    continue
                number = float(recency_ms) / _DAY_MS
                if has_holidays:
                    number -= float(facts.free_since)
            elif plan.index == _EVER:
                number = float(facts.active_days_ever)
            elif has_holidays and _is_mostly_free(plan.window, facts.holidays):
                is_blind = True
                continue
            elif plan.index == _TREND:
                number = now.trend
                if number < 0.0:
                    continue
            elif plan.index == _KEY_FEATURES:
                number = float(_of_window(now.key_features, plan.window))
                if number < 0.0:
                    continue
            else:
                number = float(_pick(now, plan.index, plan.window)) / plan.unit
                if has_holidays and plan.is_of_days:
                    number *= _stretch(plan.window, facts.holidays)
            if plan.per_mrr:
                if mrr <= 0.0:
                    continue
                number /= mrr

            target = plan.amount
            if plan.kind == _PER_SEAT:
                if not seats:
                    continue
                target = plan.amount * seats
            elif plan.kind == _OF_BASELINE:
                if baseline_days <= 0 or plan.index < 0:
                    continue
                own = float(_pick(fixed, plan.index, _LONGEST)) / plan.unit
                if has_holidays:
                    if _is_mostly_free(_LONGEST, facts.holidays):
                        is_blind = True
                        continue
                    if plan.is_of_days:
                        own *= _stretch(_LONGEST, facts.holidays)
                if plan.per_mrr:
                    own /= mrr
                if baseline_days > plan.days:
                    own *= float(plan.days) / float(baseline_days)
                if own <= 0.0:
                    continue
                target = plan.amount * own

            floor = plan.floor
            if target == floor:
                share = 1.0 if number >= target else 0.0
            else:
                share = (number - floor) / (target - floor)
                share = 0.0 if share <= 0.0 else 1.0 if share > 1.0 else share
            shares[i64(n)] = share
            total += plan.weight
            if has_holidays and plan.index != _RECENCY and plan.index != _EVER:
                seen += plan.weight
        return 0.0 if is_blind and seen <= 0.0 else total


_LONGEST: Final = 2
_DAY_MS: Final = float(DAY_MS)


def _pick(measures: Measures, index: int, window: int) -> int:
    return _of_window(measures.windowed(index), window)


def _of_window(triple: Triple, window: int) -> int:
    if window == 0:
        return triple[0]
    return triple[1] if window == 1 else triple[2]


def _free(window: int, holidays: Triple) -> int:
    return holidays[0] if window == 0 else holidays[1] if window == 1 else holidays[2]


def _is_mostly_free(window: int, holidays: Triple) -> bool:
    """Whether nobody worked on more than half of a window's days: it has no data."""
    return 2 * _free(window, holidays) > WINDOWS[window]


def _stretch(window: int, holidays: Triple) -> float:
    """What a sum over a window with holidays would be without them, by its other days."""
    days = WINDOWS[window]
    return float(days) / float(days - _free(window, holidays))


class _Plan:
    """A rule as `Scorecard` wants it: everything looked up that can be."""

    __slots__ = (
        "amount", "days", "floor", "index", "is_of_days", "kind", "name", "per_mrr", "unit",
        "weight", "window",
    )  # fmt: skip

    def __init__(self, rule: MeasureRule) -> None:
        self.per_mrr = rule.measure == "value_per_mrr"
        measure = "value" if self.per_mrr else rule.measure
        self.name: str = rule.name
        self.weight: float = float(rule.weight)
        self.floor: float = float(rule.floor)
        self.index: int = WINDOWED.index(measure) if measure in WINDOWED else _OTHERS[measure]
        self.window: int = rule.window
        self.is_of_days: bool = measure in ("events", "value", "active_days")
        self.unit: float = float(MICRO) if measure in SUMS else 1.0
        self.kind: int = _KINDS[rule.target.kind]
        self.amount: float = float(rule.target.amount)
        # A sum is compared with an average window, a distinct count with all that there was.
        self.days: int = W84 if measure in ("active_users", "features") else WINDOWS[rule.window]


def _rises_with_use(rule: MeasureRule) -> bool:
    if rule.measure == "recency_days":
        return rule.floor >= rule.target.amount
    # A negative value, which would break this, is noticed where it is added.
    if rule.target.kind == "absolute":
        return rule.target.amount >= rule.floor
    return rule.floor <= 0.0  # seats, or what the account had, are not known here
