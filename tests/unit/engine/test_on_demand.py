"""Trend and key features, from events to score, status and alert."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from pulse.config import Config, ConfigError
from pulse.config.loading import read
from pulse.config.policy import policy
from pulse.config.scoring import MeasureName
from pulse.engagement.distinct import LastSeen
from pulse.engagement.key_features import KeyFeatures
from pulse.engagement.measures import NOT_COUNTED
from pulse.engine.control import source
from pulse.model.time import parse_ts
from pulse.readmodel import document
from pulse.testing.histories import profile, usage
from pulse.testing.playing import Play

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
MONDAY = date(2024, 1, 1)
START_MS = parse_ts("2024-01-01T00:00:00Z")
TREND = {"measure": "trend", "weight": 1, "target": 1}
KEY = {"measure": "key_features", "window": "28d", "weight": 1, "target": 2}
EVENTS = {"measure": "events", "window": "28d", "weight": 1, "target": 1}
SIGNALS = {"usage_drop": {"enabled": False}, "feature_abandoned": {"enabled": False}}


class Story:
    """The account `acme` by these measures, from Monday to Friday at ten."""

    def __init__(self, *measures: dict[str, Any], **settings: Any) -> None:
        said = {"scorecard": list(measures), "signals": SIGNALS, **settings}
        self.policy = policy(Config.model_validate(said))
        self.play = Play(self.policy)
        self.day = 0
        self._number = 0

    def at(self, hour: float) -> int:
        return START_MS + self.day * DAY_MS + round(hour * HOUR_MS)

    def use(self, *features: str, hour: float = 10, back_days: int = 0) -> Story:
        for feature in features:
            self._number += 1
            at_ms = self.at(hour) - back_days * DAY_MS
            said = {"feature": feature}
            line = usage(f"e{self._number}", "acme", at_ms, user_id="ada", properties=said)
            self.play.tick(self.at(hour))
            self.play.add(line)
        self.play.tick(self.at(hour) + 65_000)
        return self

    def days(self, number: int, *features: str) -> Story:
        for _ in range(number):
            if self.day % 7 < 5:
                self.use(*features)
            self.day += 1
            self.play.tick(self.at(0) + 2_000)
        return self

    def status(self) -> dict[str, Any]:
        self.play.settle()
        return self.play.status("acme")

    def trend(self) -> Any:
        return self.status()["measures"]["trend"]

    def document(self) -> dict[str, Any]:
        account = self.play.state.account("acme")
        rules = self.policy.default.scorecard
        return document(account, self.status(), rules, self.policy.activity)


def test_a_week_like_those_before_is_one() -> None:
    story = Story(TREND).days(35, "list", "chart")

    assert story.trend() == 1.0
    for _ in range(7):
        story.days(1, "list", "chart")
        assert story.trend() == 1.0
    assert story.status()["contributions"] == {"trend": 100.0}


def test_it_grows_at_once_and_falls_at_a_days_start() -> None:
    story = Story(TREND).days(42, "list", "chart")
    story.use(*["list"] * 12)
    assert story.trend() == 2.0  # eight from Tuesday on and twelve, of ten

    story = Story(TREND).days(42, "list", "chart")
    falls = []
    for _ in range(8):
        story.play.tick(story.at(12))
        falls.append(story.trend())
        story.days(1)
    # Each day's start takes away what the same day of the week had; those before are as usual.
    assert falls[:6] == [1.0, 0.8, 0.6, 0.4, 0.2, 0.0]
    assert story.status()["score"] == 0


def test_a_late_event_of_a_week_before_counts_from_the_next_day_on() -> None:
    story = Story(TREND).days(42, "list", "chart").use("list", back_days=10)
    today = story.trend()
    assert today == 1.0

    story.days(1, "list", "chart")
    assert story.trend() < today


@pytest.mark.parametrize(("days", "has"), [(34, False), (35, True), (36, True)])
def test_it_needs_35_days_and_else_gives_its_weight_away(days: int, has: bool) -> None:
    status = Story({**TREND, "weight": 99}, EVENTS).days(days, "list").status()

    assert (status["measures"]["trend"] is not None) is has
    assert ("trend" in status["contributions"]) is has
    assert has or status["contributions"] == {"events": 100.0}


def test_who_comes_back_begins_again() -> None:
    story = Story(TREND, EVENTS).days(60, "list").days(90)
    assert story.trend() is None

    story.days(28, "list")
    assert story.trend() is None
    assert story.days(14, "list").trend() == 1.0


def test_holidays_make_both_spans_shorter() -> None:
    closed = [MONDAY + timedelta(days=day) for day in (42, 43)]
    without: dict[str, Any] = {"holidays": [{"days": [day.isoformat() for day in closed]}]}

    def week(**settings: Any) -> float:
        story = Story(TREND, **settings).days(42, "list").days(2).days(5, "list")
        found: float = story.trend()
        return found

    assert week() == pytest.approx(0.6)
    assert week(**without) == pytest.approx(0.84)  # three of five days, seven fifths of that


def test_there_is_none_where_a_whole_week_was_free() -> None:
    closed = [(MONDAY + timedelta(days=42 + day)).isoformat() for day in range(7)]
    story = Story(TREND, EVENTS, holidays=[{"days": closed}]).days(42, "list").days(7)

    assert story.trend() is None
    assert story.status()["contributions"] == {"events": 100.0}


def test_days_that_were_not_observed_are_left_out_as_holidays_are() -> None:
    story = Story(TREND).days(42, "list")
    for state in ("stopped", "running"):
        story.play.log.control("source", source("default", state, story.at(1)).value)
        story.play.apply(story.play.log.records[-1:])
        if state == "stopped":
            story.days(2)
    story.days(5, "list")

    # Three days of use over the four that were observed from end to end.
    assert story.trend() == pytest.approx(3 / 4 / (20 / 28), abs=0.001)


def test_a_window_below_its_minimum_counts_as_empty() -> None:
    least: dict[str, Any] = {"active": {"window": {"7d": {"events": 6}}}, "key_features": ["sso"]}
    story = Story(TREND, KEY | {"window": "7d", "target": 1}, usage=least).days(42, "sso")

    status = story.status()
    assert status["measures"]["trend"] == 0.0
    assert status["measures"]["key_features"] == {"7d": 0, "28d": 1, "84d": 1}


def test_key_features_count_as_soon_as_they_are_used() -> None:
    story = Story(KEY, usage={"key_features": ["sso", "export.*", "api"]})
    story.days(1, "list", "export.csv", "export.pdf")
    assert story.status()["measures"]["key_features"] == {"7d": 1, "28d": 1, "84d": 1}
    assert story.status()["score"] == 50.0

    story.use("sso")
    assert story.status()["score"] == 100.0
    story.days(28, "list")
    assert story.status()["measures"]["key_features"] == {"7d": 0, "28d": 1, "84d": 2}
    story.days(1, "list")
    assert story.status()["measures"]["key_features"] == {"7d": 0, "28d": 0, "84d": 2}


def test_a_segment_has_targets_of_its_own() -> None:
    story = Story(
        EVENTS,
        usage={"key_features": ["sso", "api"]},
        segments={"large": {"scorecard": [KEY | {"target": 1}]}},
    )
    story.play.tick(START_MS)
    story.play.add(profile("p", "acme", START_MS, segment="large"))
    status = story.days(1, "sso").status()

    assert status["contributions"] == {"key_features": 100.0}
    assert "trend" not in status["measures"]


def test_what_nobody_asks_for_is_not_there() -> None:
    status = Story(EVENTS, usage={"key_features": ["sso"]}).days(40, "sso").status()

    assert not {"trend", "key_features"} & set(status["measures"])


def test_an_alert_says_both() -> None:
    story = Story(TREND, KEY, usage={"key_features": ["sso", "export.*", "api"]})
    story.days(63, "sso", "export.pdf").days(22, "list", "list").days(14)

    [alert] = [each for each in story.play.outcome.alerts if each.reason == "danger"]
    assert alert.summary.endswith(
        " % of a usual week. Key features not used for 28 days: sso, export.*."
    )
    assert alert.evidence["key_features_given_up"] == ["sso", "export.*"]
    now, then = alert.measures.now, alert.measures.then
    assert now.trend is not None
    assert then is not None
    assert (now.trend < 1, then.trend) == (True, 1)
    assert now.key_features is not None
    assert now.key_features.days_28 == 0
    assert then.key_features is None


def test_what_it_was_is_told_beside_what_it_is() -> None:
    rules = {"key_features": ["sso", "api"]}
    found = Story(TREND, KEY, usage=rules).days(63, "sso").days(28).document()

    assert found["measures"]["trend"] == 0.0  # its last Friday of use is in the weeks before
    assert found["then"]["measures"]["trend"] == 1.0


def many(*names: str) -> LastSeen:
    """The features of an account that has 4,000 of them."""
    features = LastSeen(500)
    for number in range(4_000):
        features.touch(f"page {number}", 100, 100)
    for name in names:
        features.touch(name, 100, 100)
    return features


def test_beyond_500_features_those_in_the_sample_stand_for_all() -> None:
    names = tuple(f"key {number}" for number in range(60))
    half, features = names[::2], many()
    assert features.level > 2

    assert KeyFeatures(names).windows(features, 100) == (0, 0, 0)
    assert KeyFeatures(names).windows(many(*names), 100) == (60, 60, 60)
    assert 15 <= KeyFeatures(names).windows(many(*half), 100)[0] <= 45
    seen, unseen = (
        [name for name in names if features.can_keep(name) is kept] for kept in (True, False)
    )
    assert KeyFeatures(tuple(unseen)).windows(features, 100) == NOT_COUNTED
    assert KeyFeatures((seen[0], unseen[0])).windows(many(seen[0]), 100) == (2, 2, 2)


def test_beyond_500_features_the_count_is_marked() -> None:
    story = Story(KEY | {"target": 1}, usage={"key_features": ["page *"]})
    story.use(*[f"page {number}" for number in range(600)])
    status = story.status()

    assert status["approximate"] == ["features", "key_features"]
    assert status["score"] == 100.0
    assert KeyFeatures(("page *",)).given_up(many(), 200) == []


TARGETS: list[Any] = [2, {"per_seat": 0.5}, {"of_baseline": 1}]
NUMBER_ONLY = {"recency_days", "active_days_ever", "trend", "key_features"}


@pytest.mark.parametrize("measure", MeasureName.__args__)  # type: ignore[attr-defined]  # a Literal
@pytest.mark.parametrize("target", TARGETS)
def test_every_target_works_or_is_refused(measure: str, target: Any) -> None:
    usage_of = "usage: {key_features: [list, chart]}\n"
    said = f"{usage_of}scorecard: [{{measure: {measure}, weight: 1, target: {target}}}]"
    if isinstance(target, dict) and measure in NUMBER_ONLY:
        with pytest.raises(ConfigError, match=f"of {measure} must be a number"):
            read(Config, said.replace("'", ""))
        return
    config = read(Config, said.replace("'", ""))
    story = Story(*config.model_dump()["scorecard"], usage={"key_features": ["list", "chart"]})
    story.play.tick(START_MS)
    story.play.add(profile("p", "acme", START_MS, seats=4, mrr=10))
    for _ in range(40):
        at_ms = story.at(10)
        line = usage(
            f"v{story.day}",
            "acme",
            at_ms,
            user_id="bob",
            properties={"feature": "chart", "value": 9},
        )
        story.play.tick(at_ms)
        story.play.add(line)
        story.days(1, "list")

    assert story.status()["score"] > 0
