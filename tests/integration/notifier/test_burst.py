"""A burst of alerts: what waits, waits as its brief, and not with its JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaProducer

from pulse.testing.alerts import sample_alert
from pulse.testing.soak import memory_mb
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.process import PulseProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

_ALERTS, _BYTES = 5_000, 24_000
_MOST_MB = 64
"""Their JSON is 115 MB, of which 16 stay in memory; the briefs are 10 MB."""


def test_what_waits_in_a_group_does_not_wait_in_memory(
    kafka: KafkaServer, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)
    receiver = {
        "name": "cs",
        "kind": "webhook",
        "url": "http://127.0.0.1:9/nobody",
        "secret_env": "PULSE_TEST_SECRET",
        "allow_private": True,
    }
    settings = {
        "receivers": [receiver],
        "route": {"group_by": ["segment"], "group_wait": "1h"},
        "notifier": {"fleet_guard": {"enabled": False}},
    }
    system = System(kafka.bootstrap, tmp_path, prefix=unique, settings=settings)
    system.create_topics()
    notifier = system.process("notify").start()
    try:
        _produce(system, 0, 1_000)
        _wait_until_read(notifier, 1_000)
        before_mb = memory_mb(notifier.pid)
        _produce(system, 1_000, _ALERTS)
        _wait_until_read(notifier, 1_000 + _ALERTS)
        time.sleep(2)
        assert memory_mb(notifier.pid) - before_mb < _MOST_MB
    finally:
        system.stop()


def _produce(system: System, first: int, count: int) -> None:
    producer = KafkaProducer(bootstrap_servers=system.bootstrap, acks="all", linger_ms=20)
    try:
        for number in range(first, first + count):
            alert = sample_alert(f"a{number}", evidence={"said": "x" * _BYTES})
            key = alert.account_id.encode()
            producer.send(system.config.kafka.topics.alerts, alert.to_json(), key=key)
        producer.flush()
    finally:
        producer.close()


def _wait_until_read(notifier: PulseProcess, count: int) -> None:
    deadline = time.monotonic() + 120
    while notifier.metric("pulse_alerts_read_total") < count:
        assert time.monotonic() < deadline, notifier.log_tail()
        time.sleep(0.2)
