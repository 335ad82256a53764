"""Another configuration comes into force at a place of the log, whoever works when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from kafka import KafkaProducer

from pulse.cli.activate import command as activate
from pulse.config.policy import policy
from pulse.engine import Engine, control, fleet
from pulse.model.time import parse_ts
from pulse.placement import partition_of
from pulse.stream.partition import empty_state
from pulse.testing.alerts import differing
from pulse.testing.histories import usage
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.process import PulseProcess

PARTITIONS, ACCOUNTS = 3, 30
START_MS, HOUR_MS, DAY_MS = parse_ts("2024-03-01T00:00:00Z"), 3_600_000, 86_400_000
WORKER = {"session_timeout_s": 6, "flush_interval_s": 0.3}

pytestmark = pytest.mark.timeout(300)


def settings(enter: int) -> dict[str, Any]:
    line = {
        "enter": enter, "exit": enter + 10, "approach": enter + 15, "dwell": "1d",
        "min_history_days": 2, "min_active_days": 1,
    }  # fmt: skip
    scorecard = [{"measure": "active_days", "window": "7d", "weight": 1, "target": 7}]
    return {"scorecard": scorecard, "line": line, "signals": {"silence": {"enabled": False}}}


@pytest.fixture
def systems(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[list[System]]:
    """The same topics by two configurations."""
    made = []
    for name, enter in (("old", 20), ("new", 60)):
        folder = tmp_path / name
        folder.mkdir()
        made.append(
            System(
                kafka.bootstrap, folder, prefix=unique, partitions=PARTITIONS,
                settings=settings(enter),
            )
        )  # fmt: skip
    made[0].create_topics()
    yield made
    for system in made:
        system.stop()


def play(system: System, first: int, last: int) -> None:
    """Account n is used on some days of each week."""
    producer = KafkaProducer(bootstrap_servers=system.bootstrap, acks="all")
    topic = system.config.kafka.topics.events
    for day in range(first, last):
        for hour in range(0, 24, 6):
            headers, value = control.tick(START_MS + day * DAY_MS + hour * HOUR_MS + 2_000)
            for number in range(PARTITIONS):
                producer.send(topic, value, partition=number, headers=[*headers])
            for n in range(ACCOUNTS if hour == 6 else 0):
                if (day * 5 + n) % 7 < n % 8:
                    name, at_ms = f"account-{n}", START_MS + day * DAY_MS + 7 * HOUR_MS
                    producer.send(
                        topic, usage(f"{day}-{n}", name, at_ms), key=name.encode(),
                        partition=partition_of(name, PARTITIONS),
                    )  # fmt: skip
    producer.flush()
    producer.close()


def wait_until_ended(worker: PulseProcess) -> str:
    deadline = time.monotonic() + 150
    while not worker.ended():
        assert time.monotonic() < deadline, f"it goes on:\n{worker.log_tail()}"
        time.sleep(0.1)
    return worker.log_tail()


def what_the_log_says(old: System, new: System) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Each partition's records by the old rules up to the place, and by the new ones from there."""
    alerts, packed = [], {}
    for number in range(PARTITIONS):
        records = [each for each in old.read("events") if each.partition == number]
        state = empty_state(old.config, number)
        for system in (old, new):
            engine = Engine(policy(system.config), lambda name: partition_of(name, PARTITIONS))
            effects = engine.apply(state, records)
            found = list(effects.alerts)
            for summary in effects.summaries:
                told = fleet.told(summary, number, PARTITIONS, engine.policy)
                found += [] if told is None else [told]
            alerts += [msgspec.json.decode(alert.to_json()) for alert in found]
            state.held_by = None
            engine.settle(state)
        packed |= {name: state.packed(name) for name in state.ids()}
    return alerts, packed


def test_a_configuration_is_activated(
    systems: list[System], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = systems
    was, now = old.config.version, new.config.version
    first = old.process("work", **WORKER).start()
    play(old, 0, 12)
    old.wait_until_applied()
    first.stop()
    play(old, 12, 13)

    # With an edited file: it says what is wrong, and has applied nothing.
    refused = new.process("work", **WORKER)
    refused.launch()  # it may end before it has answered
    said = wait_until_ended(refused)
    refused.stop()
    assert f"the configuration {was} is in force, and this one is {now}" in said
    assert "pulse activate" in said

    # While workers run with the old one, they come to the place, write everything and end.
    workers = [old.process("work", **WORKER).start() for _ in range(2)]
    activate(config=new.folder / "pulse.yaml")
    assert f"configuration {now} is in force" in capsys.readouterr().out
    for worker in workers:
        assert f"the configuration {now} is in force" in wait_until_ended(worker)
    new.process("work", **WORKER).start()
    play(new, 13, 16)
    new.wait_until_applied()

    alerts, packed = what_the_log_says(old, new)
    assert new.packed() == packed
    assert differing(new.alerts(), alerts) == []
    marked = [a for a in alerts if a.get("caused_by") == "configuration"]
    (summary,) = [a for a in alerts if a["reason"] == "configuration"]
    assert {a["config_version"] for a in marked} == {now}
    assert summary["account_id"] == "*"
    assert summary["evidence"]["accounts"] == len({a["account_id"] for a in marked}) > 5
