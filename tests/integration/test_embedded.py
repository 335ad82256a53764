"""What pulse needs of the embedded broker, and in what it differs from Kafka."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, NoReturn

import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import UnknownError
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import IncompatibleBrokerVersion, TopicAlreadyExistsError

from pulse.embedded import SESSION_TIMEOUT_S, Broker, Valkey, broker_program, valkey_program
from pulse.processes import MissingProgramError, ServerError
from pulse.testing.process import runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.embedded

HEADERS = [("pulse-control", b"tick"), ("empty", b"")]


@pytest.fixture(scope="module")
def broker(
    tmp_path_factory: pytest.TempPathFactory, without: Callable[[str], NoReturn]
) -> Iterator[Broker]:
    try:
        broker_program()
    except MissingProgramError as error:
        without(str(error))
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture
def topic(broker: Broker, unique: str) -> str:
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        admin.create_topics([NewTopic(unique, num_partitions=4, replication_factor=1)])
        assert len(admin.describe_topics([unique])[0]["partitions"]) == 4
    return unique


@pytest.fixture
async def producer(broker: Broker) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")
    await producer.start()
    yield producer
    await producer.stop()


async def test_a_record_comes_back_as_it_was_sent(
    broker: Broker, topic: str, producer: AIOKafkaProducer
) -> None:
    sent_ms = 1_700_000_000_123
    await producer.send_and_wait(
        topic, b'{"a":1}', key=b"acme", partition=2, headers=HEADERS, timestamp_ms=sent_ms
    )
    await producer.send_and_wait(topic, None, key=b"acme", partition=2)

    first, second = await read(broker, TopicPartition(topic, 2), 2)
    assert (first.offset, first.key, first.value) == (0, b"acme", b'{"a":1}')
    assert list(first.headers) == HEADERS
    assert (first.timestamp, first.timestamp_type) == (sent_ms, 0)
    assert (second.offset, second.value) == (1, None)


async def test_a_record_of_five_megabytes_fits(broker: Broker, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, max_request_size=6_000_000)
    await producer.start()
    await producer.send_and_wait(topic, b"x" * 5_000_000, partition=0)
    await producer.stop()
    (record,) = await read(broker, TopicPartition(topic, 0), 1)
    assert len(record.value) == 5_000_000


async def test_the_end_offset_is_too_small_after_a_batch_and_the_high_watermark_is_right(
    broker: Broker, topic: str, producer: AIOKafkaProducer
) -> None:
    one, many = TopicPartition(topic, 0), TopicPartition(topic, 1)
    for _ in range(3):
        await producer.send_and_wait(topic, b"x", partition=0)
    await asyncio.gather(*[await producer.send(topic, b"x", partition=1) for _ in range(10)])

    consumer = AIOKafkaConsumer(bootstrap_servers=broker.bootstrap, enable_auto_commit=False)
    await consumer.start()
    consumer.assign([one, many])
    assert await consumer.end_offsets([one, many]) == {one: 3, many: 1}
    consumer.seek(many, 0)
    consumer.seek(one, 0)
    seen = 0
    while seen < 13:
        seen += sum(map(len, (await consumer.getmany(timeout_ms=500)).values()))
    assert (consumer.highwater(one), consumer.highwater(many)) == (3, 10)
    await consumer.stop()


async def test_a_group_shares_the_partitions_and_keeps_its_commits(
    broker: Broker, topic: str, producer: AIOKafkaProducer, unique: str
) -> None:
    for partition in range(4):
        await producer.send_and_wait(topic, b"x", partition=partition)

    async def join() -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=broker.bootstrap,
            group_id=unique,
            session_timeout_ms=int(SESSION_TIMEOUT_S * 1000),
            heartbeat_interval_ms=500,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        return consumer

    first = await join()
    seen = 0
    async with asyncio.timeout(60):
        while seen < 4:
            seen += sum(map(len, (await first.getmany(timeout_ms=200)).values()))
    await first.commit()

    second = await join()
    async with asyncio.timeout(60):
        while len(first.assignment()) != 2 or len(second.assignment()) != 2:
            await asyncio.gather(first.getmany(timeout_ms=200), second.getmany(timeout_ms=200))
    await first.stop()
    await second.stop()

    outside = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=unique, enable_auto_commit=False
    )
    await outside.start()
    partitions = [TopicPartition(topic, number) for number in range(4)]
    outside.assign(partitions)
    assert [await outside.committed(each) for each in partitions] == [1, 1, 1, 1]
    await outside.commit({partitions[3]: 0})
    assert await outside.committed(partitions[3]) == 0
    await outside.stop()


async def test_only_kafka_pythons_idempotent_producer_works(broker: Broker, topic: str) -> None:
    with closing(KafkaProducer(bootstrap_servers=broker.bootstrap, acks="all")) as producer:
        assert producer.config["enable_idempotence"]
        assert producer.send(topic, b"x", partition=1).get(60).offset == 0

    idempotent = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, enable_idempotence=True)
    try:
        with pytest.raises(UnknownError):
            await idempotent.start()
    finally:
        await idempotent.stop()


def test_topics_are_made_once_and_never_grow(broker: Broker, topic: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=broker.bootstrap)) as admin:
        with pytest.raises(TopicAlreadyExistsError):
            admin.create_topics([NewTopic(topic, num_partitions=4, replication_factor=1)])
        with pytest.raises(IncompatibleBrokerVersion):
            admin.create_partitions({topic: 8})


def test_a_port_in_use_is_an_error_with_the_servers_words(tmp_path: Path) -> None:
    with Valkey(tmp_path / "one") as first:
        second = Valkey(tmp_path / "two", port=first.port)
        with pytest.raises(ServerError, match="in use"):
            second.start()
        assert not second.running
        with closing(redis.Redis.from_url(first.url)) as client:
            assert client.ping()


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels have no PR_SET_PDEATHSIG")
def test_both_end_with_a_process_that_was_killed(broker: Broker, tmp_path: Path) -> None:
    valkey_program()
    script = (
        "import pathlib, sys, time\n"
        "from pulse.embedded import Broker, Valkey\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "print(Broker(folder).start().pid, Valkey(folder).start().pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert [runs(pid) for pid in pids] == [True, True]
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [runs(pid) for pid in pids] == [False, False]


async def read(broker: Broker, partition: TopicPartition, number: int) -> list[object]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.bootstrap,
        enable_auto_commit=False,
        max_partition_fetch_bytes=8_000_000,
    )
    await consumer.start()
    consumer.assign([partition])
    consumer.seek(partition, 0)
    found: list[object] = []
    async with asyncio.timeout(60):
        while len(found) < number:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
    await consumer.stop()
    return found
