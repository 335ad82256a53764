"""All signals together: each reason occurs in its story, and ends as its rule does."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.alerting.alert import SEVERITY
from pulse.alerting.everybody.digest import REASON as DIGEST
from pulse.alerting.everybody.fleet import REASON as FLEET_FALLS
from pulse.alerting.everybody.sources import SOURCE_STOPPED
from pulse.config import Config
from pulse.config.plays import Plays
from pulse.config.policy import policy
from pulse.config.signals import Signals
from pulse.engine import Engine, PartitionState
from pulse.model.time import parse_ts
from pulse.testing.changelog import Outside, Owner
from pulse.testing.histories import Log
from pulse.testing.playing import Outcome, checked
from pulse.testing.stories import DAYS, REASONS, SETTINGS, START_MS, every_signal

if TYPE_CHECKING:
    from pulse.model import Alert

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
POLICY = policy(Config.model_validate(SETTINGS))
END_MS = START_MS + DAYS * DAY_MS


def log(step_ms: int = HOUR_MS, reach_ms: int = 0) -> Log:
    """The history with ticks; each line is up to `reach_ms` away from its place."""
    log, tick_ms, chance = Log(), START_MS - step_ms, random.Random(3)
    placed = [
        (parse_ts(msgspec.json.decode(line)["ts"]) + chance.randrange(reach_ms + 1), line)
        for line in every_signal()
    ]
    for at_ms, line in sorted(placed):
        while tick_ms + step_ms <= at_ms:
            tick_ms += step_ms
            log.tick(tick_ms)
        log.add(line)
    log.tick(END_MS)
    return log


def run(log: Log, least_slice: int = 500, **state: int) -> tuple[list[Alert], dict[str, bytes]]:
    """The alerts in order, and every account as a page holds it."""
    engine, own, outcome = (
        Engine(POLICY, least_slice=least_slice),
        PartitionState(**state),
        Outcome(),
    )
    outcome.take(engine.apply(own, log.records))
    outcome.alerts += map(checked, engine.settle(own))
    return outcome.alerts_in_order(), {name: own.packed(name) for name in own.ids()}


def test_there_is_a_story_for_every_reason() -> None:
    assert set(REASONS) == {"danger", "approaching", *Signals.model_fields}
    assert {*REASONS, FLEET_FALLS, SOURCE_STOPPED, DIGEST} == set(Plays.model_fields)
    assert {each.reason for each in POLICY.signals} | {"danger", "approaching", "silence"} == set(
        REASONS
    )
    assert set(SEVERITY) <= set(REASONS)


def test_every_story_has_its_alert_and_few_others() -> None:
    alerts, _ = run(log())
    fired = {(alert.account_id, alert.reason) for alert in alerts if alert.status == "firing"}
    assert fired - {(reason, reason) for reason in REASONS} == {
        # What goes together.
        ("danger", "approaching"),
        ("approaching", "danger"),
        ("renewal_at_risk", "approaching"),
        ("renewal_at_risk", "danger"),
        ("silence", "approaching"),
        ("champion_gone", "usage_drop"),
        ("outgrows_seats", "ready_to_ask"),
        # Before it cancelled, and when it is back: the answer and the payment are still the latest.
        ("subscription_cancelled", "detractor"),
        ("subscription_cancelled", "payment_failed"),
    }
    assert {reason for _, reason in fired} == set(REASONS)
    for alert in alerts:
        assert alert.since <= alert.started_at <= alert.at
        assert alert.evidence or alert.status == "resolved"


@pytest.mark.parametrize("reason", REASONS[2:])
def test_an_alert_whose_rule_is_gone_ends_as_rule_removed(reason: str) -> None:
    engine, state, outcome = Engine(POLICY), PartitionState(), Outcome()
    story, at = log(), 0
    records = list(story.records)
    while reason not in state_alerts(state, reason):
        outcome.take(engine.apply(state, records[at : at + 1]))
        at += 1
    (fired,) = [
        a
        for a in outcome.alerts
        if (a.account_id, a.reason, a.status) == (reason, reason, "firing")
    ]
    settings = {"signals": {**SETTINGS["signals"], reason: {"enabled": False}}}
    without = Engine(policy(Config.model_validate(settings)))
    for hour in range(1, 30):
        story.tick((state.clock_ms or 0) + hour * HOUR_MS)
    ended = [
        alert
        for alert in map(checked, without.apply(state, story.records[len(records) :]).alerts)
        if (alert.account_id, alert.reason) == (reason, reason)
    ]
    assert [(each.id, each.resolution) for each in ended] == [(fired.id, "rule_removed")]
    words = reason.replace("_", " ")
    assert f"{words} is no longer looked for" in ended[0].summary


def state_alerts(state: PartitionState, account: str) -> dict[str, object]:
    return dict(state.account(account).alerts) if account in state.ids() else {}


# -- the same, however it is run ----------------------------------------------------------------


def test_packed_accounts_give_the_same() -> None:
    assert run(log(), live_accounts=0) == run(log())


def test_day_starts_left_for_later_give_the_same() -> None:
    assert run(log(), least_slice=0) == run(log())


def test_more_ticks_give_the_same_alerts() -> None:
    assert run(log(10 * 60_000))[0] == run(log())[0]


def test_the_order_between_accounts_gives_the_same_alerts() -> None:
    assert run(log(reach_ms=900))[0] == run(log())[0]


@pytest.mark.parametrize("seed", range(3))
def test_a_worker_that_dies_again_and_again_gives_the_same(seed: int) -> None:
    chance, records = random.Random(seed), log().records
    calm, outside = Outside(records), Outside(records)
    expected = Owner(POLICY, calm).finish()
    owner = Owner(POLICY, outside, page_accounts=3)
    for _ in range(12):
        owner.work(chance.randrange(len(records) // 10))
        if chance.random() < 0.5:
            owner.write()
        else:
            owner.begin_flush()
            for _ in range(chance.randrange(6)):
                owner.step()
            owner = Owner(POLICY, outside, page_accounts=3)

    assert (owner.finish(), outside.alerts) == (expected, calm.alerts)
