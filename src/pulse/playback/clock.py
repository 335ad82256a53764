"""Where the clock of the events topic stands, and how far its last load is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import msgspec
from kafka import KafkaConsumer, TopicPartition

from pulse.config.kafka_clients import for_kafka_python
from pulse.engine.control import CONTROL_HEADER, LOAD, LOADED, is_of_running_clock, read_load

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


class _Said(NamedTuple):
    """What a control record says of the clock: a boundary, or a tick and whether it runs."""

    boundary: str = ""
    tick_ms: int = -1
    runs: bool = False


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
    return _largest(_search(kafka, 0, (_LAST,), _tick_of))


def current_tick_ms(kafka: Kafka) -> int | None:
    """The largest tick among the last ones of a partition, however far back; None without any."""
    return _largest(_search(kafka, 0, _WINDOWS, _tick_of))


def running_ms(kafka: Kafka, partitions: Iterable[int]) -> int | None:
    """Where the clock that runs stands in some partitions, at the furthest; None where none ran.

    Its ticks behind the beginning of a history count for nothing.
    """
    ran: list[int] = []
    for number in partitions:
        said = _search(kafka, number, (_LAST,), _said_of)
        began = [at for at, each in enumerate(said) if each.boundary == "history"]
        ran += [each.tick_ms for each in said[: began[-1] if began else None] if each.runs]
    return _largest(ran)


def reached_ms(kafka: Kafka) -> int | None:
    """The last tick of a history that every partition has; None where one has none.

    Everything that was sent before it is there, since a partition keeps its order. Where no history
    is played, it is that of the clock that runs.
    """
    boundaries = _search(kafka, 0, _WINDOWS, _boundary_of)
    is_played = bool(boundaries) and boundaries[-1] == "history"
    read = _own_tick_of if is_played else _tick_of
    found = [_largest(_search(kafka, number, _WINDOWS, read)) for number in range(kafka.partitions)]
    reached = [each for each in found if each is not None]
    return min(reached) if len(reached) == len(found) else None


def load_marks(kafka: Kafka, partition: int) -> list[LoadMark]:
    """The last that a partition says of loads, in order; empty where it says nothing."""
    return _search(kafka, partition, _WINDOWS, _load_of)


def _said_of(record: Any) -> _Said | None:
    kinds = [value for name, value in record.headers if name == CONTROL_HEADER]
    if kinds == [b"tick"]:
        ts = msgspec.json.decode(record.value, type=_Tick).ts
        return _Said(tick_ms=ts, runs=is_of_running_clock(record.value))
    return _Said(boundary=kinds[0].decode()) if kinds in ([b"history"], [b"live"]) else None


def _boundary_of(record: Any) -> str | None:
    said = _said_of(record)
    return said.boundary if said is not None and said.boundary else None


def _tick_of(record: Any) -> int | None:
    said = _said_of(record)
    return said.tick_ms if said is not None and not said.boundary else None


def _own_tick_of(record: Any) -> int | None:
    """A tick of a history."""
    said = _said_of(record)
    return said.tick_ms if said is not None and not (said.boundary or said.runs) else None


def _largest(found: list[int]) -> int | None:
    return max(found, default=None)


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
