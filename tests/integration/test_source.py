"""A source stops, on Apache Kafka: said by a person, known to every partition, told once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaProducer

from pulse.testing.histories import usage
from pulse.testing.system import System
from tests.integration.collecting import wait_for as wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = pytest.mark.kafka


def test_said_once_told_once_also_by_who_takes_over(
    kafka: KafkaServer, tmp_path: Path, unique: str
) -> None:
    settings = {"clock": "wall"}
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2, settings=settings)
    system.create_topics()
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
    for n in range(8):
        line = usage(f"e{n}", f"account-{n}", int(time.time() * 1000), source="web")
        producer.send(system.config.kafka.topics.events, line, key=b"account-%d" % n)
    producer.flush()
    producer.close()
    try:
        worker = system.process("work").start()
        say(system, "stopped")
        wait_for(system, ["firing"])
        wait_until(lambda: worker.metric("pulse_source_stopped") == 1)
        worker.kill()
        other = system.process("work").start()
        say(system, "stopped")
        say(system, "running")
        alerts = wait_for(system, ["firing", "resolved"])
        wait_until(lambda: other.metric("pulse_source_stopped") == 0)
    finally:
        system.stop()

    assert len({alert["id"] for alert in alerts}) == 1
    # Beside each alert stands how many accounts its partition has, for the fleet's guard.
    said = [dict(record.headers)["pulse-accounts"] for record in system.read("alerts")]
    assert all(0 < int(each) <= 8 for each in said)


def say(system: System, state: str) -> None:
    """`pulse source`."""
    system.command("source", state, "web")


def wait_for(system: System, states: list[str]) -> list[dict[str, object]]:
    """The alerts of the pipeline, once they are in these states."""
    deadline = time.monotonic() + 150  # a worker that was killed is in the group for a while
    while True:
        alerts = [each for each in system.alerts() if each["reason"] == "source_stopped"]
        if list(dict.fromkeys(str(each["status"]) for each in alerts)) == states:
            return alerts
        assert time.monotonic() < deadline, alerts
        time.sleep(0.5)
