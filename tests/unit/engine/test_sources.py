"""A source stops: its accounts are in no zone, its days are not observed, and one alert says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine.control import read_source, source
from pulse.testing.histories import usage
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.model import Alert

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
START_MS = 1_704_067_200_000  # a Monday
RULES = {"signals": {"silence": {"days": 5, "min_active_days": 5}}}

Sources = dict[str, tuple[str, ...]]
"""By account: the sources from which it has events, each on every working day."""


class Story:
    """Accounts that are used on every working day, through an outage."""

    def __init__(self, accounts: Sources, rules: dict[str, Any] | None = None) -> None:
        self.play = Play(policy(Config.model_validate(RULES if rules is None else rules)))
        self.accounts = accounts
        self.day = 0

    def days(self, number: int, uses: Callable[[str, str], bool] = lambda a, s: True) -> Story:
        """So many days pass; `uses` says of account and source whether events come."""
        for _ in range(number):
            for hour in range(8, 20):
                at_ms = self.at(hour)
                self.play.tick(at_ms)
                if self.day % 7 < 5:
                    for account, sources in self.accounts.items():
                        for name in sources:
                            if uses(account, name):
                                self.use(account, name, at_ms)
            self.day += 1
            self.play.tick(self.at(0) + 60_000)
        return self

    def use(self, account: str, name: str, at_ms: int) -> None:
        key = f"{account}-{name}-{at_ms}"
        self.play.add(usage(key, account, at_ms, user_id=f"u{at_ms % 3}", source=name))

    def source(self, name: str, state: Any, hour: int) -> Story:
        self.play.tick(self.at(hour))
        self.play.source(name, state, self.at(hour))
        return self

    def at(self, hour: int) -> int:
        return START_MS + self.day * DAY_MS + hour * HOUR_MS

    def zone(self, account: str) -> str:
        return str(self.play.status(account)["zone"])

    def alerts(self, of: str = "") -> list[Alert]:
        alerts = self.play.outcome.alerts_in_order()
        return [each for each in alerts if of in (each.account_id, "")]


def outage(account: str, name: str) -> bool:
    """No event of `web`."""
    return name != "web"


def test_its_accounts_are_in_no_zone_until_it_runs_again() -> None:
    story = Story({"one": ("web",), "both": ("web", "app"), "other": ("app",)}).days(70)
    assert [story.zone(name) for name in ("one", "both", "other")] == ["healthy"] * 3
    story.source("web", "stopped", 0)
    assert [story.zone(name) for name in ("one", "both", "other")] == [
        "unknown",
        "healthy",
        "healthy",
    ]
    story.days(3, outage)
    assert story.zone("one") == "unknown"
    story.source("web", "running", 1)
    assert story.zone("one") == "healthy"


def test_it_holds_at_once_also_where_it_is_said_between_two_ticks() -> None:
    story = Story({"acme": ("web",), "globex": ("app",)}).days(35)
    story.play.tick(story.at(10))
    story.play.source("web", "stopped", story.at(10) + 600)
    assert (story.zone("acme"), story.zone("globex")) == ("unknown", "healthy")
    story.play.source("web", "running", story.at(10) + 700)
    assert story.zone("acme") == "healthy"

    story.source("web", "stopped", 11)
    story.play.tick(story.at(12))
    story.play.source("web", "running", story.at(12) + 600)
    assert story.zone("acme") == "healthy"


def test_they_stay_in_no_zone_though_they_were_used_just_before() -> None:
    story = Story({"one": ("web",)}).days(70)
    story.play.tick(story.at(8))
    story.use("one", "web", story.at(8))
    story.source("web", "stopped", 10)
    assert story.zone("one") == "unknown"
    story.play.tick(story.at(10) + 5_000)
    assert story.zone("one") == "unknown"


@pytest.mark.parametrize("used_ms", [57_000, 59_000])
def test_a_minute_that_has_just_ended_says_nothing_against_it(used_ms: int) -> None:
    story = Story({"one": ("web",)}).days(70)
    stopped_ms = story.at(8) + 61_000
    story.play.tick(story.at(8) + 58_000)
    story.use("one", "web", story.at(8) + 57_000)
    story.play.tick(stopped_ms)
    story.play.source("web", "stopped", stopped_ms)
    story.use("one", "web", story.at(8) + used_ms)  # the second of them for the first time
    for after_ms in (2_000, 70_000):
        story.play.tick(stopped_ms + after_ms)
        assert story.zone("one") == "unknown"


def test_one_alert_says_so_and_another_that_it_runs_again() -> None:
    story = Story({f"a{n}": ("web",) for n in range(9)}).days(70)
    stopped_ms = story.at(1)
    story.source("web", "stopped", 1).source("web", "stopped", 2)
    story.days(3, outage).source("web", "running", 1).source("web", "running", 2)

    firing, resolved = story.alerts()
    assert (firing.account_id, firing.reason, firing.status) == ("*", "source_stopped", "firing")
    assert firing.started_at == firing.since == stopped_ms
    assert firing.evidence["source"] == "web"
    assert (resolved.id, resolved.status) == (firing.id, "resolved")
    assert resolved.summary == "The source web runs again: its accounts are watched as before."


def test_who_stops_again_at_the_same_instant_is_told_of_again() -> None:
    story = Story({"one": ("web",)}).days(70)
    for state in ("stopped", "running", "stopped"):
        story.source(name="web", state=state, hour=1)
    first, resolved, again = story.alerts()
    assert resolved.id == first.id != again.id
    assert again.since == first.since + 1


def test_what_has_ended_is_known_as_long_as_somebody_need_know_it() -> None:
    """One account is brought up over twelve days before another one's first of them is begun."""
    story = Story({"one": ("web",), "other": ("web",)}).days(70)
    story.source("web", "stopped", 0).days(1, outage).source("web", "running", 0)
    known = story.play.state.outages.found
    assert len(known) == 1
    account = story.play.state.account("one")
    story.play.state.outages.look_at(account, story.at(0) + 12 * DAY_MS)
    assert story.play.state.outages.found == known
    story.days(11)
    assert not story.play.state.outages


