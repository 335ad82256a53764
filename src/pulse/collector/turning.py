"""A record now and then where hardly anything is written, so that Kafka compacts what is there.

Kafka never compacts the segment that is written to, and begins another one only with a record that
comes after its time is up. In a partition into which nobody writes, a link that was erased would
stay for good.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import structlog

from pulse.errors import PulseError
from pulse.producer import Outgoing, Producer

if TYPE_CHECKING:
    from pulse.config import Kafka

log = structlog.get_logger("pulse.collector")

EVERY_S: Final = 6 * 3600.0

KEY: Final = b"turn"
"""Of the record; it says nothing, and is no link."""


async def keep_turning(kafka: Kafka, settings: dict[str, Any], every_s: float = EVERY_S) -> None:
    """Write into every partition of the links, until cancelled."""
    producer = Producer(settings, idempotent=kafka.idempotence)
    records = [Outgoing(kafka.topics.links, n, KEY, b"{}") for n in range(kafka.partitions)]
    try:
        while True:
            try:
                await producer.send(records)
            except PulseError as error:
                log.warning("among the links nothing can be written", error=str(error))
            await asyncio.sleep(every_s)
    finally:
        await producer.stop()
