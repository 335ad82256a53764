"""Where the clock of the events topic stands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from kafka import KafkaConsumer, TopicPartition

from pulse.config.kafka_clients import for_kafka_python
from pulse.engine.control import CONTROL_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulse.config import Kafka

_LAST: Final = 200
"""Records looked at: where somebody ticks, a tick is among the last."""

_WINDOWS: Final = tuple(_LAST * 10**n for n in range(8))
_PATIENCE_S: Final = 10.0


class _Tick(msgspec.Struct):
    ts: int


def latest_tick_ms(kafka: Kafka) -> int | None:
    """The largest tick among the last records of a partition; None where there is none.

    Every partition has every tick, so one is enough. What is not told in time counts as none.
    """
    return _latest_ms(kafka, 0, (_LAST,))


def reached_ms(kafka: Kafka) -> int | None:
    """The last tick that every partition has; None where one has none.

    Everything that was sent before it is there, since a partition keeps its order.
    """
    found = [_latest_ms(kafka, number, _WINDOWS) for number in range(kafka.partitions)]
    ticks = [each for each in found if each is not None]
    return min(ticks) if len(ticks) == len(found) else None


def _latest_ms(kafka: Kafka, partition: int, windows: Iterable[int]) -> int | None:
    """The largest tick among the last records of a partition, of so many, else of so many more."""
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
            latest: int | None = None
            deadline_s = time.monotonic() + _PATIENCE_S
            while consumer.position(place) < until and time.monotonic() < deadline_s:
                for records in consumer.poll(timeout_ms=500).values():
                    for record in records:
                        if (CONTROL_HEADER, b"tick") in record.headers:
                            at_ms = msgspec.json.decode(record.value, type=_Tick).ts
                            latest = at_ms if latest is None else max(latest, at_ms)
            if latest is not None or start == first:
                return latest
            until = start
        return None
    finally:
        consumer.close()
