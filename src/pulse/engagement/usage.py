"""What a usage event counts: its weight, its feature, its value, or nothing at all.

Opening the app is not using it: events have weights, and weight 0 does not count. `ignore` rules
keep own staff, test accounts, bots and automation out before anything is measured.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulse.engagement.facts import (
    BUG,
    CARD,
    CHECK_IN,
    CSAT,
    NPS,
    PAYMENT,
    STEP,
    SUBSCRIPTION,
    TICKET,
)
from pulse.engagement.measures import MICRO
from pulse.model.fields import MAX_VALUE
from pulse.model.time import parse_ts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.model.wire import Decoder, Line


_LONGEST_REF: Final = 128
_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_FACT: Final = -1
"""Stands where weights do for a fact, which weighs nothing, whatever stands there."""
_NOT_YET: Final = -2
_SECONDS: Final = 100_000_000_000
"""A number below is in seconds: in milliseconds it would be a card that expired before 1974."""
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
class FactRule:
    """Events of this name are no use of the product: they say something of the account.

    `means` is a key of `MEANINGS`. `prop` is the property path of what the fact is about: a
    ticket, a number, the instant at which a card expires; None for one that is always the same.
    """

    event: str
    means: str
    prop: str | None = None


@dataclass(frozen=True, slots=True)
class UsageRules:
    """How events are read. The first weight rule that matches wins; without one an event is 1.

    `steps` are the names of events that are steps of an onboarding.
    """

    feature: str = "properties.feature"
    value: str = "properties.value"
    weights: tuple[WeightRule, ...] = ()
    ignore: tuple[IgnoreRule, ...] = ()
    facts: tuple[FactRule, ...] = ()
    steps: frozenset[str] = frozenset()

    def paths(self) -> set[str]:
        """Every property path that is read."""
        paths = {self.feature, self.value}
        paths |= {rule.prop for rule in self.facts if rule.prop is not None}
        return paths | {rule.prop for rule in self.ignore if rule.prop is not None}


class BadUsageError(ValueError):
    """An event whose properties cannot be counted; `reason` is the dead letter's."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Said(NamedTuple):
    """What an event says of its account: the word `value` on a matter (`engagement.facts`)."""

    matter: str
    value: Any


MEANINGS: Final[dict[str, tuple[str, bool | None]]] = {
    "payment_failed": (PAYMENT, True),
    "payment_recovered": (PAYMENT, False),
    "card_updated": (CARD, None),
    "subscription_cancelled": (SUBSCRIPTION, True),
    "subscription_resumed": (SUBSCRIPTION, False),
    "support_opened": (TICKET, True),
    "support_answered": (TICKET, False),
    "bug_reported": (BUG, True),
    "bug_closed": (BUG, False),
    "nps": (NPS, None),
    "csat": (CSAT, None),
    "check_in": (CHECK_IN, True),
}
"""What a fact may mean: the matter, and the word on it; None where a property has it."""


class FactReader:
    """Reads the facts of one rule."""

    def __init__(self, rule: FactRule, decoder: Decoder) -> None:
        self._rule = rule
        self._get = None if rule.prop is None else decoder.getter(rule.prop)

    def read(self, line: Line) -> Said:
        """What the line says. `BadUsageError` if it makes no sense."""
        matter: str = MEANINGS[self._rule.means][0]
        value: Any = MEANINGS[self._rule.means][1]
        got: Any = None if self._get is None else self._get(line)
        if matter in (TICKET, BUG):
            if isinstance(got, (str, int)) and not isinstance(got, bool):
                ref = str(got)
                if len(ref) > _LONGEST_REF or not ref.isprintable():
                    raise self._bad("not a printable name of at most 128 characters")
                matter += ref
            elif got is not None:
                raise self._bad("not a name or a number")
        elif matter == CARD:
            value = expiry_ms(got)
            if value is None:
                raise self._bad("not an instant, nor a month like 2027-04")
        elif value is None:
            matter += line.user_id or ""
            if type(got) not in (int, float) or not -MAX_VALUE <= got <= MAX_VALUE:
                raise self._bad("not a number")
            value = got
        return Said(matter, value)

    def _bad(self, detail: str) -> BadUsageError:
        where = self._rule.prop or "properties"
        return BadUsageError("wrong_shape", f"{where}: {detail}")


def expiry_ms(said: object) -> int | None:
    """When a card expires (ms): RFC 3339, milliseconds, seconds, or a month, which ends it; None if
    it is none of these.

    >>> expiry_ms("2027-04"), expiry_ms("2027-05-01T00:00:00Z"), expiry_ms("soon")
    (1809129600000, 1809129600000, None)
    >>> expiry_ms(1809129600000), expiry_ms(1809129600)
    (1809129600000, 1809129600000)
    """
    if type(said) is int and 0 <= said < _SECONDS:
        said *= 1_000
    if isinstance(said, str) and (month := _MONTH.fullmatch(said)):
        year, number = int(month[1]), int(month[2])
        year, number = (year, number + 1) if number < 12 else (year + 1, 1)
        said = f"{year:04}-{number:02}-01T00:00:00Z"
    try:
        return parse_ts(said)
    except ValueError:
        return None


class UsageReader:
    """Reads lines by one set of rules."""

    def __init__(self, rules: UsageRules, decoder: Decoder) -> None:
        self._value_path = rules.value
        self._feature_path = rules.feature
        self._ignore = [_condition(rule, decoder) for rule in rules.ignore]
        self.has_ignore_rules = bool(self._ignore)
        self._weights = [(re.compile(translate(rule.event)), rule.weight) for rule in rules.weights]
        self._known: dict[str, int] = {}
        self._facts = {rule.event: FactReader(rule, decoder) for rule in rules.facts}
        self._steps = rules.steps
        self.says_something = bool(rules.steps)
        """Whether also events that count may say something of the account."""

    def facts(self, event: str, line: Line) -> list[Said] | None:
        """What the event says of the account besides use, None if nothing. `BadUsageError` if it
        makes no sense.
        """
        reader = self._facts.get(event)
        if event in self._steps:
            step = Said(STEP + event, True)
            return [step] if reader is None else [reader.read(line), step]
        return None if reader is None else [reader.read(line)]

    def _weight_of(self, event: str) -> int:
        """The weight of a name that is new, `_FACT` where it is a fact."""
        if not event.isprintable():
            raise BadUsageError("wrong_shape", "event: characters that cannot be printed")
        weight = MICRO
        for pattern, given in self._weights:
            if pattern.match(event):
                weight = given
                break
        if event in self._facts:
            weight = _FACT
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
        Facts weigh nothing, whatever stands there.
        """
        weight = self._known.get(event, _NOT_YET)
        if weight == _NOT_YET:
            weight = self._weight_of(event)
        if weight == _FACT:
            return event, 0, 0
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
            return feature, weight, 0
        kind = type(value)
        if kind is int:
            whole: int = value
            if -MAX_VALUE <= whole <= MAX_VALUE:
                return feature, weight, whole * MICRO
        elif kind is float:
            if -MAX_VALUE <= value <= MAX_VALUE:
                return feature, weight, round(value * MICRO)
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
