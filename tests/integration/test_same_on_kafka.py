"""The worker on Apache Kafka gives what a replay of the same files gives, whatever happens to it.

The real input, account states byte for byte, and the set of alerts.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from kafka import KafkaProducer

from pulse.config import Config
from pulse.config.policy import policy
from pulse.placement import partition_of
from pulse.playback.lines import read_lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.stream.ticker import TICK_HEADERS, tick_value
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.testing.kafka import KafkaServer

EXAMPLE = Path(__file__).parents[2] / "examples/contributions"
HISTORY = EXAMPLE / "contributions.ndjson.gz"
PARTITIONS = 4
WORKER = {"session_timeout_s": 6, "flush_interval_s": 0.5, "fetch_records": 500}

pytestmark = pytest.mark.timeout(300)


@dataclass
class Expected:
    accounts: list[bytes]
    alerts: list[tuple[str, ...]]
    records: int


def usage() -> dict[str, Any]:
    return {"usage": {"value": "properties.files"}}


@pytest.fixture(scope="module")
def expected() -> Expected:
    replay = Replay(policy(Config.model_validate(usage())))
    replay.run(Script(read_lines([HISTORY])))
    alerts = [msgspec.json.decode(alert) for alert in replay.alerts()]
    return Expected(
        [msgspec.json.encode(account) for account in replay.accounts()],
        sorted(facts(alert) for alert in alerts),
        replay.tally.counts["events"],
    )


def facts(alert: dict[str, Any]) -> tuple[str, ...]:
    return tuple(alert[name] for name in ("id", "account_id", "reason", "status", "started_at"))


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    system = System(
        kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS, settings=usage()
    )
    system.create_topics()
    yield system
    system.stop()


class Player(threading.Thread):
    """Plays the history into the events topic, the second half only after `proceed` is set."""

    def __init__(self, system: System, seconds: float = 0.0) -> None:
        super().__init__(daemon=True)
        self._topic = system.config.kafka.topics.events
        self._brokers = system.bootstrap
        self._pause_s = seconds / 40
        self.halfway = threading.Event()
        self.sent = 0

    def run(self) -> None:
        producer = KafkaProducer(bootstrap_servers=self._brokers, acks="all", linger_ms=10)
        lines = 0
        for cue in Script(read_lines([HISTORY])):
            if cue.tick_ms is not None:
                for number in range(PARTITIONS):
                    producer.send(
                        self._topic,
                        tick_value(cue.tick_ms),
                        partition=number,
                        headers=list(TICK_HEADERS),
                    )
                    self.sent += 1
            if cue.line is not None and cue.account_id is not None:
                producer.send(
                    self._topic,
                    cue.line.raw,
                    key=cue.account_id.encode(),
                    partition=partition_of(cue.account_id, PARTITIONS),
                )
                self.sent += 1
                lines += 1
                if lines % 500 == 0:
                    producer.flush()
                    time.sleep(self._pause_s)
                if lines == 10_000:
                    self.halfway.set()
        producer.flush()
        producer.close()


def assert_same(system: System, expected: Expected) -> None:
    system.wait_until_applied(within_s=120)
    assert system.accounts() == expected.accounts
    assert {facts(alert) for alert in system.alerts()} == set(expected.alerts)


def test_one_worker(system: System, expected: Expected) -> None:
    player = Player(system)
    player.start()
    system.process("work", **WORKER).start()
    player.join()
    assert_same(system, expected)
    assert len(system.alerts()) == len(expected.alerts)


def test_a_second_worker_comes_and_goes(system: System, expected: Expected) -> None:
    player = Player(system, seconds=20)
    player.start()
    first = system.process("work", **WORKER).start()
    second = system.process("work", **WORKER)
    assert player.halfway.wait(60)
    second.start()
    wait_for(lambda: "pulse_partitions_assigned 2.0" in second.metrics())
    assert "pulse_partitions_assigned 2.0" in first.metrics()
    player.join()
    second.stop()
    assert_same(system, expected)


def test_a_worker_killed_in_the_middle(system: System, expected: Expected) -> None:
    player = Player(system, seconds=20)
    player.start()
    worker = system.process("work", **WORKER).start()
    assert player.halfway.wait(60)
    worker.kill()
    assert 0 < system.applied() < player.sent
    worker.start()
    player.join()
    assert_same(system, expected)


def wait_for(condition: Any, within_s: float = 30.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
