"""Topics that a process follows: what another one has written it knows a moment later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from pulse.config.kafka_clients import close, start

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiokafka import TopicPartition

WITHIN_S = 10.0
"""Kafka must answer, and go on answering, within this time."""

_AGAIN_S = 1.0


def reader(settings: Mapping[str, Any], *topics: str, **limits: Any) -> AIOKafkaConsumer:
    """A consumer that is in no group and commits nothing; it begins with the oldest record.

    `settings` are those of every client, `limits` what is aiokafka's own.
    """
    return AIOKafkaConsumer(
        *topics,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **settings,
        **limits,
    )


async def read_on(
    settings: Mapping[str, Any],
    read: Callable[[AIOKafkaConsumer], Awaitable[None]],
    on_away: Callable[[BaseException], None],
    **limits: Any,
) -> None:
    """Have `read` read for as long as it likes, and again a moment after Kafka was away.

    It is given a new `reader` each time, and goes on where it was. `on_away` is told each failure.
    """
    while True:
        consumer = reader(settings, **limits)
        try:
            await start(consumer)
            await read(consumer)
        except (KafkaError, OSError) as error:
            on_away(error)
            await asyncio.sleep(_AGAIN_S)
        finally:
            await close(consumer)


def raise_ended(consumer: Any) -> None:
    """Raise `KafkaError` where a consumer of aiokafka has given fetching up: `getmany` would give
    nothing for ever, and not say so.
    """
    if consumer._fetcher.error_future.done():
        raise KafkaError("fetching has ended")


class Follower:
    """Reads a topic: to its end in `start`, and on while it `run`s.

    `take` is given the key and the value of each record, None where it was erased. With `since_ms`
    it begins with the records that were written then.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        topic: str,
        take: Callable[[bytes, bytes | None], None],
        *,
        since_ms: int | None = None,
    ) -> None:
        self._settings = settings
        self.topic = topic
        self._take_record = take
        self._since_ms = since_ms
        self._consumer: AIOKafkaConsumer | None = None

    async def start(self) -> None:
        """Return when all of now is known. Raises TimeoutError, KafkaError or OSError; called again
        it begins anew, and `take` is given what it had before.
        """
        await self.stop()
        self._consumer = consumer = reader(self._settings, self.topic, fetch_max_wait_ms=200)
        async with asyncio.timeout(WITHIN_S):
            await start(consumer)
            places = list(consumer.assignment())
            if not places:
                raise UnknownTopicOrPartitionError(self.topic)
            ends = await consumer.end_offsets(places)
            if self._since_ms is not None:
                await self._go_to(consumer, self._since_ms, ends)
        for place in places:
            while (before := await consumer.position(place)) < ends[place]:
                async with asyncio.timeout(WITHIN_S):
                    while await consumer.position(place) == before:
                        await self._take(consumer)

    async def _go_to(
        self, consumer: AIOKafkaConsumer, since_ms: int, ends: dict[TopicPartition, int]
    ) -> None:
        found = await consumer.offsets_for_times(dict.fromkeys(ends, since_ms))
        for place, end in ends.items():
            first = found.get(place)
            # None: all that is there was written before.
            consumer.seek(place, end if first is None else first.offset)

    async def run(self) -> None:
        """Go on, until cancelled. Raises `KafkaError` where that is possible no more."""
        consumer = self._consumer
        while consumer is not None:
            await self._take(consumer)

    async def stop(self) -> None:
        """Close the connection."""
        if self._consumer is not None:
            await close(self._consumer)

    async def _take(self, consumer: AIOKafkaConsumer) -> None:
        raise_ended(consumer)
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                self._take_record(record.key or b"", record.value)
