"""What the ticks take on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pulse.config import Config

TICK_BYTES: Final = 124
"""One tick on disk: a batch of its own (61 bytes) with a record of header and body."""

_DAY_S: Final = 86_400


def tick_bytes_on_disk(config: Config) -> int:
    """Bytes that ticks fill once the events topic is as old as its retention, on all brokers.

    Partitions x ticks a day x bytes x days x replication; 0 where nobody ticks by the wall.
    """
    kafka = config.kafka
    if config.clock == "events":
        return 0
    ticks = _DAY_S / config.worker.tick_interval_s * kafka.retention_days.events
    return round(kafka.partitions * ticks * TICK_BYTES * kafka.replication)
