"""What a worker produces arrives whole and in its order, however it is put into batches."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import NewTopic

from pulse.stream.kafka.outbox import Outgoing, Producer

if TYPE_CHECKING:
    from pulse.testing.kafka import KafkaServer

PARTITIONS = 3


async def test_many_records_of_all_sizes(kafka: KafkaServer, unique: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics([NewTopic(unique, PARTITIONS, 1)])
    admin.close()
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
