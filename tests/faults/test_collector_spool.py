"""Kafka is away, and the collector has a spool: nobody is told to come again, and all is there."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pulse.testing.kafka import KafkaServer

from .test_collector import BATCH, CLIENTS, MB, assert_all_there, collecting, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.testing.process import PulseProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(480)]

AWAY_S = 15.0


def test_every_request_is_answered_200_while_kafka_is_away(
    tmp_path: Path, unique: str, seed: int
) -> None:
    with KafkaServer(tmp_path / "kafka") as kafka:
        system, process, load = collecting(
            kafka.bootstrap, tmp_path, unique,
            ack_timeout_s=2.0, buffer_bytes=MB, spool=str(tmp_path / "spool"),
        )  # fmt: skip
        try:
            wait_for(lambda: len(load.ids) > 1_000)
            broken = load.broken  # before it listened
            kafka.kill()
            until = time.monotonic() + AWAY_S
            had = len(load.ids)
            wait_for(lambda: len(load.ids) > had + 10 * CLIENTS * BATCH)
            assert spooled(process) > 0
            time.sleep(max(until - time.monotonic(), 0))
            kafka.start()
            wait_for(lambda: spooled(process) == 0)
            had = len(load.ids)
            wait_for(lambda: len(load.ids) > had + CLIENTS * BATCH)
            load.stop()
            assert set(load.statuses) == {200}
            assert load.broken == broken
            assert_all_there(system, load)
        finally:
            system.stop()


def test_kill_9_while_much_waits_in_the_spool(tmp_path: Path, unique: str, seed: int) -> None:
    with KafkaServer(tmp_path / "kafka") as kafka:
        system, process, load = collecting(
            kafka.bootstrap, tmp_path, unique,
            ack_timeout_s=1.0, buffer_bytes=MB, spool=str(tmp_path / "spool"),
        )  # fmt: skip
        try:
            wait_for(lambda: len(load.ids) > 1_000)
            kafka.kill()
            had = len(load.ids)
            wait_for(lambda: len(load.ids) > had + 10 * CLIENTS * BATCH)
            process.kill()
            kafka.start()
            process.start()
            # Once more, while it sends what it finds there.
            process.kill()
            process.start()
            had = len(load.ids)
            wait_for(lambda: len(load.ids) > had + CLIENTS * BATCH)
            wait_for(lambda: spooled(process) == 0)
            load.stop()
            assert set(load.statuses) == {200}
            assert_all_there(system, load)
        finally:
            system.stop()


def spooled(process: PulseProcess) -> float:
    """Bytes that wait on the disk."""
    return process.metric("pulse_collector_spooled_bytes")
