from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import UnknownTopicOrPartitionError

from pulse.testing.kafka import KafkaServer

if TYPE_CHECKING:
    from pathlib import Path


def create_topic(kafka: KafkaServer, topic: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin:
        admin.create_topics([NewTopic(topic, num_partitions=2, replication_factor=1)])


def produce(kafka: KafkaServer, topic: str, values: list[bytes]) -> None:
    with closing(KafkaProducer(bootstrap_servers=kafka.bootstrap, acks="all")) as producer:
        for sent in [producer.send(topic, value) for value in values]:
            sent.get(timeout=60)


def consume(kafka: KafkaServer, topic: str, count: int) -> list[bytes]:
    with closing(
        KafkaConsumer(
            topic,
            bootstrap_servers=kafka.bootstrap,
            group_id=topic,
            auto_offset_reset="earliest",
            consumer_timeout_ms=90_000,
        )
    ) as consumer:
        return sorted(record.value for _, record in zip(range(count), consumer, strict=False))


def test_what_is_produced_is_consumed(kafka: KafkaServer, unique: str) -> None:
    create_topic(kafka, unique)
    produce(kafka, unique, [b"a", b"b", b"c"])

    assert consume(kafka, unique, 3) == [b"a", b"b", b"c"]


def test_a_topic_that_nobody_made_is_not_made_by_accident(kafka: KafkaServer, unique: str) -> None:
    with (
        closing(KafkaAdminClient(bootstrap_servers=kafka.bootstrap)) as admin,
        pytest.raises(UnknownTopicOrPartitionError),
    ):
        admin.delete_topics([unique])


def test_acknowledged_records_survive_a_kill(kafka: KafkaServer, tmp_path: Path) -> None:
    with KafkaServer(tmp_path) as own:
        create_topic(own, "kept")
        produce(own, "kept", [b"before"])
        bootstrap = own.bootstrap

        own.kill()
        assert not own.running
        own.restart()
        produce(own, "kept", [b"after"])

        assert own.bootstrap == bootstrap
        assert consume(own, "kept", 2) == [b"after", b"before"]
