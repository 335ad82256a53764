"""Routes, intervals, inhibitions, budgets and owners: what they mean, and what is wrong in them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from pulse.alerting.book import Rules
from pulse.alerting.brief import Brief
from pulse.alerting.stages.budget import Budget
from pulse.alerting.stages.hours import Interval
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Inhibition
from pulse.alerting.stages.owners import Owners
from pulse.alerting.stages.routing import Addressee, Route, route
from pulse.config import Config, ConfigError
from pulse.config.loading import read
from pulse.config.pipeline import pipeline_rules

RECEIVERS = """
receivers:
  - {name: cs, kind: webhook, url: 'https://a.example', secret_env: A, reasons: [danger]}
  - {name: crm, kind: webhook, url: 'https://b.example', secret_env: B, send_resolved: false,
     timezone: Asia/Tokyo}
timezone: Europe/Berlin
"""
INTERVALS = """
time_intervals:
  - {name: work, weekdays: [monday, friday], times: ["09:00-12:00", "13:00-24:00"]}
  - {name: free, dates: [2026-12-25]}
"""


def rules(text: str = "") -> Rules:
    return pipeline_rules(read(Config, RECEIVERS + INTERVALS + text))


def mistake(text: str) -> str:
    with pytest.raises(ConfigError) as found:
        read(Config, RECEIVERS.lstrip() + INTERVALS.lstrip() + text.lstrip(), "p.yaml")
    return str(found.value)


def brief(**facts: object) -> Brief:
    said = {"id": "al_1", "account_id": "acme", "reason": "danger", "severity": "critical"}
    return Brief(**{"status": "firing", "at_ms": 0, **said, **facts})  # type: ignore[arg-type]


USUAL = (Inhibition(Matcher(reasons=("usage_drop",)), Matcher(reasons=("payment_failed",))),)
"""A failed payment holds a drop of the same account's use."""


def test_the_defaults_send_all_at_once_but_what_the_usual_inhibitions_hold() -> None:
    found = rules()

    assert found.root == Route(receivers=("cs", "crm"))
    assert found.addressees == {
        "cs": Addressee("cs", ("danger",), True, "Europe/Berlin"),
        "crm": Addressee("crm", ("*",), False, "Asia/Tokyo"),
    }
    assert (found.inhibitions, found.budget, found.owners) == (USUAL, Budget(), Owners())
    assert rules("inhibit: []").inhibitions == ()
    # As the engine makes it: who has cancelled has churned, and somebody is to call.
    left = brief(reason="subscription_cancelled", lifecycle="churned")
    assert not any(each.mutes.matches(left) for each in found.inhibitions)


def test_a_route_has_what_it_does_not_say_from_the_one_above() -> None:
    found = rules(
        """
route:
  receivers: [cs]
  group_by: [owner]
  group_wait: 30s
  repeat_interval: 7d
  only_in: [work]
  routes:
    - match: {segments: ["enter*"], mrr_from: 1000}
      group_by: []
      continue: true
      routes:
        - {match: {severities: [critical]}, receivers: [crm], only_in: [], budget: false}
    - {match: {reasons: [silence]}, not_in: [free], group_interval: 5m}
"""
    )
    big, quiet = found.root.routes
    (worst,) = big.routes

    assert (big.receivers, big.group_by, big.wait_ms, big.goes_on) == (("cs",), (), 30_000, True)
    assert big.key == "all/segments=enter*,mrr_from=1000"
    assert (worst.receivers, worst.budgeted, worst.repeat_ms) == (("crm",), False, 7 * 86_400_000)
    assert (worst.hours.active, worst.goes_on) == ((), False)
    assert worst.key == "all/segments=enter*,mrr_from=1000/severities=critical"
    assert quiet.hours.active[0] == Interval(
        name="work", weekdays=(0, 4), times=((540, 720), (780, 1440))
    )
    assert quiet.hours.mute == (Interval(name="free", dates=(date(2026, 12, 25),)),)
    assert (quiet.interval_ms, found.root.interval_ms) == (300_000, 0)


def test_routes_with_the_same_match_have_names_of_their_own() -> None:
    found = rules("route: {routes: [{continue: true}, {continue: true, receivers: [cs]}, {}]}")

    assert [each.key for each in found.root.routes] == ["all/", "all/#2", "all/#3"]


def test_where_an_alert_goes_can_be_asked() -> None:
    found = rules("route: {receivers: [], routes: [{match: {plans: [pro]}, receivers: [cs, crm]}]}")

    told = list(route(found.root, found.addressees, brief(plan="pro")))
    assert [to[1].name for to in told if not hasattr(to, "stage")] == ["cs", "crm"]
    assert list(route(found.root, found.addressees, brief(plan="free"))) == []


