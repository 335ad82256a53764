"""The clock that runs: a tick to every partition of the events topic, by default once a second.

The worker that has partition 0 ticks, so there is one ticker most of the time; two are harmless,
because a partition's clock is the largest tick it has seen.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pulse.config.kafka_clients import close, start
from pulse.engine.control import tick

log = structlog.get_logger("pulse.worker")


class Ticker:
    """Ticks by the wall clock while `ticking` is set."""

    def __init__(
        self, settings: dict[str, Any], topic: str, partitions: int, interval_s: float
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._partitions = partitions
        self._interval_s = interval_s
        self.ticking = False

    async def run(self) -> None:
        """Tick until cancelled. A tick that cannot be sent is dropped: the next one says more."""
        producer: AIOKafkaProducer | None = None
        failing = False
        try:
            while True:
                await asyncio.sleep(self._interval_s - time.time() % self._interval_s)
                if not self.ticking:
                    continue
                try:
                    if producer is None:
                        producer = AIOKafkaProducer(
                            acks=1, request_timeout_ms=2_000, retry_backoff_ms=100, **self._settings
                        )
                        await start(producer)
                    async with asyncio.timeout(2.0):
                        await self._tick(producer)
                except (TimeoutError, KafkaError, OSError) as error:
                    if not failing:
                        log.warning("ticks cannot be sent", reason=type(error).__name__)
                    failing = True
                    if producer is not None:
                        stale, producer = producer, None
                        await close(stale, 3.0)
                else:
                    if failing:
                        log.info("ticks are sent again")
                    failing = False
        finally:
            if producer is not None:
                await close(producer, 3.0)

    async def _tick(self, producer: AIOKafkaProducer) -> None:
        headers, value = tick(time.time_ns() // 1_000_000, runs=True)
        sends = [
            await producer.send(self._topic, value, partition=partition, headers=[*headers])
            for partition in range(self._partitions)
        ]
        await asyncio.gather(*sends)
