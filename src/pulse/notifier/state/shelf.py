"""Where alerts are read that are not in memory: the deliveries topic, and before it the alerts'."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from pulse.alerting.records import envelope
from pulse.alerting.records.envelope import unwrap, version_of
from pulse.config.kafka_clients import close, start
from pulse.following import reader
from pulse.notifier.state.letters import is_that, status_of
from pulse.notifier.state.log import LogUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulse.notifier.kafka import KafkaSettings, Outage
    from pulse.notifier.state.letters import Letters, Shelf, Wanted
    from pulse.notifier.state.log import DeliveryLog

_AGAIN_S: Final = 1.0
_WITHIN_S: Final = 5.0
"""So long an offset is waited for that may be there no more."""


def keep(letters: Letters, key: str, value: bytes | None) -> None:
    """Keep an alert that passes while the deliveries topic is read. Raises `ValueError`."""
    if not key.startswith(envelope.JSON):
        return
    alert_id = key.removeprefix(envelope.JSON)
    raw = None if value is None or version_of(value) == 1 else unwrap(value).said
    if raw is None:
        letters.drop(alert_id)
    else:
        letters.put(alert_id, status_of(raw), raw)


class LogShelf:
    """The deliveries topic, read from its beginning: slow, and it has what may still be told."""

    def __init__(self, topic: DeliveryLog) -> None:
        self._topic = topic
        self._reading = asyncio.Lock()

    async def fetch(self, wanted: Iterable[Wanted]) -> Mapping[str, bytes]:
        """Their JSON by alert id, as far as it is there. Waits for a Kafka that is away."""
        keys = {envelope.JSON + each.alert_id: each for each in wanted}
        async with self._reading:
            while True:
                found: dict[str, bytes] = {}
                try:
                    async with aclosing(self._topic.read(envelope.PARTITION)) as batches:
                        async for batch in batches:
                            for key, value in batch:
                                raw = _said(value) if key in keys else None
                                if raw is not None and is_that(raw, keys[key]):
                                    found[keys[key].alert_id] = raw
                except LogUnavailable:
                    await asyncio.sleep(_AGAIN_S)
                else:
                    return found


def _said(value: bytes | None) -> bytes | None:
    """What a record says; None where nothing, or nothing that can be read."""
    try:
        return None if value is None else unwrap(value).said
    except ValueError:
        return None


class AlertShelf:
    """The alerts topic, where alerts came from; `behind` it is what is there no more."""

    def __init__(self, kafka: KafkaSettings, outage: Outage, behind: Shelf) -> None:
        self._kafka = kafka
        self._outage = outage
        self._behind = behind
        self._reading = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    async def stop(self) -> None:
        """Close the connection."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await close(consumer)

    async def fetch(self, wanted: Iterable[Wanted]) -> Mapping[str, bytes]:
        """Their JSON by alert id, as far as it is there. Waits for a Kafka that is away."""
        everything = list(wanted)
        found: dict[str, bytes] = {}
        async with self._reading:
            while True:
                try:
                    found = await self._read(everything)
                except (KafkaError, OSError) as error:
                    self._outage.away(error)
                    await self.stop()
                    await asyncio.sleep(_AGAIN_S)
                else:
                    break
        missing = [each for each in everything if each.alert_id not in found]
        return {**found, **(await self._behind.fetch(missing) if missing else {})}

    async def _read(self, wanted: list[Wanted]) -> dict[str, bytes]:
        consumer = await self._connected()
        places: dict[TopicPartition, dict[int, Wanted]] = {}
        for each in wanted:
            topic, _, place = each.origin.partition("/")
            number, _, offset = place.partition("/")
            if topic == self._kafka.alerts_topic and number.isdigit() and offset.isdigit():
                places.setdefault(TopicPartition(topic, int(number)), {})[int(offset)] = each
        found: dict[str, bytes] = {}
        for source, offsets in places.items():
            consumer.assign([source])
            ends = await consumer.end_offsets([source])
            firsts = await consumer.beginning_offsets([source])
            following: int | None = None
            for at in sorted(offsets):
                if not firsts[source] <= at < ends[source]:
                    continue
                if at != following:
                    consumer.seek(source, at)
                following = at + 1
                raw = await self._at(consumer, source, at)
                if raw is not None and is_that(raw, offsets[at]):
                    found[offsets[at].alert_id] = raw
        return found

    async def _at(
        self, consumer: AIOKafkaConsumer, source: TopicPartition, offset: int
    ) -> bytes | None:
        """The value at an offset; None where it is there no more."""
        try:
            async with asyncio.timeout(_WITHIN_S):
                record: Any = await consumer.getone(source)
        except TimeoutError:
            return None
        return record.value if record.offset == offset else None

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = reader(
                self._kafka.client, fetch_max_wait_ms=50, max_partition_fetch_bytes=256 * 1024
            )
            try:
                await start(consumer)
            except BaseException:
                await close(consumer)
                raise
            self._consumer = consumer
        return self._consumer
