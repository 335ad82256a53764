"""What a worker produces arrives whole and in its order, however it is put into batches."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from pulse.config import kafka_clients
from pulse.config.kafka_clients import close
from pulse.producer import Outgoing, Producer
from pulse.testing.kafka import KafkaServer

if TYPE_CHECKING:
    from pathlib import Path

PARTITIONS = 3


async def test_many_records_of_all_sizes(kafka: KafkaServer, unique: str) -> None:
    create(kafka, unique, PARTITIONS)
    chance = random.Random(1)
    records, partition = [], 0
    for number in range(4_000):
        if chance.random() < 0.02:
            partition = chance.randrange(PARTITIONS)
        # Some are larger than a batch, and some say that a key is gone.
        size = 300_000 if number % 400 == 7 else chance.randrange(2_000)
        value = None if number % 50 == 3 else b"x" * size
        headers = [("number", b"%d" % number)] if number % 3 else []
        records.append(Outgoing(unique, partition, b"key-%d" % number, value, headers))
    producer = Producer({"bootstrap_servers": kafka.bootstrap}, idempotent=True)
    try:
        await producer.send(records[:2_500])
        await producer.send(records[2_500:])
    finally:
        await producer.stop()

    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, auto_offset_reset="earliest")
    places = [TopicPartition(unique, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    ends = consumer.end_offsets(places)
    got: list[list[tuple[bytes, bytes | None, list[tuple[str, bytes]]]]] = [[] for _ in places]
    while sum(map(len, got)) < sum(ends.values()):
        for place, some in consumer.poll(1_000).items():
            got[place.partition] += [(r.key, r.value, [*r.headers]) for r in some]
    consumer.close()

    assert sum(map(len, got)) == len(records)
    for number, arrived in enumerate(got):
        sent = [(r.key, r.value, [*r.headers]) for r in records if r.partition == number]
        assert arrived == sent


@pytest.mark.parametrize("idempotent", [False, True])
async def test_closing_while_kafka_is_away(
    tmp_path: Path, unique: str, idempotent: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Who closes waits for a while; then what is held is given up, or sent when Kafka is back."""
    with KafkaServer(tmp_path / "kafka") as kafka, caplog.at_level(logging.ERROR, "asyncio"):
        create(kafka, unique, 1)
        producer = AIOKafkaProducer(
            bootstrap_servers=kafka.bootstrap,
            request_timeout_ms=16_000,
            enable_idempotence=idempotent,
        )
        await producer.start()
        await producer.send_and_wait(unique, b"it is there")
        kafka.kill()
        waiting = [await producer.send(unique, b"%d" % number) for number in range(10)]
        began = time.monotonic()
        await close(producer, 1.0)
        # Not until its requests time out.
        assert 0.9 < time.monotonic() - began < 12
        if idempotent:
            await asyncio.to_thread(kafka.start)
        results = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 90)
        failed = [isinstance(result, KafkaError) for result in results]
        assert failed == [not idempotent] * 10
        async with asyncio.timeout(60):
            while kafka_clients._closing:
                await asyncio.wait(kafka_clients._closing)
        assert producer.client._sync_task is None
        assert not any(each.connected() for each in producer.client._conns.values())
    assert [each for each in caplog.records if each.name == "asyncio"] == []


def create(kafka: KafkaServer, topic: str, partitions: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics([NewTopic(topic, partitions, 1)])
    admin.close()