@pytest.mark.parametrize("is_said", [True, False])
def test_there_is_no_alarm_of_an_account_meanwhile_nor_afterwards(is_said: bool) -> None:
    """Two weeks without an event, which nobody but the pipeline can help."""
    story = Story({"one": ("web",)}).days(84)
    if is_said:
        story.source("web", "stopped", 0)
    story.days(14, outage)
    if is_said:
        story.source("web", "running", 0)
    story.days(70)

    if is_said:
        assert {each.reason for each in story.alerts("one")} == set()
        assert story.zone("one") == "healthy"
    else:
        assert {"silence", "usage_drop"} <= {each.reason for each in story.alerts("one")}


def test_silence_is_put_off_by_the_days_that_were_not_observed() -> None:
    story = Story({"one": ("web",)}).days(70 + 5)
    story.days(1, lambda a, s: False)
    story.source("web", "stopped", 0).days(2, outage).source("web", "running", 0)
    story.days(12, lambda a, s: False)

    (silence,) = [each for each in story.alerts("one") if each.reason == "silence"]
    # Five days, and the two that were not seen, and the one that had just begun.
    assert silence.at - silence.since == (5 + 3) * DAY_MS


def test_after_a_long_outage_nothing_is_said_until_there_is_half_a_week_to_judge_by() -> None:
    story = Story({"one": ("web",)}).days(70)
    story.source("web", "stopped", 0).days(6, outage).source("web", "running", 0)
    assert story.zone("one") == "unknown"
    story.days(2)
    assert story.zone("one") == "unknown"
    story.days(3)
    assert story.zone("one") == "healthy"


def test_who_was_in_danger_stays_so_and_nothing_begins_or_ends_meanwhile() -> None:
    quiet = {"signals": {"silence": {"enabled": False}, "usage_drop": {"enabled": False}}}
    story = Story({"one": ("web",)}, quiet).days(70).days(25, lambda a, s: False)
    (danger,) = [each for each in story.alerts("one") if each.reason == "danger"]
    assert danger.status == "firing"
    before = len(story.alerts("one"))
    story.source("web", "stopped", 0)
    assert story.zone("one") == "unknown"
    story.days(10, outage)
    assert len(story.alerts("one")) == before
    story.source("web", "running", 0).days(2, lambda a, s: False)
    assert len(story.alerts("one")) == before


def test_an_event_of_another_source_makes_it_an_account_of_that_one_too() -> None:
    story = Story({"one": ("web",)}).days(70)
    story.use("one", "app", story.at(1))
    story.source("web", "stopped", 2)
    assert story.zone("one") == "healthy"


def test_what_was_not_used_for_weeks_is_no_source_any_more() -> None:
    story = Story({"one": ("web", "app")}).days(40).days(30, lambda a, s: s == "web")
    story.source("web", "stopped", 2)
    assert story.zone("one") == "unknown"


def test_what_is_due_before_it_is_said_belongs_to_what_was_known_then() -> None:
    story = Story({"one": ("web",)}).days(70).days(10, lambda a, s: False)
    reasons = [each.reason for each in story.alerts("one")]
    story.source("web", "stopped", 0)
    assert [each.reason for each in story.alerts("one")] == reasons
    assert "silence" in reasons


@pytest.mark.parametrize(
    "value",
    [b"{}", b"no json", b'{"type":"source","source":"","state":"stopped","ts":1}',
     b'{"type":"source","source":"web","state":"broken","ts":1}',
     b'{"type":"source","source":"web","state":"stopped","ts":"2024"}'],
)  # fmt: skip
def test_what_cannot_be_read_is_counted(value: bytes) -> None:
    story = Story({"one": ("web",)}).days(1)
    story.play.log.control("source", value)
    story.play.apply(story.play.log.records[-1:])
    assert story.play.outcome.counts["unknown_control"] == 1
    assert read_source(value) is None


def test_what_is_written_is_read() -> None:
    said = read_source(source("web", "running", 5).value)
    assert said is not None
    assert (said.source, said.state, said.ts) == ("web", "running", 5)
