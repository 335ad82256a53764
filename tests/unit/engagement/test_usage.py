"""What an event counts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pulse.engagement.measures import MICRO
from pulse.engagement.usage import (
    BadUsageError,
    IgnoreRule,
    UsageReader,
    UsageRules,
    WeightRule,
)
from pulse.model.wire import Decoder, Line

EVENT = {"id": "e", "account_id": "acme", "event": "report.run", "ts": 0}


def reader(rules: UsageRules, **changes: Any) -> tuple[UsageReader, Line]:
    decoder = Decoder(rules.paths())
    line = decoder.decode_line(msgspec.json.encode(EVENT | changes))
    assert isinstance(line, Line)
    return UsageReader(rules, decoder), line


def read(rules: UsageRules | None = None, **changes: Any) -> tuple[str, int, int]:
    rules = rules or UsageRules()
    usage, line = reader(rules, **changes)
    decoder = Decoder(rules.paths())
    feature, value = (decoder.getter(path)(line) for path in (rules.feature, rules.value))
    return usage.read(line.event or "", feature, value, is_printable=False)


def ignored(*rules: IgnoreRule, **changes: Any) -> bool:
    usage, line = reader(UsageRules(ignore=rules), **changes)
    return usage.ignores(line)


def test_without_configuration() -> None:
    assert read() == ("report.run", MICRO, 0)
    properties = {"feature": "reports", "value": 2.5, "other": {"deep": [1]}}
    assert read(properties=properties) == ("reports", MICRO, 2_500_000)


def test_properties_may_have_other_names_and_lie_deeper() -> None:
    rules = UsageRules(feature="properties.page", value="properties.watched.minutes")
    properties = {"page": "home", "watched": {"minutes": 15}, "value": "not read"}

    assert read(rules, properties=properties) == ("home", MICRO, 15 * MICRO)
    assert read(rules, properties={"watched": 3}) == ("report.run", MICRO, 0)


@pytest.mark.parametrize(
    ("feature", "name"), [(7, "7"), (1.5, "1.5"), (True, "True"), ("", ""), ("é", "é")]
)
def test_a_feature_that_is_a_number_is_a_name_too(feature: object, name: str) -> None:
    assert read(properties={"feature": feature})[0] == name


@pytest.mark.parametrize(
    ("event", "weight"),
    [
        ("report.run", 2_000_000),
        ("report.share", 3_000_000),
        ("app.opened", 0),
        ("app.opened.again", MICRO),
        ("Report.run", MICRO),
    ],
)
def test_the_first_pattern_that_matches_is_the_weight(event: str, weight: int) -> None:
    rules = UsageRules(
        weights=(
            WeightRule("report.share", 3_000_000),
            WeightRule("report.*", 2_000_000),
            WeightRule("app.opene[de]", 0),
            WeightRule("report.run", 9_000_000),
        )
    )

    assert read(rules, event=event)[1] == weight


@pytest.mark.parametrize(
    "properties",
    [
        {"value": "5"},
        {"value": True},
        {"value": [5]},
        {"value": 1_000_000_001},
        {"value": -1e300},
        {"value": 10**400},
        {"feature": ["a"]},
        {"feature": {}},
        {"feature": "a\nb"},
        {"feature": "a" * 257},
        {"feature": 10**300},
    ],
    ids=str,
)
def test_what_cannot_be_counted(properties: dict[str, Any]) -> None:
    with pytest.raises(BadUsageError) as error:
        read(properties=properties)
    assert error.value.reason == "wrong_shape"


def test_a_name_that_cannot_be_printed() -> None:
    with pytest.raises(BadUsageError):
        read(event="a\x00b")


def test_patterns_keep_accounts_users_events_and_sources_out() -> None:
    assert ignored(IgnoreRule(account="test-*"), account_id="test-7")
    assert not ignored(IgnoreRule(account="test-*"), account_id="a-test-7")
    assert ignored(IgnoreRule(user="*@ourcompany.com"), user_id="ada@ourcompany.com")
    assert not ignored(IgnoreRule(user="*"))  # no user is no match
    assert ignored(IgnoreRule(event="heart*"), event="heartbeat")
    assert ignored(IgnoreRule(source="ci"), source="ci")
    assert ignored(IgnoreRule(source="default"))


def test_a_rule_with_two_conditions_needs_both() -> None:
    rule = IgnoreRule(account="acme", event="export")

    assert ignored(rule, event="export")
    assert not ignored(rule)
    assert not ignored(rule, account_id="other", event="export")


@pytest.mark.parametrize(
    ("value", "leaves_out"), [(True, True), (1, False), ("true", False), (None, False)]
)
def test_a_property_must_be_equal_and_of_the_same_kind(value: object, leaves_out: bool) -> None:
    rule = IgnoreRule(prop="properties.bot", equals=True)

    assert ignored(rule, properties={"bot": value}) is leaves_out
    assert not ignored(rule)


def test_any_rule_is_enough() -> None:
    rules = (IgnoreRule(account="x"), IgnoreRule(event="report.*"))

    assert ignored(*rules)
