"""The input of the fault tests holds what it says it does, and is a function of its seed."""

from __future__ import annotations

from collections import Counter

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState
from pulse.placement import partition_of
from pulse.testing.histories import LogEntry
from pulse.testing.paced import RULES, PacedInput

PARTITIONS = 4


def test_a_seed_makes_the_same_records_again() -> None:
    assert PacedInput(3).records() == PacedInput(3).records()
    assert PacedInput(3).records() != PacedInput(4).records()


@pytest.mark.parametrize("seed", range(5))
def test_what_is_to_be_counted_is_counted_and_everything_happens(seed: int) -> None:
    paced = PacedInput(seed, PARTITIONS)
    records = paced.records() + paced.closing()
    engine = Engine(
        policy(Config.model_validate(RULES | {"clock": "events"})),
        lambda name: partition_of(name, PARTITIONS),
    )
    counts, alerts, events = Counter[str](), Counter[str](), dict[str, float]()
    for number in range(PARTITIONS):
        state = PartitionState(number)
        mine = [record for record in records if record.partition == number]
        log = [LogEntry(n, record.value, record.headers) for n, record in enumerate(mine)]
        effects = engine.apply(state, log)
        counts.update(effects.counts)
        counts.update(letter.reason for letter in effects.dead_letters)
        alerts.update(f"{alert.reason} {alert.status}" for alert in effects.alerts)
        assert engine.settle(state) == []
        assert state.clock_ms is not None
        for name in state.ids():
            status = engine.status(state.account(name), state.clock_ms)
            events[name] = status["measures"]["events"]["84d"]

    assert {name: events[name] for name in paced.counted if name not in paced.wandering} == {
        name: count for name, count in paced.counted.items() if name not in paced.wandering
    }
    for kind in (
        "duplicates", "late_minutes", "late_hours", "late_days", "misplaced", "profiles", "facts",
        "ignored", "not_json", "wrong_shape", "too_late", "future", "not_utf8",
    ):  # fmt: skip
        assert counts[kind] >= 5, kind
    for reason in ("danger", "approaching", "silence"):
        assert alerts[f"{reason} firing"] > 10
        assert alerts[f"{reason} resolved"] > 5
    for reason in (
        "payment_failed", "card_expiring", "subscription_cancelled", "support_waiting", "bug_open",
        "detractor", "check_in_overdue", "renewal_at_risk", "stalled_onboarding", "unused_seats",
        "champion_gone", "feature_abandoned",
    ):  # fmt: skip
        assert alerts[f"{reason} firing"] > 1, reason
