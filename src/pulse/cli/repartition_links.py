"""The links of users to accounts, for a topic with another number of partitions."""

from collections.abc import Iterator

from pulse.collector.links import Link
from pulse.collector.turning import KEY
from pulse.config import Kafka
from pulse.config.kafka_clients import for_aiokafka
from pulse.following import Follower
from pulse.placement import partition_of
from pulse.producer import Outgoing


async def links_anew(old: Kafka, new: Kafka) -> list[Outgoing]:
    """What the new topic is to have, whatever an attempt before has written into it.

    Raises TimeoutError, KafkaError or OSError.
    """
    return list(records(await _all_of(old), await _all_of(new), new))


def records(old: dict[bytes, bytes], there: dict[bytes, bytes], new: Kafka) -> Iterator[Outgoing]:
    """A record for each of the old ones, and a tombstone for what else is there.

    >>> there = {Link("web", "bob", "acme").key: b"acme"}
    >>> old = {Link("web", "ada", "acme").key: b"acme", KEY: b"{}"}
    >>> [(each.partition, each.key, each.value) for each in records(old, there, Kafka())]
    [(13, b'["web","ada"]', b'acme'), (14, b'["web","bob"]', None)]
    """
    for key in (*old, *(key for key in there if key not in old)):
        if key == KEY:
            continue
        link = Link.of(key, None)
        # Who is forgotten stands by the key itself, as `pulse forget` writes it.
        name = key.decode(errors="replace") if link is None else link.user
        partition = partition_of(name, new.partitions)
        yield Outgoing(new.topics.links, partition, key, old.get(key))


async def _all_of(kafka: Kafka) -> dict[bytes, bytes]:
    """The last record of each key in the topic of links."""
    known: dict[bytes, bytes] = {}

    def take(key: bytes, value: bytes | None) -> None:
        known.pop(key, None) if value is None else known.update({key: value})

    follower = Follower(for_aiokafka(kafka), kafka.topics.links, take)
    try:
        await follower.start()
    finally:
        await follower.stop()
    return known
