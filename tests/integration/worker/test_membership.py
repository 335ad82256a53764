"""Whether processes say that they are ready, and a worker that comes back under its own name."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from pulse.processes import ServerError
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


def said(process: PulseProcess, path: str) -> tuple[int, str]:
    """What a process answers beside its metrics."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{process.port}{path}", timeout=30) as page:
            return page.status, page.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()


def wait_until_ready(process: PulseProcess, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while (answer := said(process, "/readyz")) != (200, "ok"):
        if time.monotonic() > deadline:
            raise ServerError(f"not ready: {answer}\n{process.log_tail()}")
        time.sleep(0.1)


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
    assert said(notifier, "/healthz") == (200, "ok")
    assert said(notifier, "/readyz") == (503, "waits for Kafka and its topics")

    system.create_topics()

    wait_until_ready(notifier)
    for command in ("work", "collect", "web"):
        process = system.process(command).start()
        wait_until_ready(process)
        assert said(process, "/healthz") == (200, "ok")


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
        wait_until_ready(workers[-1])
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
        wait_until_ready(comes_back)
        assert time.monotonic() - began_s < SESSION_S / 2
        deadline = time.monotonic() + 60
        while partitions(comes_back) != its:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    assert partitions(stays) == others
    assert takings_up(stays) == before, "there was no rebalance"
