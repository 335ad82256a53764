"""Accounts that are never unpacked for an event, against accounts that are never packed."""

from __future__ import annotations

import random

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState
from pulse.engine.control import source
from pulse.testing.histories import Log, profile, usage

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_709_251_200_000


SOON = {
    "line": {"enter": 50, "exit": 60, "approach": 70, "min_history_days": 1, "min_active_days": 2},
    "lifecycle": {"new_days": 2, "dormant_after_days": 3, "churned_after_days": 9},
    "signals": {
        "silence": {"days": 2, "min_active_days": 2},
        "champion_gone": {"days": 2, "min_events": 10},
        "feature_abandoned": {"days": 3, "min_events": 5},
        "stalled_onboarding": {"steps": [{"event": "step", "within_days": 4}]},
        "check_in_overdue": {"days": 3},
        "renewal_at_risk": {"days": 9},
        "ready_to_ask": {"days": 2, "min_users": 1},
        "support_waiting": {"hours": 5},
        "bug_open": {"days": 2},
    },
}
"""Rules by which a few days are a long time."""


FACTS = [
    ("payment_failed", {}), ("payment_recovered", {}), ("card_updated", {"expires_at": "2024-06"}),
    ("support_opened", {"id": 1}), ("support_opened", {"id": 2}), ("support_answered", {"id": 1}),
    ("bug_reported", {}), ("bug_closed", {}), ("nps", {"score": 0}), ("nps", {"score": 9}),
    ("check_in", {}), ("subscription_cancelled", {}), ("subscription_resumed", {}),
    ("subscription_resumed", {}), ("csat", {"score": "bad"}),
]  # fmt: skip


def history(seed: int) -> Log:
    """A few accounts over months: repeats, new users, late events, big numbers, halves, silence.

    Also what is said of them besides use: profiles, billing, support, surveys, steps.
    """
    chance, log = random.Random(seed), Log()
    now_ms, recent = START_MS, [usage("first", "account-0", START_MS)]
    for number in range(3_000):
        now_ms += chance.choice([0, 1_000, 20 * MINUTE_MS, HOUR_MS])
        if chance.random() < 0.01:
            now_ms += chance.randrange(4 * DAY_MS)
        if number > 60 * (seed % 2) and chance.random() < 0.3:
            log.tick(now_ms)
        if number in (1_500, 1_900, 2_300):
            now_ms += MINUTE_MS
            state = "running" if number == 1_900 else "stopped"
            log.control("source", source("app", state, now_ms).value)
        # Most are there for a while, and some come back.
        first = number // 250
        account = f"account-{first % 7 + min(chance.randrange(12), chance.randrange(12)) % 5}"
        if chance.random() < 0.04:
            known = {"seats": chance.randrange(1, 9), "renewal_at": now_ms + 12 * DAY_MS}
            log.add(profile(f"p{number}", account, now_ms, **known))
        if chance.random() < 0.03:
            event, properties = chance.choice(FACTS)
            log.add(usage(f"f{number}", account, now_ms, event=event, properties=properties))
        at_ms = (
            now_ms - chance.choice([0, 0, 0, 500, HOUR_MS, 3 * DAY_MS]) + chance.choice([0, 700])
        )
        properties = {
            "feature": chance.choice(["list", "map", "report", f"f{number // 300}"]),
            "value": chance.choice([None, 0, 7, 2.5, 0.000001, -1, 10**9]),
        }
        user = chance.choice([None, "ada", "bob", "eve", f"u{number // 50}", "a\\nb", "ö"])
        line = usage(
            f"e{number}", account, at_ms, user_id=user, properties=properties,
            source=chance.choice(["app", "web"]),
            event="step" if chance.random() < 0.01 else "used",
        )  # fmt: skip
        log.add(line)
        recent.append(line)
        if chance.random() < 0.05:
            log.add(chance.choice(recent[-40:]))
    return log


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 4))]
)
def test_every_byte_is_the_same(seed: int) -> None:
    rules = [{}, SOON, SOON | {"line": SOON["line"] | {"dwell": "1h"}}, SOON][seed]
    engine, log = Engine(policy(Config.model_validate(rules))), history(seed)
    folded, live = PartitionState(live_accounts=0), PartitionState(live_accounts=1_000)
    alerts, others, patched = [], [], 0
    for at, record in enumerate(log.records):
        before = {name: each.patches for name, each in folded.folded.items()}
        alerts += [a.to_json() for a in engine.apply(folded, [record]).alerts]
        others += [a.to_json() for a in engine.apply(live, [record]).alerts]
        patched += any(each.patches > before.get(n, 0) for n, each in folded.folded.items())
        if at % 10 == 0:
            for name in live.ids():
                assert folded.packed(name) == live.packed(name), (at, name)
    assert alerts == others
    assert patched > 300
    assert folded.touched == live.touched
