"""SIGSTOP of Kafka: a notifier that hears nothing of its group any more stops sending in time."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer

from pulse.testing.alerts import sample_alert
from pulse.testing.kafka import KafkaServer
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET, WebhookReceiver

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.timeout(360)

_SESSION_S = 6.0
_MORE_S = 7.0
"""How long it would go on: at two a second it has half of its requests at once under way."""
_ALERTS = 60


async def test_who_is_cut_off_from_kafka_alone_sends_no_more_than_a_session(
    tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)
    with KafkaServer(tmp_path / "kafka") as kafka:
        async with WebhookReceiver() as server:
            cs = {
                "name": "cs",
                "kind": "webhook",
                "url": server.url,
                "secret_env": "PULSE_TEST_SECRET",
                "allow_private": True,
                "rate": 2,
            }
            settings = {"receivers": [cs], "notifier": {"fleet_guard": {"enabled": False}}}
            system = System(kafka.bootstrap, tmp_path, prefix=unique, settings=settings)
            system.create_topics()
            try:
                await _produce(system)
                system.process("notify").launch()
                await server.wait_for(lambda: len(server.requests) >= 4, within_s=120)
                stopped_s = time.time()
                os.kill(kafka.pid, signal.SIGSTOP)
                held_up_s = await held_up(_SESSION_S + _MORE_S)
                at_s = [request.at_s - stopped_s for request in server.requests]
                os.kill(kafka.pid, signal.SIGCONT)
                # It had something to send, and the internet to send it.
                assert sum(0 < each < _SESSION_S for each in at_s) >= 4
                # When a request came is seen here, which may have been held up.
                assert [each for each in at_s if each > _SESSION_S + 1.0 + held_up_s] == []
                await server.wait_for(lambda: len(server.delivered_ids) == _ALERTS, within_s=120)
            finally:
                os.kill(kafka.pid, signal.SIGCONT)
                system.stop()


async def held_up(seconds: float) -> float:
    """Sleep so long; how long this process was held up at most meanwhile."""
    most_s, until_s = 0.0, time.monotonic() + seconds
    while (began_s := time.monotonic()) < until_s:
        await asyncio.sleep(0.05)
        most_s = max(most_s, time.monotonic() - began_s - 0.05)
    return most_s


async def _produce(system: System) -> None:
    topic = system.config.kafka.topics.alerts
    async with AIOKafkaProducer(bootstrap_servers=system.bootstrap) as producer:
        for number in range(_ALERTS):
            alert = sample_alert(f"a{number}")
            await producer.send_and_wait(topic, alert.to_json(), alert.account_id.encode())
