"""The demo's player: a history into Kafka, years in a minute."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaProducer

from pulse.config.kafka_clients import for_aiokafka
from pulse.errors import PulseError
from pulse.placement import partition_of
from pulse.playback.lines import Lines
from pulse.playback.script import Script
from pulse.stream.ticker import TICK_HEADERS, tick_value

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pulse.config import Kafka

_SOON_S: Final = 0.02
"""What is due within this is sent without waiting."""

_UNACKNOWLEDGED: Final = 5_000
"""Records that may be under way before the player waits for the broker."""


class Player:
    """Plays a file of events, stretched or squeezed to last `seconds` altogether."""

    def __init__(self, file: Path, kafka: Kafka, seconds: float) -> None:
        self._file = file
        self._kafka = kafka
        self._seconds = seconds
        script = Script(Lines([file]))
        self.lines = sum(cue.line is not None for cue in script)
        """How many lines there are to play."""
        if script.first_ms is None or script.last_ms is None:
            raise PulseError(f"{file} has no events to play")
        self.first_ms: int = script.first_ms
        self.last_ms: int = script.last_ms

    async def play(self, played: Callable[[int], None]) -> None:
        """Play it; `played` is told how far that is, in event time."""
        producer = AIOKafkaProducer(acks="all", linger_ms=5, **for_aiokafka(self._kafka))
        await producer.start()
        try:
            await self._play(producer, played)
        finally:
            await producer.stop()

    async def _play(self, producer: AIOKafkaProducer, played: Callable[[int], None]) -> None:
        topic, partitions = self._kafka.topics.events, self._kafka.partitions
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        pace = self._seconds / max(self.last_ms - self.first_ms, 1)
        sent: list[asyncio.Future[object]] = []
        for cue in Script(Lines([self._file])):
            at_ms = cue.at_ms if cue.at_ms is not None else cue.tick_ms
            if at_ms is not None:
                due_s = started_s + (at_ms - self.first_ms) * pace
                if due_s > loop.time() + _SOON_S:
                    await asyncio.sleep(due_s - loop.time())
                played(at_ms)
            if cue.tick_ms is not None:
                value = tick_value(cue.tick_ms)
                for number in range(partitions):
                    tick = producer.send(topic, value, partition=number, headers=list(TICK_HEADERS))
                    sent.append(await tick)
            if cue.line is not None and cue.account_id is not None:
                sent.append(
                    await producer.send(
                        topic,
                        cue.line.raw,
                        key=cue.account_id.encode(),
                        partition=partition_of(cue.account_id, partitions),
                    )
                )
            if len(sent) >= _UNACKNOWLEDGED:
                await asyncio.gather(*sent)
                sent.clear()
        await asyncio.gather(*sent)
