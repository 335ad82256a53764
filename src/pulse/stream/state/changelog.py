"""Reading state back, and what else recovery must know of Kafka."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from pulse.config.kafka_clients import close, start
from pulse.following import reader
from pulse.stream.state.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_POLL_MS = 500


class InputRange(NamedTuple):
    """What the events topic still holds of a partition, and what the group committed."""

    earliest: int
    end: int
    committed: int | None


async def read_snapshots(
    settings: dict[str, Any],
    topic: str,
    partitions: Iterable[int],
    went_on: Callable[[], object] = lambda: None,
) -> dict[int, Snapshot]:
    """The changelog of each partition, read to its end. `went_on` is called while records come."""
    snapshots = {partition: Snapshot() for partition in partitions}
    if not snapshots:
        return snapshots
    consumer = reader(settings, fetch_max_wait_ms=100)
    try:
        await start(consumer)
        tps = [TopicPartition(topic, partition) for partition in snapshots]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        left = {tp for tp in tps if ends[tp] > 0}
        for tp in left:
            await consumer.seek_to_beginning(tp)
        while left:
            fetched = await consumer.getmany(*left, timeout_ms=_POLL_MS)
            for tp, records in fetched.items():
                take = snapshots[tp.partition].take
                for record in records:
                    take(record.key, record.value)
                went_on()
            for tp in list(left):
                # Some brokers answer the end offset too low; what a fetch says is right.
                end = max(ends[tp], consumer.highwater(tp) or 0)
                if await consumer.position(tp) >= end:
                    left.discard(tp)
    finally:
        await close(consumer)
    return snapshots


async def read_ranges(
    settings: dict[str, Any], group: str, topic: str, partitions: Iterable[int]
) -> dict[int, InputRange]:
    """What there is to read of each partition of the events topic."""
    consumer = AIOKafkaConsumer(group_id=group, enable_auto_commit=False, **settings)
    try:
        await start(consumer)
        tps = [TopicPartition(topic, partition) for partition in partitions]
        consumer.assign(tps)
        first, last, *committed = await asyncio.gather(
            consumer.beginning_offsets(tps),
            consumer.end_offsets(tps),
            *(consumer.committed(tp) for tp in tps),
        )
        # Some brokers answer the end offset too low; what a fetch says is right.
        held = [tp for tp in tps if last[tp] > first[tp]]
        for tp in held:
            consumer.seek(tp, last[tp] - 1)
        if held:
            await consumer.getmany(*held, timeout_ms=_POLL_MS)
        return {
            tp.partition: InputRange(first[tp], max(last[tp], consumer.highwater(tp) or 0), offset)
            for tp, offset in zip(tps, committed, strict=True)
        }
    finally:
        await close(consumer)
