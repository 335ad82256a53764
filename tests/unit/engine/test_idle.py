"""What readers are told of accounts that do nothing."""

from __future__ import annotations

from dataclasses import dataclass

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState
from pulse.testing.playing import checked

DAY_MS = 86_400_000
START_MS = 19_000 * DAY_MS


@dataclass
class Record:
    offset: int
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp: int | None = None


def tick(offset: int, at_ms: int) -> Record:
    value = b'{"type":"tick","ts":%d}' % at_ms
    return Record(offset, value, (("pulse-control", b"tick"),))


def test_an_account_without_alerts_is_shown_anew_on_the_day_it_has_left() -> None:
    engine, state = Engine(policy(Config())), PartitionState()
    event = b'{"id":"e","account_id":"acme","event":"x","ts":%d}' % START_MS
    engine.apply(state, [tick(0, START_MS), Record(1, event)])
    for day in range(1, 180):
        engine.apply(state, [tick(day + 1, START_MS + day * DAY_MS)])
    state.take_touched()
    assert engine.status(state.account("acme"), START_MS + 179 * DAY_MS)["lifecycle"] == "dormant"

    engine.apply(state, [tick(181, START_MS + 180 * DAY_MS)])

    assert state.touched == {"acme"}
    assert engine.status(state.account("acme"), START_MS + 180 * DAY_MS)["lifecycle"] == "churned"


def test_an_alert_whose_rule_is_gone_resolves_as_rule_removed() -> None:
    state = PartitionState()
    lines = [
        b'{"id":"e%d","account_id":"acme","event":"x","ts":%d}' % (day, START_MS + day * DAY_MS)
        for day in range(6)
    ]
    records = []
    for day, line in enumerate(lines):
        records += [tick(2 * day, START_MS + day * DAY_MS), Record(2 * day + 1, line)]
    engine = Engine(policy(Config()))
    engine.apply(state, records)
    fired = [*map(checked, engine.apply(state, [tick(12, START_MS + 27 * DAY_MS)]).alerts)]
    assert [(alert.reason, alert.status) for alert in fired] == [("silence", "firing")]

    settings = {"signals": {"silence": {"enabled": False}}}
    silent = Engine(policy(Config.model_validate(settings)))
    ended = map(checked, silent.apply(state, [tick(13, START_MS + 29 * DAY_MS)]).alerts)

    assert [(a.id, a.status, a.resolution) for a in ended if a.reason == "silence"] == [
        (fired[0].id, "resolved", "rule_removed")
    ]
