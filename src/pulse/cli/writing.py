"""What commands that write into the log share: reading links and notes, and writing records."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from aiokafka.errors import KafkaError

from pulse.alerting.people.account_notes import AccountNote
from pulse.collector.links import Link
from pulse.config import Kafka
from pulse.config.kafka_clients import for_aiokafka
from pulse.desk.notes import NoteBook
from pulse.errors import PulseError
from pulse.following import Follower
from pulse.producer import Outgoing, Producer

CONNECT_S = 10.0
"""How long to wait for Kafka."""

_ALL_NOTES = 10_000_000
"""None may be passed over where an account is erased."""

T = TypeVar("T")


async def links_of(kafka: Kafka) -> list[Link]:
    """All links of users to accounts that there are."""
    known: dict[bytes, bytes] = {}

    def take(key: bytes, value: bytes | None) -> None:
        known.pop(key, None) if value is None else known.update({key: value})

    follower = Follower(for_aiokafka(kafka), kafka.topics.links, take)
    try:
        await follower.start()
    finally:
        await follower.stop()
    links = (Link.of(key, value) for key, value in known.items())
    return [link for link in links if link is not None]


async def notes_of(kafka: Kafka, account_id: str) -> list[AccountNote]:
    """All notes on an account that there are, the newest first."""
    book = NoteBook(most=_ALL_NOTES)
    follower = Follower(for_aiokafka(kafka), kafka.topics.notes, book.take)
    try:
        await follower.start()
    finally:
        await follower.stop()
    return book.of(account_id)


async def write(kafka: Kafka, records: Sequence[Outgoing]) -> None:
    """Return when all are acknowledged. Raises TimeoutError, KafkaError or OSError."""
    producer = Producer(for_aiokafka(kafka), idempotent=kafka.idempotence)
    try:
        async with asyncio.timeout(CONNECT_S):
            await producer.send(records)
    finally:
        await producer.stop()


def done(work: Coroutine[Any, Any, T]) -> T:
    """The result of what is written. Raises PulseError where it could not be."""
    try:
        return asyncio.run(work)
    except (TimeoutError, KafkaError, OSError) as error:
        raise PulseError(
            f"it could not be written everywhere: {error!r}",
            hint="say it again; what is said twice counts once",
        ) from None
