"""`deploy/compose/simulate.sh` on a Kafka: a past that is played once, and events that go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from pulse.model.time import parse_ts
from pulse.testing.system import System
from tests.deploy.reading import DEPLOY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulse.testing.kafka import KafkaServer

SCRIPT = DEPLOY / "compose" / "simulate.sh"
PARTITIONS = 2
DAY_MS = 86_400_000


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    settings = {"clock": "wall"}
    system = System(
        kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS, settings=settings
    )
    system.create_topics()
    yield system
    system.stop()


def start(system: System, what: str) -> subprocess.Popen[bytes]:
    product = {"ACCOUNTS": "150", "PAST_DAYS": "2", "FOLDER": str(system.folder)}
    path = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        ["sh", SCRIPT, what],
        env=os.environ | product | {"CONFIG": str(system.folder / "pulse.yaml"), "PATH": path},
        start_new_session=True,
    )


def records(system: System, after: Mapping[int, int] | None = None) -> list[Any]:
    """What is in the events topic; behind these offsets, by partition, if they are given."""
    consumer = KafkaConsumer(
        bootstrap_servers=system.bootstrap, group_id=None, auto_offset_reset="earliest"
    )
    places = [TopicPartition(system.config.kafka.topics.events, n) for n in range(PARTITIONS)]
    consumer.assign(places)
    ends, found = consumer.end_offsets(places), []
    while any(consumer.position(place) < end for place, end in ends.items()):
        for batch in consumer.poll(500).values():
            found += batch
    consumer.close()
    return [each for each in found if each.offset > (after or {}).get(each.partition, -1)]


def times(found: list[Any]) -> list[int]:
    """The times of the events, those with a header being no events."""
    lines = [line for each in found if not each.headers for line in each.value.split(b"\n")]
    return [parse_ts(line.split(b'"ts":"')[1].split(b'"')[0].decode()) for line in lines]


def test_a_product_has_a_past_and_goes_on(system: System) -> None:
    began_ms = time.time_ns() // 1_000_000
    assert start(system, "history").wait(60) == 0
    played = records(system)
    last = {each.partition: each for each in sorted(played, key=lambda each: each.offset)}
    assert [each.value for each in last.values()] == [b'{"type":"live"}'] * PARTITIONS
    before = times(played)
    assert len(before) > 200
    assert began_ms - 4 * DAY_MS < min(before)
    assert max(before) <= time.time_ns() // 1_000_000

    assert start(system, "history").wait(20) == 0
    assert len(records(system)) == len(played), "it is played once"

    live = start(system, "live")
    ends = {number: each.offset for number, each in last.items()}
    try:
        deadline = time.monotonic() + 60
        # Those of the last hours come again, for workers to count once, and then each at its time.
        while len(later := times(records(system, ends))) < 20:
            assert live.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert live.poll() is None
    finally:
        os.killpg(live.pid, signal.SIGTERM)
        live.wait(10)
    now_ms = time.time_ns() // 1_000_000
    assert now_ms - DAY_MS // 2 - 60_000 < min(later) <= max(later) <= now_ms
