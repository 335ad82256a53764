"""Another configuration: in force from a place of the log on, and what that does to accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS
from pulse.engine import Effects, Engine, PartitionState, control
from pulse.model.time import parse_ts
from pulse.testing.histories import Log, usage
from pulse.testing.playing import Outcome

if TYPE_CHECKING:
    from pulse.engine import Policy
    from pulse.model import Alert

START_MS = parse_ts("2024-01-01T00:00:00Z")


def rules(enter: float = 40, **changes: Any) -> Policy:
    line = {
        "enter": enter, "exit": enter + 10, "approach": enter + 15, "dwell": "1d",
        "min_history_days": 7, "forecast_days": 0,
    }  # fmt: skip
    scorecard = [{"measure": "active_days", "window": "28d", "weight": 1, "target": 28}]
    return policy(Config.model_validate({"scorecard": scorecard, "line": line, **changes}))


OLD, NEW = rules(40), rules(70)


def at(day: float) -> int:
    return START_MS + round(day * DAY_MS)


class Takeover:
    """One partition whose workers follow one another, each with a configuration of its own."""

    def __init__(self) -> None:
        self.log = Log()
        self.state = PartitionState(0)
        self.outcome = Outcome()
        self.effects: list[Effects] = []

    def activate(self, by: Policy) -> None:
        record = control.config(by.version)
        self.log.add(record.value, *record.headers)

    def live(self, first: int, last: int) -> None:
        """Account n is used on n + 1 days of every 28."""
        for day in range(first, last):
            self.log.tick(at(day) + 2_000)
            self.log.tick(at(day + 10 / 24))
            for number in range(28):
                if (day + number * 5) % 28 <= number:
                    name = f"a{number:02}"
                    self.log.add(usage(f"{day}-{name}", name, at(day + 10 / 24)))

    def work(self, by: Policy) -> list[Alert]:
        """What a worker that starts with these rules makes of the rest of the log."""
        self.state.held_by = None
        before = len(self.outcome.alerts)
        effects = Engine(by).apply(self.state, self.log.records[self.state.position :])
        self.outcome.take(effects)
        self.effects.append(effects)
        return self.outcome.alerts[before:]


def taken_over(days: int = 60) -> Takeover:
    """Sixty days by the old rules, then the new ones are activated."""
    play = Takeover()
    play.activate(OLD)
    play.live(0, days)
    play.work(OLD)
    play.activate(NEW)
    return play


def test_the_first_configuration_is_in_force_and_causes_nothing() -> None:
    play = Takeover()
    play.live(0, 40)
    play.activate(OLD)
    play.live(40, 41)
    alerts = play.work(OLD)

    assert play.state.config == OLD.version
    assert play.state.held_by is None
    assert {alert.caused_by for alert in alerts} == {None}


def test_a_worker_stops_where_another_configuration_is_in_force() -> None:
    play = taken_over()
    place = len(play.log.records) - 1
    play.live(60, 62)
    play.work(OLD)

    assert play.state.held_by == NEW.version
    assert play.state.position == place
    assert play.work(OLD) == []
    assert play.state.position == place


def test_a_worker_whose_configuration_was_not_activated_applies_nothing() -> None:
    play = Takeover()
    play.activate(OLD)
    play.live(0, 40)
    play.work(OLD)
    place = play.state.position
    play.live(40, 41)
    packed = {name: play.state.packed(name) for name in play.state.ids()}

    assert play.work(NEW) == []
    assert (play.state.held_by, play.state.position) == (OLD.version, place)
    assert packed == {name: play.state.packed(name) for name in play.state.ids()}


def test_what_comes_before_the_place_is_for_the_old_one_alone() -> None:
    play = Takeover()
    play.activate(OLD)
    play.live(0, 40)
    play.work(OLD)
    play.live(40, 41)
    play.activate(NEW)
    assert play.work(NEW) == []
    assert play.state.held_by == OLD.version

    play.work(OLD)
    assert play.state.held_by == NEW.version
    play.work(NEW)
    assert play.state.held_by is None
    assert play.state.position == len(play.log.records)


def test_crossings_that_rules_cause_come_at_once_and_are_marked() -> None:
    play = taken_over()
    zones = {name: play.state.account(name).zone for name in play.state.ids()}
    alerts = play.work(NEW)
    after = {name: play.state.account(name).zone for name in play.state.ids()}

    changed = {name for name in zones if zones[name] != after[name]}
    assert len(changed) > 5
    assert {alert.account_id for alert in alerts} == changed
    assert {alert.caused_by for alert in alerts} == {"configuration"}
    assert {alert.config_version for alert in alerts} == {NEW.version}
    firing = [alert for alert in alerts if alert.status == "firing"]
    assert {alert.at for alert in firing} == {play.state.clock_ms}
    # Though the line asks for a day beyond it.
    assert NEW.default.line.dwell_ms == DAY_MS


def test_one_summary_says_how_many_went_where() -> None:
    play = taken_over()
    zones = {name: play.state.account(name).zone for name in play.state.ids()}
    play.work(NEW)
    (said,) = play.effects[-1].summaries

    expected: dict[str, int] = {}
    for name, before in sorted(zones.items()):
        after = play.state.account(name).zone
        if after != before:
            expected[f"{before} → {after}"] = expected.get(f"{before} → {after}", 0) + 1
    assert said.version == NEW.version
    assert said.moved == expected
    assert said.scores is None


def test_it_goes_on_by_the_new_rules_and_says_nothing_twice() -> None:
    play = taken_over()
    play.work(NEW)
    play.activate(NEW)
    play.live(60, 64)
    later = play.work(NEW)

    assert {alert.caused_by for alert in later} <= {None}
    assert [s for e in play.effects[-1:] for s in e.summaries] == []


def test_whose_own_score_is_on_its_way_crosses_by_itself() -> None:
    play = taken_over()
    account = play.state.find("a16")
    assert account is not None
    assert (account.zone, account.score and 40 < account.score < 70) == ("approaching", True)
    account.danger.turning_ms = at(59)
    account.deadline_ms = at(60)
    play.live(60, 61)
    alerts = [alert for alert in play.work(NEW) if alert.account_id == "a16"]

    assert [(a.reason, a.caused_by, a.at) for a in alerts] == [("danger", None, at(60))]


def test_alerts_whose_rule_is_gone_resolve_marked() -> None:
    quiet = rules(40, signals={"usage_drop": {"enabled": False}})
    play = Takeover()
    play.activate(OLD)
    for day in range(90):
        play.log.tick(at(day) + 2_000)
        play.log.tick(at(day + 10 / 24))
        for number in range(10 if day < 82 else 1):
            play.log.add(usage(f"{day}-{number}", "acme", at(day + 10 / 24)))
    play.log.tick(at(89 + 11 / 24))
    assert ("usage_drop", "firing") in {(a.reason, a.status) for a in play.work(OLD)}
    play.activate(quiet)
    (gone,) = play.work(quiet)

    assert (gone.reason, gone.resolution, gone.caused_by) == (
        "usage_drop", "rule_removed", "configuration"
    )  # fmt: skip


def test_what_is_ahead_of_the_log_is_not_evaluated_again() -> None:
    play = taken_over()
    twin = taken_over()
    place = play.state.position
    play.work(NEW)
    # A worker dies after it wrote every page, and before it wrote the manifest.
    for page in play.state.pages:
        page.guard = place + 1
    play.state.guarded = place + 1
    play.state.position, play.state.config = place, OLD.version
    play.state.summed_config, play.state.told_ms = "", 0
    again = play.work(NEW)
    twin.work(NEW)

    assert again == []
    assert play.effects[-1].summaries == []
    for name in play.state.ids():
        assert play.state.packed(name) == twin.state.packed(name)


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b'{"version":7}', b"\xff"])
def test_what_cannot_be_read_is_counted_and_changes_nothing(value: bytes) -> None:
    play = Takeover()
    play.log.control("config", value)
    play.work(OLD)

    assert play.outcome.counts["unknown_control"] == 1
    assert play.state.config is None
    assert play.state.held_by is None
