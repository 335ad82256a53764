"""Which configuration is in force: said in the log, in every partition, from a place on.

What comes before the place is worked off by those who have the configuration before it. A worker
that comes to a place where another one holds writes what it has and ends.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pulse.config.kafka_clients import for_aiokafka
from pulse.engine import control
from pulse.errors import PulseError
from pulse.producer import Outgoing, Producer
from pulse.stream.kafka.topics import wait_for_topics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulse.config import Config
    from pulse.engine import PartitionState

PATIENCE_S = 60.0


async def activate(config: Config) -> int:
    """Put a configuration in force in every partition from its end on; how many there are.

    Raises PulseError where Kafka does not answer for a minute, or a topic is not as it should be.
    """
    settings = for_aiokafka(config.kafka)
    producer = Producer(settings, idempotent=config.kafka.idempotence)
    try:
        async with asyncio.timeout(PATIENCE_S):
            count = await wait_for_topics(config, settings, asyncio.Event())
            await producer.send(records(config, range(count)))
    except TimeoutError:
        brokers = ", ".join(config.kafka.brokers)
        raise PulseError(
            f"no Kafka answers at {brokers} (tried for {PATIENCE_S:.0f} s)",
            hint="run it again: some partitions may have the record, and it may come twice",
        ) from None
    finally:
        await producer.stop()
    return count


def records(config: Config, partitions: Iterable[int]) -> list[Outgoing]:
    """What puts a configuration in force in partitions of the events topic."""
    headers, value = control.config(config.version)
    topic = config.kafka.topics.events
    return [Outgoing(topic, number, None, value, headers) for number in partitions]


def in_force_elsewhere(config: Config, state: PartitionState) -> PulseError:
    """Where a partition is held, and what to do."""
    place = f"offset {state.position} of {config.kafka.topics.events}/{state.partition}"
    if state.config is None or state.config == config.version:
        return PulseError(
            f"from {place} on the configuration {state.held_by} is in force, and this one is "
            f"{config.version}. What comes before is written",
            hint="start again with the file that was activated",
        )
    return PulseError(
        f"at {place} the configuration {state.config} is in force, and this one is "
        f"{config.version}",
        hint=f"start with the file of {state.config}; `pulse activate` changes to this one while "
        "workers run with that",
    )
