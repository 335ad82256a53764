"""What decides results: which usage counts, the scorecard, the line, lifecycle, signals, plays."""

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import (
    Field,
    StringConstraints,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

from pulse.config.fields import (
    NotNegative,
    Pattern,
    Positive,
    PropertyPath,
    Section,
    Window,
)
from pulse.config.mistakes import check_also, refuse

# --- usage ------------------------------------------------------------------


class WeightRule(Section):
    """How much the events count whose name matches. The first rule that matches holds."""

    event: Pattern
    """Shell pattern of event names."""
    weight: Annotated[float, Field(ge=0, le=1_000_000)]
    """What one such event counts; 0: it is no use of the product."""


_MAX_KEY_FEATURES: Final = 100
_CONDITIONS: Final = ("account", "user", "event", "source", "property")


class IgnoreRule(Section):
    """Events that are left out before anything is measured: those that meet all conditions."""

    account: Pattern | None = None
    """Shell pattern of account ids."""
    user: Pattern | None = None
    """Shell pattern of user ids; an event without a user never matches."""
    event: Pattern | None = None
    """Shell pattern of event names."""
    source: Pattern | None = None
    """Shell pattern of sources."""
    property: PropertyPath | None = None
    """Where to look for what `equals` says."""
    equals: bool | int | float | str | None = Field(default=None, validate_default=True)
    """What the property must be."""

    @field_validator("equals")
    @classmethod
    def _conditions_make_sense(cls, equals: Any, info: ValidationInfo) -> Any:
        said = {name for name, value in info.data.items() if value is not None}
        if "property" in info.data and ("property" in said) != (equals is not None):
            raise refuse("property and equals belong together", at=())
        if not said and set(info.data) == set(_CONDITIONS):
            raise refuse("has no condition, so it would ignore nothing", at=())
        return equals


class Minimum(Section):
    """How much use it takes: both of these at least, and at least one event that counts."""

    events: NotNegative = 0.0
    """Weighted events, at least."""
    value: NotNegative = 0.0
    """Sum of values, at least."""


class Active(Section):
    """What makes a day and a window active; without minimums, one event that counts."""

    day: Minimum = Minimum()
    """What a day needs to be an active day."""
    window: dict[Window, Minimum] = Field(default_factory=dict)
    """What a window needs before its use counts, like 900 seconds of viewing in 28 days."""


KeyFeatureNames = Annotated[
    tuple[Pattern, ...], Field(strict=False, min_length=1, max_length=_MAX_KEY_FEATURES)
]


class Usage(Section):
    """Which events count, how much, and where their feature and value are found."""

    feature: PropertyPath = "properties.feature"
    """Where the feature's name is found; for an event without one it is the event's name."""
    key_features: KeyFeatureNames | None = None
    """Features that set the product apart, as shell patterns: each is one, whatever it matches."""
    value: PropertyPath = "properties.value"
    """Where the value is found: seconds, rows, money, whatever the product sells."""
    weights: Annotated[tuple[WeightRule, ...], Field(strict=False)] = ()
    """How much which events count, the first match wins; 1 for those without a match."""
    ignore: Annotated[tuple[IgnoreRule, ...], Field(strict=False)] = ()
    """Own staff, test accounts, bots, automation."""
    active: Active = Active()
    """What makes a day or a window count as active."""

    @field_validator("key_features", mode="wrap")
    @classmethod
    def _no_key_feature_is_said_twice(cls, value: Any, check: ValidatorFunctionWrapHandler) -> Any:
        names = list(value) if isinstance(value, (list, tuple)) else []
        return check_also(
            value,
            check,
            [
                refuse(f'"{name}" is there already', at=("key_features", index))
                for index, name in enumerate(names)
                if name in names[:index]
            ],
        )


# --- scorecard --------------------------------------------------------------

MeasureName = Literal[
    "events",
    "value",
    "active_users",
    "features",
    "active_days",
    "recency_days",
    "active_days_ever",
    "value_per_mrr",
    "trend",
    "key_features",
]
_WITHOUT_WINDOW: Final = ("recency_days", "active_days_ever", "trend")
_NUMBERS: Final = {
    "recency_days": "a number of days",
    "active_days_ever": "a number of days",
    "trend": "a number, of which 1 is as usual",
    "key_features": "a number of them",
}
"""The measures that are compared with a number only: neither seats nor the own past make sense."""
_MAX_RULES: Final = 64


class PerSeat(Section):
    """Full marks at so many per seat of the account's profile."""

    per_seat: Positive
    """The measure for every seat."""


class OfBaseline(Section):
    """Full marks at this share of what the account's own last 84 days had."""

    of_baseline: Positive
    """1.0: as much as usual."""


class ScoreRule(Section):
    """One measure of the scorecard: no points at `floor`, all at `target`, linear in between."""

    measure: MeasureName
    """What is measured."""
    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = None
    """What its points are called in contributions; the measure's name if unsaid."""
    window: Window | None = Field(default=None, validate_default=True)
    """Over how many days; 28d if unsaid. `recency_days`, `active_days_ever`, `trend` have none."""
    weight: Annotated[float, Field(ge=0, le=1_000_000)]
    """Its share of the score, relative to the other weights."""
    floor: float = 0.0
    """No points here or beyond. A floor above the target: smaller is better."""
    target: float | PerSeat | OfBaseline
    """All points here or beyond: a number, `{per_seat: 0.8}` or `{of_baseline: 1.0}`."""

    @property
    def called(self) -> str:
        """The name its contribution has."""
        return self.name or self.measure

    @field_validator("window")
    @classmethod
    def _window_fits_the_measure(cls, window: Window | None, info: ValidationInfo) -> Window | None:
        measure = info.data.get("measure")
        if measure in _WITHOUT_WINDOW:
            if window is not None:
                raise refuse(f"{measure} has no window", suggestion="leave this key out")
            return None
        return window or "28d"

    @field_validator("target", mode="wrap")
    @classmethod
    def _target_can_be_reached(
        cls, target: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        if isinstance(target, dict):
            # One message that knows both forms, instead of one for every member of the union.
            kinds = [kind for kind in (PerSeat, OfBaseline) if set(kind.model_fields) & set(target)]
            if len(kinds) != 1:
                raise refuse("must be a number, {per_seat: 0.8} or {of_baseline: 1.0}")
            if (measure := info.data.get("measure")) in _NUMBERS:
                raise refuse(f"of {measure} must be {_NUMBERS[measure]}")
            return kinds[0].model_validate(target)
        if not isinstance(target, (int, float, PerSeat, OfBaseline)) or isinstance(target, bool):
            raise refuse("must be a number, {per_seat: 0.8} or {of_baseline: 1.0}")
        target = check(target)
        if target == info.data.get("floor"):
            raise refuse(
                f"is the same as the floor ({target:g}), so there is nothing to scale between"
            )
        return target


Scorecard = Annotated[
    tuple[ScoreRule, ...], Field(strict=False, min_length=1, max_length=_MAX_RULES)
]

DEFAULT_SCORECARD: Final = (
    ScoreRule(measure="active_users", window="28d", weight=30, target=PerSeat(per_seat=0.8)),
    ScoreRule(measure="active_days", window="28d", weight=25, target=12),
    ScoreRule(measure="features", window="28d", weight=15, target=OfBaseline(of_baseline=1)),
    ScoreRule(measure="events", window="28d", weight=20, target=OfBaseline(of_baseline=1)),
    ScoreRule(measure="recency_days", weight=10, floor=21, target=0),
)


def key_feature_mistakes(
    rules: tuple[ScoreRule, ...], usage: Usage, place: tuple[str, ...]
) -> Iterator[PydanticCustomError]:
    """What measures of key features demand that `usage` has not; `place` is the scorecard's."""
    names = usage.key_features
    for index, rule in enumerate(rules):
        if rule.measure != "key_features":
            continue
        if names is None:
            yield refuse(
                "nothing says which the key features are",
                suggestion="name them in usage.key_features",
                at=(*place, index, "measure"),
            )
        elif isinstance(rule.target, float) and rule.target > len(names):
            yield refuse(
                f"cannot be reached: the key features are {len(names)}",
                at=(*place, index, "target"),
            )


def check_scorecard(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    """The scorecard, or every mistake in it: in its rules, doubled names, no weight at all."""
    return check_also(value, check, _scorecard_mistakes(value))


def _scorecard_mistakes(value: Any) -> Iterator[PydanticCustomError]:
    rules = [_plain(each) for each in value] if isinstance(value, (list, tuple)) else []
    yield from doubled(
        [rule.get("name") or rule.get("measure") for rule in rules],
        ("scorecard", "measure"),
        "an earlier measure is called {name} too",
        "give this one a name of its own (name: …)",
    )
    weights = [rule.get("weight") for rule in rules]
    if weights and all(weight == 0 for weight in weights):
        yield refuse("every weight is 0", suggestion="give at least one measure a weight")


def doubled(
    names: list[Any], of: tuple[str, str], message: str, suggestion: str
) -> Iterator[PydanticCustomError]:
    """A mistake at each item whose name an earlier one has; `of` is the list and the item's key."""
    setting, key = of
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not isinstance(name, str):
            continue
        if name in seen:
            yield refuse(
                message.format(name=f'"{name}"'),
                suggestion=suggestion,
                at=(setting, index, "name"),
                or_at=(setting, index, key),
            )
        seen.add(name)


def _plain(rule: Any) -> dict[str, Any]:
    if isinstance(rule, ScoreRule):
        return dict(rule)
    return rule if isinstance(rule, dict) else {}
