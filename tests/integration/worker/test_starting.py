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
"""So many are given up after half a millisecond more each."""


@pytest.mark.parametrize("kind", [AIOKafkaConsumer, AIOKafkaProducer])
async def test_given_up_at_each_step(kind: Callable[..., Any], kafka: KafkaServer) -> None:
    finished = tries = steps = 0
    # Where much else runs a start takes longer: others follow until one has come to its end.
    while tries < STEPS or not finished:
        client = kind(bootstrap_servers=kafka.bootstrap)
        starting = asyncio.create_task(start(client))
        for _ in range(steps):
            await asyncio.sleep(0.000_5)
        finished += starting.done()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await close(client)
        tries += 1
        steps += 1 if tries < STEPS else steps // 2
    assert finished < tries
    # A connection that nobody has closed warns now, and a warning fails the test.
    gc.collect()
