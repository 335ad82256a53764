"""Where the clock of the events topic stands, and how far its last load is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec
from kafka import KafkaConsumer, TopicPartition

from pulse.config.kafka_clients import for_kafka_python
from pulse.engine.control import CONTROL_HEADER, LOAD, LOADED, read_load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.config import Kafka

_LAST: Final = 200
"""Records looked at: where somebody ticks, a tick is among the last."""

_WINDOWS: Final = tuple(_LAST * 10**n for n in range(8))
_PATIENCE_S: Final = 10.0
_LEAST_RATE: Final = 20_000
"""Records a second that are read at least."""

T = TypeVar("T")


class _Tick(msgspec.Struct):
    ts: int


class LoadMark(NamedTuple):
    """What a record says of a load: how many of its lines stand before it, or that it has ended."""

    load: str
    lines: int
    ended: bool
    at_ms: int
    """When the broker took it."""


def latest_tick_ms(kafka: Kafka) -> int | None:
    """The largest tick among the last records of a partition; None where there is none.

    Every partition has every tick, so one is enough. What is not told in time counts as none.
    """
    return max(_search(kafka, 0, (_LAST,), _tick_of), default=None)


def current_tick_ms(kafka: Kafka) -> int | None:
    """The largest tick among the last ones of a partition, however far back; None without any."""
    return max(_search(kafka, 0, _WINDOWS, _tick_of), default=None)


def reached_ms(kafka: Kafka) -> int | None:
    """The last tick that every partition has; None where one has none.

    Everything that was sent before it is there, since a partition keeps its order.
    """
    found = [_search(kafka, number, _WINDOWS, _tick_of) for number in range(kafka.partitions)]
    return min((max(ticks, default=-1) for ticks in found), default=-1) if all(found) else None


def load_marks(kafka: Kafka, partition: int) -> list[LoadMark]:
    """The last that a partition says of loads, in order; empty where it says nothing."""
    return _search(kafka, partition, _WINDOWS, _load_of)


def _tick_of(record: Any) -> int | None:
    if (CONTROL_HEADER, b"tick") not in record.headers:
        return None
    return msgspec.json.decode(record.value, type=_Tick).ts


def _load_of(record: Any) -> LoadMark | None:
    kinds = [value for name, value in record.headers if name == CONTROL_HEADER]
    said = read_load(record.value) if kinds and kinds[0] in (LOAD, LOADED) else None
    if said is None:
        return None
    return LoadMark(said.load, said.lines, kinds[0] == LOADED, record.timestamp)


def _search(
    kafka: Kafka, partition: int, windows: Iterable[int], read: Callable[[Any], T | None]
) -> list[T]:
    """What `read` makes of the last records of a partition, of so many, else of so many more."""
    place = TopicPartition(kafka.topics.events, partition)
    consumer = KafkaConsumer(enable_auto_commit=False, **for_kafka_python(kafka))
    try:
        consumer.assign([place])
        first, end = (
            offsets[place]
            for offsets in (consumer.beginning_offsets([place]), consumer.end_offsets([place]))
        )
        until = end
        for window in windows:
            start = max(first, end - window)
            consumer.seek(place, start)
            found: list[T] = []
            deadline_s = time.monotonic() + _PATIENCE_S + window / _LEAST_RATE
            while consumer.position(place) < until and time.monotonic() < deadline_s:
                for records in consumer.poll(timeout_ms=500).values():
                    found += [each for each in map(read, records) if each is not None]
            if found or start == first:
                return found
            until = start
        return []
    finally:
        consumer.close()
