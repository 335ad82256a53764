"""Hears the alerts of all partitions, whoever sends them: the fleet is seen in one place.

Every notifier reads the whole alerts topic for that, outside the group and without committing
anything. It begins far enough back to know who fell lately, and at the last record of a partition
that was quiet for longer, which says how many accounts it has.
"""

import asyncio
import time
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from pulse.following import raise_ended, read_on
from pulse.notifier.dispatch import Notifier
from pulse.notifier.kafka import KafkaSettings, Outage
from pulse.notifier.reading.arrival import hear

log = structlog.get_logger("pulse.notifier")

_POLL_MS: Final = 200
_AT_ONCE: Final = 1_000


class FleetHearing:
    """Reads on for as long as it runs; `caught_up` is set once what was there has been heard.

    `back_ms`: how far back it begins, by the records' timestamps.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        partitions: int,
        notifier: Notifier,
        outage: Outage,
        back_ms: int,
    ) -> None:
        self.caught_up = asyncio.Event()
        self._kafka = kafka
        self._sources = [TopicPartition(kafka.alerts_topic, each) for each in range(partitions)]
        self._notifier = notifier
        self._outage = outage
        self._back_ms = back_ms
        self._next: dict[TopicPartition, int] = {}

    async def run(self) -> None:
        """Hear until cancelled; a Kafka that is away is waited for."""
        await read_on(
            self._kafka.client,
            self._read,
            self._outage.away,
            fetch_max_wait_ms=100,
            fetch_max_bytes=4 * 1024 * 1024,
            max_partition_fetch_bytes=256 * 1024,
        )

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        consumer.assign(self._sources)
        ends = await consumer.end_offsets(self._sources)
        if not self._next:
            self._next = await self._beginnings(consumer, ends)
        for source, offset in self._next.items():
            consumer.seek(source, offset)
        while True:
            if not self.caught_up.is_set() and all(self._next[s] >= ends[s] for s in self._sources):
                self.caught_up.set()
            raise_ended(consumer)
            polled: dict[TopicPartition, list[Any]] = await consumer.getmany(
                timeout_ms=_POLL_MS, max_records=_AT_ONCE
            )
            for source, records in polled.items():
                self._notifier.hear(source.partition, [hear(record) for record in records])
                self._next[source] = records[-1].offset + 1

    async def _beginnings(
        self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        firsts = await consumer.beginning_offsets(self._sources)
        since_ms = time.time_ns() // 1_000_000 - self._back_ms
        later = await consumer.offsets_for_times(dict.fromkeys(self._sources, since_ms))
        found: dict[TopicPartition, int] = {}
        for source in self._sources:
            at = later.get(source)
            last = max(ends[source] - 1, firsts[source])
            found[source] = last if at is None else min(at.offset, last)
        return found
