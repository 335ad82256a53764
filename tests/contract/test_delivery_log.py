"""One suite for both deliveries topics: in memory and on Kafka."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from pulse.notifier.kafka import KafkaSettings, Outage
from pulse.notifier.reading.lease import Lease
from pulse.notifier.state.log import DeliveryLog, KafkaDeliveryLog, PartitionClosed, Record
from pulse.testing.deliveries import MemoryDeliveryLog


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
async def topic(request: pytest.FixtureRequest, unique: str) -> AsyncIterator[DeliveryLog]:
    if request.param == "memory":
        yield MemoryDeliveryLog(partitions=2)
        return
    bootstrap = request.getfixturevalue("kafka").bootstrap
    with closing(KafkaAdminClient(bootstrap_servers=bootstrap)) as admin:
        config = {"cleanup.policy": "compact"}
        admin.create_topics([NewTopic(unique, 2, 1, topic_configs=config)])
    settings = KafkaSettings(
        client={"bootstrap_servers": bootstrap},
        group=unique,
        alerts_topic=f"{unique}-alerts",
        deliveries_topic=unique,
    )
    log = KafkaDeliveryLog(settings, 2, Outage(), Lease(60.0))
    await log.start()
    yield log
    await log.stop()


async def everything(topic: DeliveryLog, partition: int) -> list[Record]:
    return [record async for batch in topic.read(partition) for record in batch]


async def test_what_was_appended_is_read_in_order(topic: DeliveryLog) -> None:
    topic.open(0)
    await topic.append(0, [("a", b"1"), ("b", b"2")])
    await topic.append(0, [("c", None), ("d", b"4")])

    assert await everything(topic, 0) == [("a", b"1"), ("b", b"2"), ("c", None), ("d", b"4")]
    assert await everything(topic, 1) == []


async def test_appends_made_at_once_keep_their_order(topic: DeliveryLog) -> None:
    topic.open(1)
    await asyncio.gather(*(topic.append(1, [("k", b"%d" % n)]) for n in range(300)))

    assert await everything(topic, 1) == [("k", b"%d" % n) for n in range(300)]


async def test_nothing_is_appended_to_a_partition_that_is_not_open(topic: DeliveryLog) -> None:
    with pytest.raises(PartitionClosed):
        await topic.append(0, [("a", b"1")])
    topic.open(0)
    await topic.append(0, [("a", b"1")])
    await topic.close(0, 1.0)
    with pytest.raises(PartitionClosed):
        await topic.append(0, [("b", b"2")])

    assert await everything(topic, 0) == [("a", b"1")]


async def test_a_partition_can_be_opened_again(topic: DeliveryLog) -> None:
    for value in (b"1", b"2"):
        topic.open(0)
        await topic.append(0, [("a", value)])
        await topic.close(0, 1.0)

    assert await everything(topic, 0) == [("a", b"1"), ("a", b"2")]


async def test_a_broadcast_reaches_every_partition(topic: DeliveryLog) -> None:
    await topic.broadcast(("endpoint/cs", b"{}"))

    for partition in (0, 1):
        assert await everything(topic, partition) == [("endpoint/cs", b"{}")]
