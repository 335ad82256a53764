from __future__ import annotations

import re
from typing import get_args

import pytest
from pydantic import ValidationError

from pulse.config import Config, duration_text
from pulse.config.fields import Window, duration_ms
from pulse.config.loading import read
from pulse.config.scoring import MeasureName
from pulse.engagement.measures import WINDOW_NAMES, WINDOWED


def test_the_version_is_twelve_hex_digits_and_always_the_same() -> None:
    assert re.fullmatch("[0-9a-f]{12}", Config().version)
    assert Config().version == read(Config, "line: {enter: 40.0, dwell: 24h}").version


@pytest.mark.parametrize(
    "text",
    [
        "timezone: Europe/Berlin",
        "usage: {feature: properties.page}",
        "usage: {weights: [{event: a, weight: 2}]}",
        "usage: {active: {window: {28d: {value: 900}}}}",
        "scorecard: [{measure: events, weight: 1, target: 1}]",
        "line: {dwell: 2d}",
        "segments: {big: {line: {enter: 41}}}",
        "lifecycle: {new_days: 29}",
        "signals: {silence: {days: 22}}",
        "plays: {danger: Call.}",
    ],
)
def test_what_decides_results_changes_the_version(text: str) -> None:
    assert read(Config, text).version != Config().version


@pytest.mark.parametrize(
    "text",
    [
        "clock: events",
        "kafka: {partitions: 8}",
        "redis: {enabled: false}",
        "worker: {page_accounts: 8}",
        "notifier: {concurrency: 1}",
        "route: {group_by: [owner]}",
        "receivers: [{name: a, kind: webhook, url: 'https://a', secret_env: A}]",
    ],
)
def test_what_decides_no_result_leaves_the_version(text: str) -> None:
    assert read(Config, text).version == Config().version


def test_the_order_of_weight_rules_changes_the_version() -> None:
    one = "usage: {weights: [{event: a, weight: 1}, {event: b, weight: 2}]}"
    other = "usage: {weights: [{event: b, weight: 2}, {event: a, weight: 1}]}"

    assert read(Config, one).version != read(Config, other).version


def test_every_setting_decides_results_or_does_not() -> None:
    # A line file says what `line` is, and that decides.
    running = {
        "clock", "kafka", "redis", "worker", "collector", "receivers", "notifier", "line_file",
        "time_intervals", "owners", "route", "inhibit", "budget", "holdout", "web", "history",
    }  # fmt: skip

    assert running | set(Config.DECIDES_RESULTS) == set(Config.model_fields)
    assert not running & set(Config.DECIDES_RESULTS)


def test_a_segment_changes_only_what_it_says() -> None:
    config = read(
        Config,
        """
        line: {enter: 30, dwell: 2d}
        segments:
          enterprise:
            line: {enter: 45, min_active_days: 0}
            scorecard: [{measure: events, weight: 1, target: 1}]
          small: {}
        """,
    )

    enterprise = config.line_for("enterprise")
    assert (enterprise.enter, enterprise.exit, enterprise.dwell_ms) == (45, 50, 2 * 86_400_000)
    assert enterprise.min_active_days == 0
    assert len(config.scorecard_for("enterprise")) == 1
    for segment in ("small", "unheard-of", None):
        assert config.line_for(segment) == config.line
        assert config.scorecard_for(segment) == config.scorecard


def test_the_default_scorecard_is_that_of_the_design() -> None:
    rules = [(rule.called, rule.window, rule.weight) for rule in Config().scorecard]

    assert rules == [
        ("active_users", "28d", 30),
        ("active_days", "28d", 25),
        ("features", "28d", 15),
        ("events", "28d", 20),
        ("recency_days", None, 10),
    ]


def test_measures_and_windows_are_those_that_are_measured() -> None:
    assert set(get_args(MeasureName)) == {
        *WINDOWED,
        "recency_days",
        "active_days_ever",
        "value_per_mrr",
        "trend",
        "key_features",
    }
    assert get_args(Window) == WINDOW_NAMES


def test_the_configuration_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().clock = "events"  # type: ignore[misc]  # that is the point


def test_what_is_written_is_read_back() -> None:
    config = read(
        Config,
        """
        line: {dwell: 90m}
        usage: {ignore: [{property: properties.bot, equals: true}]}
        receivers: [{name: a, kind: webhook, url: 'https://a', secret_env: A}]
        """,
    )

    assert read(Config, config.model_dump_json()) == config


@pytest.mark.parametrize("equals", ["true", "false", "1", "1.5", "'1'", "a"])
def test_what_a_property_equals_keeps_its_type(equals: str) -> None:
    config = read(Config, f"usage: {{ignore: [{{property: properties.a, equals: {equals}}}]}}")

    expected = {"true": True, "false": False, "1": 1, "1.5": 1.5, "'1'": "1", "a": "a"}[equals]
    found = config.usage.ignore[0].equals
    assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize("text", ["0s", "1s", "90s", "15m", "1h", "1d", "366d"])
def test_a_duration_is_read_and_written(text: str) -> None:
    assert duration_ms(duration_text(duration_ms(text))) == duration_ms(text)
