"""Follows what people mute: the silences topic, read to its end before anything is sent."""

import asyncio
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from pulse.alerting.people.silences import REPLAY_PREFIX, Muted
from pulse.following import raise_ended, read_on
from pulse.notifier.dispatch import Notifier
from pulse.notifier.kafka import KafkaSettings, Outage

log = structlog.get_logger("pulse.notifier")

_POLL_MS: Final = 200


class SilenceHearing:
    """Reads on for as long as it runs; `caught_up` is set once what was there is known."""

    def __init__(self, kafka: KafkaSettings, notifier: Notifier, outage: Outage) -> None:
        self.caught_up = asyncio.Event()
        self._kafka = kafka
        self._source = TopicPartition(kafka.silences_topic, 0)
        self._notifier = notifier
        self._outage = outage
        self._muted = Muted()
        self._next: int | None = None

    async def run(self) -> None:
        """Follow it until cancelled; a Kafka that is away is waited for."""
        await read_on(self._kafka.client, self._read, self._outage.away, fetch_max_wait_ms=100)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        source = self._source
        consumer.assign([source])
        end = (await consumer.end_offsets([source]))[source]
        if self._next is None:
            self._next = (await consumer.beginning_offsets([source]))[source]
        consumer.seek(source, self._next)
        while True:
            raise_ended(consumer)
            polled: dict[TopicPartition, list[Any]] = await consumer.getmany(timeout_ms=_POLL_MS)
            records = polled.get(source, [])
            # What is erased because it is on record changes nothing, and there may be many.
            is_news = sum(self._take(record) for record in records) > 0
            # Over what compaction left out, and over markers.
            self._next = await consumer.position(source)
            is_there = self._next >= max(end, consumer.highwater(source) or 0)
            if self.caught_up.is_set():
                if is_news:
                    self._notifier.mute(self._muted)
            elif is_there:
                self._notifier.mute(self._muted)
                self.caught_up.set()

    def _take(self, record: Any) -> bool:
        """Take a record; whether the notifier has to hear of it."""
        key = "" if record.key is None else record.key.decode(errors="replace")
        try:
            self._muted.read(key, record.value)
        except ValueError as error:
            log.error(
                "a record of the silences topic cannot be read; it is passed over",
                key=key[:80],
                offset=record.offset,
                error=str(error),
            )
            return False
        return not (record.value is None and key.startswith(REPLAY_PREFIX))
