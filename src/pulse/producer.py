"""What is produced to Kafka: awaited, in order, and patient while Kafka is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordTooLargeError

from pulse.config.kafka_clients import close, hand_over, start
from pulse.errors import PulseError

log = structlog.get_logger("pulse.kafka")

RETRY_S = 1.0
MAX_REQUEST_BYTES = 4 << 20
"""Dead letters hold what could not be read, up to Kafka's own limit and a little more."""

Headers = Sequence[tuple[str, bytes]]


class Outgoing(NamedTuple):
    """A record to produce."""

    topic: str
    partition: int | None
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Producer:
    """A producer that ends only with the acknowledgement of everything it was given.

    While Kafka is away it waits and tries again, in order; the consumer upstream waits with it.
    """

    def __init__(self, settings: dict[str, Any], *, idempotent: bool) -> None:
        self._settings = settings
        self._idempotent = idempotent
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Produce all records in order; returns when the broker has acknowledged them all.

        What the broker refuses for good raises PulseError.
        """
        waiting = 0
        while True:
            producer: AIOKafkaProducer | None = None
            sends: list[Awaitable[Any]] = []
            try:
                producer = await self._started()
                for (topic, partition), run in groupby(records, key=_where):
                    async for send in _sends(producer, topic, partition, list(run)):
                        sends.append(send)
                await asyncio.gather(*sends)
            except (MessageSizeTooLargeError, RecordTooLargeError) as error:
                raise PulseError(
                    f"Kafka refused a record as too large: {error}",
                    hint="raise max.message.bytes of the topic",
                ) from error
            except (KafkaError, OSError) as error:
                if not waiting:
                    log.warning("kafka does not take records, waiting", reason=_name(error))
                waiting += 1
                # What was handed over has its end too, which nobody waits for.
                asyncio.gather(*sends, return_exceptions=True)
                # A producer whose batches expired may have lost its sequence numbers.
                await self._drop(producer)
                await asyncio.sleep(RETRY_S)
            else:
                if waiting:
                    log.info("kafka takes records again", after_s=round(waiting * RETRY_S))
                return

    async def stop(self) -> None:
        """Close the connection; what was sent has been acknowledged."""
        await self._drop(self._producer)

    async def _started(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    acks="all",
                    enable_idempotence=self._idempotent,
                    linger_ms=5,
                    max_request_size=MAX_REQUEST_BYTES,
                    max_batch_size=256 * 1024,
                    request_timeout_ms=15_000,
                    **self._settings,
                )
                try:
                    await start(producer)
                except BaseException:
                    await close(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _drop(self, failed: AIOKafkaProducer | None) -> None:
        """Give up a producer, if nobody else has done so since it failed."""
        if failed is None or self._producer is not failed:
            return
        self._producer = None
        await close(failed)


def _where(record: Outgoing) -> tuple[str, int | None]:
    return record.topic, record.partition


async def _sends(
    producer: AIOKafkaProducer, topic: str, partition: int | None, records: list[Outgoing]
) -> AsyncIterator[Awaitable[Any]]:
    """Hand records of one place over, in order; each result is an acknowledgement.

    Many records of one partition go as batches: each alone costs ten times as much.
    """
    if partition is None or len(records) == 1:
        for r in records:
            send = producer.send(topic, r.value, r.key, partition, headers=[*r.headers])
            yield await hand_over(send)
        return
    batch = producer.create_batch()
    for r in records:
        record = {"timestamp": None, "key": r.key, "value": r.value, "headers": [*r.headers]}
        if batch.append(**record) is None:  # it is full
            yield await hand_over(producer.send_batch(batch, topic, partition=partition))
            batch = producer.create_batch()
            batch.append(**record)
    yield await hand_over(producer.send_batch(batch, topic, partition=partition))


def _name(error: BaseException) -> str:
    return type(error).__name__