def test_inhibitions_budget_and_owners() -> None:
    found = rules(
        """
inhibit:
  - {by: {reasons: [payment_failed]}, mutes: {reasons: [usage_drop]}}
  - {mutes: {lifecycles: [churned]}, same_account: false}
budget: {weekly: 10, digest: {at: "16:30", weekdays: [friday]}}
owners: {rule: least_loaded, team: [kim, lee]}
"""
    )

    assert found.inhibitions == (
        Inhibition(Matcher(reasons=("usage_drop",)), Matcher(reasons=("payment_failed",))),
        Inhibition(Matcher(lifecycles=("churned",)), None, same_account=False),
    )
    assert found.budget == Budget(10, 16 * 60 + 30, (4,))
    assert found.owners == Owners("least_loaded", ("kim", "lee"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "route: {receivers: [crmm]}",
            'p.yaml:9:21: route.receivers[0]: there is no receiver "crmm"; did you mean "crm"?',
        ),
        (
            "route:\n  routes:\n    - {only_in: [wrk]}",
            'p.yaml:11:18: route.routes[0].only_in[0]: there is no time interval "wrk"; '
            'did you mean "work"?',
        ),
        (
            "route:\n  routes:\n    - {}\n    - {receivers: [cs]}",
            "p.yaml:12:7: route.routes[1]: is never reached: route 1 of this list takes every "
            "alert; give that one a match, or put it last",
        ),
        (
            "route: {group_by: [acount]}",
            "p.yaml:9:20: route.group_by[0]: must be alert, account, owner, segment, plan, reason "
            'or severity, not "acount"; did you mean "account"?',
        ),
        ("route: {group_wait: 2d}", "p.yaml:9:21: route.group_wait: must be at most 1d"),
        (
            "route: {group_wait: 30}",
            "p.yaml:9:21: route.group_wait: must be a duration like 90s, 15m, 1h or 1d; did you "
            'mean "30s"?',
        ),
        (
            "route: {match: {segments: [a]}}",
            "p.yaml:9:9: route.match: unknown key",
        ),
        (
            "route: {routes: [{match: {mrr_from: 10, mrr_below: 5}}]}",
            "p.yaml:9:52: route.routes[0].match.mrr_below: mrr_below (5) must be more than "
            "mrr_from (10)",
        ),
        (
            "inhibit: [{mutes: {}}]",
            "p.yaml:9:19: inhibit[0].mutes: must say which alerts; for example reasons: "
            "[usage_drop]",
        ),
        (
            "inhibit: [{by: {reasons: [usage_drop, digest]}, mutes: {reasons: [danger]}}]",
            "p.yaml:9:16: inhibit[0].by: alerts of digest have no end, so they would hold others "
            "for ever",
        ),
        (
            "budget: {digest: {at: 9:00}}",
            "p.yaml:9:23: budget.digest.at: must be a time like 09:00",
        ),
        ("budget: {weekly: 0}", "p.yaml:9:18: budget.weekly: must be at least 1, not 0"),
        (
            "owners: {rule: round_robin}",
            "p.yaml:9:16: owners.rule: round_robin needs somebody to choose from",
        ),
    ],
)
def test_a_mistake_has_its_place(text: str, expected: str) -> None:
    assert mistake(text).startswith(expected)


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (
            '{name: x, times: ["22:00-06:00"]}',
            "p.yaml:2:23: time_intervals[0].times[0]: must end after it begins; a night is two: "
            "22:00-24:00 and 00:00-06:00",
        ),
        (
            '{name: x, times: ["9-17"]}',
            "p.yaml:2:23: time_intervals[0].times[0]: must be two times like 09:00-17:00",
        ),
        (
            '{name: x, times: ["09:00-25:00"]}',
            "p.yaml:2:23: time_intervals[0].times[0]: must be a time like 09:00",
        ),
        (
            "{name: x, weekdays: [mon]}",
            "p.yaml:2:26: time_intervals[0].weekdays[0]: must be monday",
        ),
        (
            "{name: x}\n  - {name: x}",
            'p.yaml:3:12: time_intervals[1].name: an earlier time interval is called "x" too; '
            "rename one",
        ),
    ],
)
def test_a_mistake_in_an_interval_has_its_place(interval: str, expected: str) -> None:
    with pytest.raises(ConfigError) as found:
        read(Config, f"time_intervals:\n  - {interval}", "p.yaml")

    assert str(found.value).startswith(expected)


def test_the_example_makes_rules() -> None:
    example = Path(__file__).parents[3] / "deploy" / "pulse.yaml"

    assert pipeline_rules(Config.load(example)) == Rules(root=Route(), inhibitions=USUAL)
