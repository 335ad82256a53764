"""Every signal on Apache Kafka, as `pulse replay` finds it: the very bytes of alerts and accounts.

With a worker that is killed on the way, so that deadlines are met by one that was restored.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.playback.emit import PlaySettings, play
from pulse.playback.lines import Lines, read_lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script
from pulse.testing.stories import REASONS, SETTINGS, every_signal
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

WORKER = {"session_timeout_s": 6, "flush_interval_s": 0.5, "fetch_records": 200, "reread_s": 0.02}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=4, settings=dict(SETTINGS))
    system.create_topics()
    yield system
    system.stop()


def test_every_signal_is_as_a_replay_finds_it(system: System, tmp_path: Path) -> None:
    history = tmp_path / "stories.ndjson"
    history.write_bytes(b"\n".join(every_signal()) + b"\n")
    replay = Replay(policy(Config.model_validate(SETTINGS)))
    replay.run(Script(read_lines([history])))
    assert not replay.tally.refused

    def emit() -> None:
        play(system.config, Lines([history]), PlaySettings(history=True, rate=250))

    player = threading.Thread(target=emit, daemon=True)
    player.start()
    worker = system.process("work", **WORKER).start()
    deadline = time.monotonic() + 90
    while system.applied() < 2_000:
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
    worker.kill()
    assert player.is_alive()
    worker.start()
    player.join()
    system.wait_until_applied()

    # Alerts may come twice after a crash, each time the same.
    told = {msgspec.json.encode(alert) for alert in system.alerts()}
    assert told == set(replay.alerts())
    assert {msgspec.json.decode(alert)["reason"] for alert in told} == set(REASONS)
    assert system.accounts() == [msgspec.json.encode(account) for account in replay.accounts()]
