"""What a worker needs of Kafka before it starts: that it answers, and that its topics are right."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from pulse.errors import PulseError

if TYPE_CHECKING:
    from pulse.config import Config

log = structlog.get_logger("pulse.worker")

RETRY_S = 1.0


async def wait_for_topics(config: Config, settings: dict[str, Any], stop: asyncio.Event) -> int:
    """Number of partitions of the events topic; waits while Kafka is away.

    Raises PulseError where a topic is missing or has a number of partitions of its own.
    """
    waiting = False
    while not stop.is_set():
        admin = AIOKafkaAdminClient(**settings)
        try:
            await admin.start()
            topics = config.kafka.topics
            names = [topics.events, topics.changelog, topics.alerts, topics.deadletter]
            if config.history.enabled:
                names.append(topics.history)
            counts = {
                topic["topic"]: len(topic["partitions"])
                for topic in await admin.describe_topics(names)
            }
        except (KafkaError, OSError) as error:
            if not waiting:
                brokers = ", ".join(config.kafka.brokers)
                log.warning(
                    f"kafka does not answer at {brokers}, waiting", reason=type(error).__name__
                )
            waiting = True
            await asyncio.sleep(RETRY_S)
            continue
        finally:
            await admin.close()
        if waiting:
            log.info("kafka answers")
        return _check(config, counts)
    return 0


def _check(config: Config, counts: dict[str, int]) -> int:
    topics = config.kafka.topics
    missing = sorted(name for name, count in counts.items() if not count)
    if missing:
        raise PulseError(f"no topic {', '.join(missing)}", hint="run `pulse topics` to create them")
    events = counts[topics.events]
    if events != config.kafka.partitions:
        raise PulseError(
            f"topic {topics.events} has {events} partitions, the configuration says "
            f"{config.kafka.partitions}",
            hint=f"set kafka.partitions to {events}; the number is fixed once a topic is made, and "
            "`pulse repartition` rewrites the state for another",
        )
    # Who had more partitions before (`pulse repartition`) keeps the topics of what came out.
    days = ((topics.history, counts[topics.history] >= events),) if config.history.enabled else ()
    for name, fits in (
        (topics.changelog, counts[topics.changelog] == events),
        (topics.alerts, counts[topics.alerts] >= events),
        *days,
    ):
        if not fits:
            raise PulseError(
                f"topic {name} has {counts[name]} partitions, {topics.events} has {events}",
                hint=f"they must be the same: delete {name} and run `pulse topics`",
            )
    return events
