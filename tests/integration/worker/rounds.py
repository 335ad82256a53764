"""Plays a script on Apache Kafka so that the line of the fleet is laid as in a replay of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from pulse.engine import control, fleet
from pulse.engine.control import CONTROL_HEADER
from pulse.placement import partition_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulse.testing.system import System


class Player:
    """Plays cues; after each tick by which a round begins it waits for the line it makes."""

    def __init__(self, system: System) -> None:
        self._topic, self._partitions = system.config.kafka.topics.events, system.partitions
        self._producer = KafkaProducer(bootstrap_servers=system.bootstrap, acks="all")
        self._consumer = KafkaConsumer(bootstrap_servers=system.bootstrap, enable_auto_commit=False)
        places = [TopicPartition(self._topic, number) for number in range(self._partitions)]
        self._consumer.assign(places)
        self._consumer.seek_to_beginning(*places)
        self.lines: dict[str, dict[int, bytes]] = {}
        """What a line says in each partition, by its version."""

    def play(self, cues: Iterable[Any], day: int = 0) -> int:
        """The day of the last round; `day` is that of the last one before."""
        for cue in cues:
            if cue.tick_ms is not None:
                self.tick(cue.tick_ms, range(self._partitions))
            if cue.line is not None:
                self.send(cue.account_id, cue.line.raw)
            if cue.tick_ms is not None and fleet.due_day(cue.tick_ms) > day:
                day = fleet.due_day(cue.tick_ms)
                self._producer.flush()
                self._wait_for(fleet.version(day))
        self._producer.flush()
        return day

    def tick(self, at_ms: int, partitions: Iterable[int]) -> None:
        headers, value = control.tick(at_ms)
        # The first partition begins a round: its summary must come to no other one before this.
        for number in sorted(partitions, reverse=True):
            self._producer.send(self._topic, value, partition=number, headers=[*headers]).get(
                timeout=60
            )

    def send(self, account_id: str, line: bytes) -> None:
        number = partition_of(account_id, self._partitions)
        self._producer.send(self._topic, line, key=account_id.encode(), partition=number)

    def _wait_for(self, version: str) -> None:
        # A worker may have been killed before, whose session has to run out.
        deadline = time.monotonic() + 150
        while len(self.lines.get(version, ())) < self._partitions:
            assert time.monotonic() < deadline, f"no line {version}: {self.lines}"
            for records in self._consumer.poll(timeout_ms=200).values():
                for record in records:
                    if (CONTROL_HEADER, fleet.LINE) in record.headers:
                        said = msgspec.json.decode(record.value)["version"]
                        self.lines.setdefault(said, {})[record.partition] = record.value

    def close(self) -> None:
        self._producer.flush()
        self._producer.close()
        self._consumer.close()
