"""The line that the partitions of a topic lay together is the one that a replay lays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.config.policy import policy
from pulse.model.time import parse_ts
from pulse.playback.lines import read_lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.testing.alerts import differing
from pulse.testing.histories import usage
from pulse.testing.system import System
from tests.integration.worker.rounds import Player

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


def test_partitions_lay_the_line_that_a_replay_lays(system: System, tmp_path: Path) -> None:
    file = tmp_path / "history.ndjson"
    file.write_bytes(b"\n".join(history()))
    replay = Replay(policy(system.config))
    replay.run(Script(read_lines([file])))

    worker = system.process("work", **WORKER).start()
    player, day = Player(system), 0
    for number, cue in enumerate(Script(read_lines([file]))):
        day = player.play([cue], day)
        if number in (70, 140):  # the line that holds, and a round under way, survive
            worker.kill()
            worker.start()
    player.close()
    system.wait_until_applied()

    alerts = [msgspec.json.decode(alert) for alert in replay.alerts()]
    assert system.accounts() == [msgspec.json.encode(each) for each in replay.accounts()]
    assert differing(system.alerts(), alerts) == []
    versions = {alert["line"]["version"] for alert in alerts}
    assert len(versions) > 3
    assert all(len(set(said.values())) == 1 for said in player.lines.values())
