"""Whether processes say that they are ready, and a worker that comes back under its own name."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.process import PulseProcess

PARTITIONS = 4
SESSION_S = 150.0
"""Much longer than a worker takes to start where much else runs."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS)
    yield system
    system.stop()


def partitions(process: PulseProcess) -> set[str]:
    """Those that a worker has."""
    return {
        line.split('"')[1]
        for line in process.metrics().splitlines()
        if line.startswith("pulse_lag_records{")
    }


def takings_up(process: PulseProcess) -> int:
    """How often it was given partitions."""
    return process.log_path.read_text(errors="replace").count("partitions assigned")


def test_every_process_says_when_it_is_ready(system: System) -> None:
    notifier = system.process("notify").start()
    assert notifier.asked("/healthz") == (200, "ok")
    assert notifier.asked("/readyz") == (503, "waits for Kafka and its topics")

    system.create_topics()

    notifier.wait_until_ready()
    for command in ("work", "collect", "web"):
        process = system.process(command).start()
        process.wait_until_ready()
        assert process.asked("/healthz") == (200, "ok")


def test_a_worker_that_comes_back_has_its_partitions_and_no_other_ones_move(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    system.create_topics()
    workers = []
    for name in ("ONE", "TWO"):
        monkeypatch.setenv(f"PULSE_{name}", f"worker-{name.lower()}")
        workers.append(
            system.process(
                "work",
                instance_env=f"PULSE_{name}",
                session_timeout_s=SESSION_S,
                flush_interval_s=0.3,
            ).start()
        )
        workers[-1].wait_until_ready()
    comes_back, stays = workers
    deadline = time.monotonic() + 60
    while len(partitions(comes_back)) != 2 or len(partitions(stays)) != 2:
        assert time.monotonic() < deadline, [partitions(each) for each in workers]
        time.sleep(0.2)
    before, its, others = takings_up(stays), partitions(comes_back), partitions(stays)

    for end in (comes_back.kill, comes_back.stop):
        end()
        began_s = time.monotonic()
        comes_back.start()
        comes_back.wait_until_ready()
        assert time.monotonic() - began_s < SESSION_S / 2
        deadline = time.monotonic() + 60
        while partitions(comes_back) != its:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    assert partitions(stays) == others
    assert takings_up(stays) == before, "there was no rebalance"
