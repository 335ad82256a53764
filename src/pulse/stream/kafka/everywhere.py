"""A control record, written into every partition of the events topic."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer

from pulse.config.kafka_clients import close, start

if TYPE_CHECKING:
    from pulse.engine.control import ControlRecord

WITHIN_S = 10.0


async def write_everywhere(
    settings: dict[str, Any], topic: str, partitions: int, record: ControlRecord
) -> None:
    """Return when all are acknowledged. Raises TimeoutError, KafkaError or OSError."""
    producer = AIOKafkaProducer(acks="all", **settings)
    try:
        async with asyncio.timeout(WITHIN_S):
            await start(producer)
            sends = [
                await producer.send(
                    topic, record.value, partition=partition, headers=[*record.headers]
                )
                for partition in range(partitions)
            ]
            await asyncio.gather(*sends)
    finally:
        await close(producer, 3.0)
