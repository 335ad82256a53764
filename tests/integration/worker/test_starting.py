"""A Kafka client whose start is given up leaves no connection open."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from pulse.config.kafka_clients import close, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.testing.kafka import KafkaServer

STEPS = 40


@pytest.mark.parametrize("kind", [AIOKafkaConsumer, AIOKafkaProducer])
async def test_given_up_at_each_step(kind: Callable[..., Any], kafka: KafkaServer) -> None:
    finished = 0
    for steps in range(STEPS):
        client = kind(bootstrap_servers=kafka.bootstrap)
        starting = asyncio.create_task(start(client))
        for _ in range(steps):
            await asyncio.sleep(0.000_5)
        finished += starting.done()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await close(client)
    assert 0 < finished < STEPS
    # A connection that nobody has closed warns now, and a warning fails the test.
    gc.collect()
