"""The worker on Apache Kafka gives what a replay of the same files gives, whatever happens to it.

The real input, account states byte for byte, the set of alerts, and the day starts.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.config.scoring import DEFAULT_SCORECARD
from pulse.history.days import Day, Days, read_day
from pulse.playback.emit import PlayProgress, PlaySettings, play
from pulse.playback.lines import Lines, read_lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pulse.testing.kafka import KafkaServer

EXAMPLE = Path(__file__).parents[3] / "examples/contributions"
HISTORY = EXAMPLE / "contributions.ndjson.gz"
PARTITIONS = 4
WORKER = {"session_timeout_s": 6, "flush_interval_s": 0.5, "fetch_records": 500, "reread_s": 0.02}

pytestmark = pytest.mark.timeout(300)


@dataclass
class Expected:
    accounts: list[bytes]
    alerts: list[tuple[str, ...]]
    days: dict[tuple[str, str], bytes]
    records: int


def usage() -> dict[str, Any]:
    measures = [rule.model_dump() for rule in DEFAULT_SCORECARD]
    measures += [
        {"measure": "trend", "weight": 10, "target": 1},
        {"measure": "key_features", "window": "84d", "weight": 10, "target": 2},
    ]
    key = ["connect", "streams", "*-*"]
    return {"usage": {"value": "properties.files", "key_features": key}, "scorecard": measures}


@pytest.fixture(scope="module")
def expected() -> Expected:
    days = Days()
    replay = Replay(policy(Config.model_validate(usage())), days.observe)
    replay.run(Script(read_lines([HISTORY])))
    alerts = [msgspec.json.decode(alert) for alert in replay.alerts()]
    return Expected(
        [msgspec.json.encode(account) for account in replay.accounts()],
        sorted(facts(alert) for alert in alerts),
        by_day(value for _, value in days.take()),
        replay.tally.counts["events"],
    )


def facts(alert: dict[str, Any]) -> tuple[str, ...]:
    return tuple(alert[name] for name in ("id", "account_id", "reason", "status", "started_at"))


def by_day(values: Iterable[bytes | None]) -> dict[tuple[str, str], bytes]:
    """What was said of each day of an account, last."""
    out = {}
    for value in values:
        assert value is not None
        said = read_day(value)
        assert isinstance(said, Day)
        out[said.account_id, said.day] = value
    return out


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    system = System(
        kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS, settings=usage()
    )
    system.create_topics()
    yield system
    system.stop()


class Player(threading.Thread):
    """Plays the history into the events topic as `pulse emit` does."""

    def __init__(self, system: System, rate: float | None = None) -> None:
        super().__init__(daemon=True)
        self._config = system.config
        self._settings = PlaySettings(history=True, rate=rate)
        self.halfway = threading.Event()

    def run(self) -> None:
        play(self._config, Lines([HISTORY]), self._settings, on_progress=self._note)

    def _note(self, progress: PlayProgress) -> None:
        if progress.events >= 10_000:
            self.halfway.set()


def assert_same(system: System, expected: Expected) -> None:
    system.wait_until_applied()
    assert system.accounts() == expected.accounts
    assert {facts(alert) for alert in system.alerts()} == set(expected.alerts)
    assert by_day(record.value for record in system.read("history")) == expected.days


def test_one_worker(system: System, expected: Expected) -> None:
    player = Player(system)
    player.start()
    # It stays in its group though it stands still for a while: no alert comes again.
    system.process("work", **WORKER | {"session_timeout_s": 30}).start()
    player.join()
    assert_same(system, expected)
    assert len(system.alerts()) == len(expected.alerts)


def test_a_second_worker_comes_and_goes(system: System, expected: Expected) -> None:
    player = Player(system, rate=1_000)
    player.start()
    first = system.process("work", **WORKER).start()
    second = system.process("work", **WORKER)
    assert player.halfway.wait(60)
    second.start()
    wait_for(lambda: "pulse_partitions_assigned 2.0" in second.metrics())
    wait_for(lambda: "pulse_partitions_assigned 2.0" in first.metrics())
    player.join()
    second.stop()
    assert_same(system, expected)


def test_a_worker_killed_in_the_middle(system: System, expected: Expected) -> None:
    worker = system.process("work", **WORKER).start()
    player = Player(system, rate=1_000)
    player.start()
    assert player.halfway.wait(60)
    wait_for(system.applied)
    worker.kill()
    assert 0 < system.applied() < system.written()
    worker.start()
    player.join()
    assert_same(system, expected)


def wait_for(condition: Any, within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
