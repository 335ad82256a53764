"""From the history topic into the file."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from pulse.following import raise_ended, read_on
from pulse.history.store import HistoryError, OtherFormError
from pulse.history.writing import Record

if TYPE_CHECKING:
    from datetime import date

    from pulse.history.store import History

log = structlog.get_logger("pulse.history")

_MOST: Final = 5_000
_AGAIN_S: Final = 5.0
"""After the file could not be written."""


class Recorder:
    """Writes what comes on the topic into the file, and lets days go that are too old.

    Kafka may be away, and the file may not be writable, as long as the topic keeps its records:
    what came meanwhile is read then.
    """

    def __init__(self, settings: dict[str, Any], topic: str, history: History, days: int) -> None:
        self._settings = settings
        self._topic = topic
        self._places: list[TopicPartition] = []
        self._history = history
        self._days = days
        self._is_away = False
        self._is_unwritten = False
        self._written: dict[TopicPartition, int] = {}
        """Up to which offset records are in the file, where that is known."""
        self._first: date | None = None
        """The oldest day that is kept, when old ones last went."""
        self.lag = 0
        """Records of the topic that are not in the file yet, as far as Kafka has told of them."""

    async def prepare(self) -> None:
        """Make the file; where that cannot be done now, `run` does it later. Raises
        `OtherFormError`.
        """
        try:
            await asyncio.to_thread(self._history.prepare)
        except OtherFormError:
            raise
        except HistoryError as error:
            self._on_unwritten(error)

    async def run(self) -> None:
        """Go on, until cancelled."""
        await read_on(self._settings, self._read, self._on_away)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        self._places = await self._there(consumer)
        consumer.assign(self._places)
        while True:
            try:
                await self._go_to(consumer)
                if self._is_away:
                    log.info("the history is read from Kafka again")
                self._is_away = False
                while True:
                    await self.step(consumer)
            except HistoryError as error:
                self._on_unwritten(error)
                await self._look(consumer)
                await asyncio.sleep(_AGAIN_S)

    async def _there(self, consumer: AIOKafkaConsumer) -> list[TopicPartition]:
        """All partitions of the topic, of which it may have more than the events have by now."""
        first = TopicPartition(self._topic, 0)
        consumer.assign([first])
        await consumer.end_offsets([first])  # by now it knows of the topic
        numbers = consumer.partitions_for_topic(self._topic) or {0}
        return [TopicPartition(self._topic, number) for number in sorted(numbers)]

    def _on_unwritten(self, error: HistoryError) -> None:
        if not self._is_unwritten:
            log.warning(
                "the history cannot be written; what is there is shown, if it can be read",
                reason=str(error),
                hint=error.hint,
            )
        self._is_unwritten = True

    async def _look(self, consumer: AIOKafkaConsumer) -> None:
        """See how much is not in the file yet, while nothing can be written."""
        ends = await consumer.end_offsets(self._places)
        begins = await consumer.beginning_offsets(self._places)
        self.lag = sum(
            max(ends[place] - self._written.get(place, begins[place]), 0) for place in self._places
        )

    def _on_away(self, error: BaseException) -> None:
        if not self._is_away:
            log.warning(
                "the history cannot be read from Kafka; what is there is shown", reason=repr(error)
            )
        self._is_away = True

    async def _go_to(self, consumer: AIOKafkaConsumer) -> None:
        await asyncio.to_thread(self._history.prepare)
        known = await asyncio.to_thread(self._history.places)
        ends = await consumer.end_offsets(self._places)
        for place in self._places:
            next_offset = known.get(place.partition)
            if next_offset is not None and next_offset > ends[place]:
                log.warning("the history topic was made again", partition=place.partition)
                await asyncio.to_thread(self._history.begin_again, place.partition)
                next_offset = None
                self._written.pop(place, None)
            if next_offset is None:
                await consumer.seek_to_beginning(place)
            else:
                consumer.seek(place, next_offset)
                self._written[place] = next_offset

    async def step(self, consumer: AIOKafkaConsumer) -> int:
        """Write what has come; returns how many records."""
        raise_ended(consumer)
        polled = await consumer.getmany(timeout_ms=500, max_records=_MOST)
        records = [
            Record(place.partition, each.offset, each.key or b"", each.value, each.timestamp)
            for place, batch in polled.items()
            for each in batch
        ]
        taken = 0
        if records:
            taken = await asyncio.to_thread(self._history.take, records)
            await self._let_go()
            if self._is_unwritten:
                log.info("the history is written again")
            self._is_unwritten = False
        lag = 0
        for place in self._places:
            self._written[place] = await consumer.position(place)
            lag += max((consumer.highwater(place) or 0) - self._written[place], 0)
        self.lag = lag
        return taken

    async def _let_go(self) -> None:
        newest = await asyncio.to_thread(self._history.newest)
        if newest is None:
            return
        first = newest - timedelta(days=self._days - 1)
        if self._first is None or first > self._first:
            self._first = first
            await asyncio.to_thread(self._history.forget_before, first)
