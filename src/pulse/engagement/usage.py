"""What a usage event counts: its weight, its feature, its value, or nothing at all.

Opening the app is not using it: events have weights, and weight 0 does not count. `ignore` rules
keep own staff, test accounts, bots and automation out before anything is measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING, Any, Final

from pulse.engagement.measures import MICRO
from pulse.model.fields import MAX_VALUE

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.model.wire import Decoder, Line


_MOST_NAMES: Final = 10_000
"""Names of events of which the weight is remembered."""


@dataclass(frozen=True, slots=True)
class WeightRule:
    """Events whose name matches a shell pattern have this weight (10**-6)."""

    event: str
    weight: int


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """Events for which all that is given holds are left out.

    `account`, `user`, `event` and `source` are shell patterns, `prop` is a property path that
    must equal `equals`.
    """

    account: str | None = None
    user: str | None = None
    event: str | None = None
    source: str | None = None
    prop: str | None = None
    equals: Any = None


@dataclass(frozen=True, slots=True)
class UsageRules:
    """How events are read. The first weight rule that matches wins; without one an event is 1."""

    feature: str = "properties.feature"
    value: str = "properties.value"
    weights: tuple[WeightRule, ...] = ()
    ignore: tuple[IgnoreRule, ...] = ()

    def paths(self) -> set[str]:
        """Every property path that is read."""
        paths = {self.feature, self.value}
        return paths | {rule.prop for rule in self.ignore if rule.prop is not None}


class BadUsageError(ValueError):
    """An event whose properties cannot be counted; `reason` is the dead letter's."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class UsageReader:
    """Reads lines by one set of rules."""

    def __init__(self, rules: UsageRules, decoder: Decoder) -> None:
        self._value_path = rules.value
        self._feature_path = rules.feature
        self._ignore = [_condition(rule, decoder) for rule in rules.ignore]
        self.has_ignore_rules = bool(self._ignore)
        self._weights = [(re.compile(translate(rule.event)), rule.weight) for rule in rules.weights]
        self._known: dict[str, int] = {}

    def _weight_of(self, event: str) -> int:
        weight = self._known.get(event)
        if weight is None:
            if not event.isprintable():
                raise BadUsageError("wrong_shape", "event: characters that cannot be printed")
            weight = MICRO
            for pattern, given in self._weights:
                if pattern.match(event):
                    weight = given
                    break
            if len(self._known) >= _MOST_NAMES:
                self._known.clear()
            self._known[event] = weight
        return weight

    def ignores(self, line: Line) -> bool:
        """Whether a rule leaves the event out."""
        return any(condition(line) for condition in self._ignore)

    def read(
        self, event: str, said: Any, value: Any, *, is_printable: bool
    ) -> tuple[str, int, int]:
        """Feature, weight and value of the event, weight and value in 10**-6.

        `said` and `value` are what stands at the paths of the feature and the value;
        `is_printable` says that all texts are known to be. `BadUsageError` if it makes no sense.
        """
        if isinstance(said, str):
            feature = said
        elif said is None:
            feature = event
        elif isinstance(said, (dict, list)):
            raise BadUsageError("wrong_shape", f"{self._feature_path}: not a name")
        else:
            feature = str(said)
        if len(feature) > 256 or not (is_printable or feature.isprintable()):
            raise BadUsageError("wrong_shape", f"{self._feature_path}: not a printable name")
        if value is None:
            return feature, self._weight_of(event), 0
        kind = type(value)
        if kind is int:
            whole: int = value
            if -MAX_VALUE <= whole <= MAX_VALUE:
                return feature, self._weight_of(event), whole * MICRO
        elif kind is float:
            if -MAX_VALUE <= value <= MAX_VALUE:
                return feature, self._weight_of(event), round(value * MICRO)
        else:
            raise BadUsageError("wrong_shape", f"{self._value_path}: not a number")
        raise BadUsageError("wrong_shape", f"{self._value_path}: beyond ±{MAX_VALUE:,}")


def _condition(rule: IgnoreRule, decoder: Decoder) -> Callable[[Line], bool]:
    tests: list[Callable[[Line], bool]] = []
    for pattern, attribute in (
        (rule.account, "account_id"),
        (rule.user, "user_id"),
        (rule.event, "event"),
        (rule.source, "source"),
    ):
        if pattern is not None:
            tests.append(_matches(pattern, attribute))
    if rule.prop is not None:
        tests.append(_equals(decoder.getter(rule.prop), rule.equals))

    def holds(line: Line) -> bool:
        return all(test(line) for test in tests)

    return holds


def _matches(pattern: str, attribute: str) -> Callable[[Line], bool]:
    match = re.compile(translate(pattern)).match

    def test(line: Line) -> bool:
        text = getattr(line, attribute)
        return text is not None and match(text) is not None

    return test


def _equals(get: Callable[[Line], Any], wanted: Any) -> Callable[[Line], bool]:
    def test(line: Line) -> bool:
        got = get(line)
        # True == 1 in Python, but not in JSON.
        return type(got) is type(wanted) and bool(got == wanted)

    return test
