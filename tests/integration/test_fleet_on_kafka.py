"""The line that the partitions of a topic lay together is the one that a replay lays."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from pulse.config.policy import policy
from pulse.engine import control, fleet
from pulse.engine.control import CONTROL_HEADER
from pulse.model.time import parse_ts
from pulse.placement import partition_of
from pulse.playback.lines import read_lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.testing.histories import usage
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

PARTITIONS = 3
START_MS = parse_ts("2024-03-01T00:00:00Z")
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
DAYS, ACCOUNTS = 16, 30
SETTINGS = {
    "scorecard": [{"measure": "active_days", "window": "7d", "weight": 1, "target": 7}],
    "line": {
        "from": "fleet", "quantile": 0.4, "dwell": "0s", "min_history_days": 2,
        "min_active_days": 1,
    },
    "signals": {"silence": {"enabled": False}},
}  # fmt: skip
WORKER = {"session_timeout_s": 6, "flush_interval_s": 0.3, "reread_s": 0.001}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    system = System(
        kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS, settings=SETTINGS
    )
    system.create_topics()
    yield system
    system.stop()


def history() -> list[bytes]:
    """Account n is used on some days of each week; who is used most changes from week to week."""
    lines = []
    for day in range(DAYS):
        for number in range(ACCOUNTS):
            if (day * 5 + number) % 7 < (number + day // 7 * 4) % 8:
                at_ms = START_MS + day * DAY_MS + 10 * HOUR_MS + number * 60_000
                lines.append(usage(f"{day}-{number}", f"account-{number}", at_ms))
    return lines


class Player:
    """Plays a script; after each tick by which a round begins it waits for the line it makes."""

    def __init__(self, system: System) -> None:
        self._topic = system.config.kafka.topics.events
        self._producer = KafkaProducer(bootstrap_servers=system.bootstrap, acks="all")
        self._consumer = KafkaConsumer(bootstrap_servers=system.bootstrap, enable_auto_commit=False)
        places = [TopicPartition(self._topic, number) for number in range(PARTITIONS)]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self._day = 0
        self.lines: dict[str, dict[int, bytes]] = {}

    def play(self, cue: Any) -> None:
        if cue.tick_ms is not None:
            headers, value = control.tick(cue.tick_ms)
            for number in range(PARTITIONS):
                self._producer.send(self._topic, value, partition=number, headers=[*headers])
        if cue.line is not None:
            number = partition_of(cue.account_id, PARTITIONS)
            self._producer.send(
                self._topic, cue.line.raw, key=cue.account_id.encode(), partition=number
            )
        if cue.tick_ms is not None and fleet.due_day(cue.tick_ms) > self._day:
            self._day = fleet.due_day(cue.tick_ms)
            self._producer.flush()
            self._wait_for(fleet.version(self._day))

    def _wait_for(self, version: str) -> None:
        deadline = time.monotonic() + 60
        while len(self.lines.get(version, ())) < PARTITIONS:
            assert time.monotonic() < deadline, f"no line {version}: {self.lines.keys()}"
            for records in self._consumer.poll(timeout_ms=200).values():
                for record in records:
                    if (CONTROL_HEADER, fleet.LINE) in record.headers:
                        said = msgspec.json.decode(record.value)["version"]
                        self.lines.setdefault(said, {})[record.partition] = record.value

    def close(self) -> None:
        self._producer.flush()
        self._producer.close()
        self._consumer.close()


def test_partitions_lay_the_line_that_a_replay_lays(system: System, tmp_path: Path) -> None:
    file = tmp_path / "history.ndjson"
    file.write_bytes(b"\n".join(history()))
    replay = Replay(policy(system.config))
    replay.run(Script(read_lines([file])))

    worker = system.process("work", **WORKER).start()
    player = Player(system)
    for number, cue in enumerate(Script(read_lines([file]))):
        player.play(cue)
        if number in (70, 140):  # the line that holds, and a round under way, survive
            worker.kill()
            worker.start()
    player.close()
    system.wait_until_applied()

    alerts = [msgspec.json.decode(alert) for alert in replay.alerts()]
    assert system.accounts() == [msgspec.json.encode(each) for each in replay.accounts()]
    found = {(a["id"], a["status"]): a for a in system.alerts()}
    assert found == {(a["id"], a["status"]): a for a in alerts}
    versions = {alert["line"]["version"] for alert in alerts}
    assert len(versions) > 3
    assert all(len(set(said.values())) == 1 for said in player.lines.values())
