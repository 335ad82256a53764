"""Fetching as columns against aiokafka's own fetching, on topics of Apache Kafka.

What comes out must be the same, whatever wrote the log; after an upgrade of aiokafka or Faust these
are the tests that say whether the places bent here are still there.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import faust
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic

from pulse.engine import Columns
from pulse.stream.kafka.fetching import Fetcher
from pulse.stream.kafka.transport import Batch, batches_of, install

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

    Row = tuple[int, bytes | None, tuple[tuple[str, bytes], ...], int | None]

pytestmark = pytest.mark.timeout(300)

Write = Callable[[str, str], Awaitable[None]]


def create(kafka: KafkaServer, topic: str, settings: dict[str, str], partitions: int = 1) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=settings)])
    admin.close()


async def write(producer: AIOKafkaProducer, topic: str, count: int, start: int = 0) -> None:
    """Events, tombstones and control records of some accounts, in batches as they come."""
    sent = []
    for number in range(start, start + count):
        value = None if number % 11 == 5 else b'{"id": "e%d", "text": "%s"}' % (number, b"x" * 90)
        headers = [("pulse-control", b"tick"), ("more", b"")] if number % 7 == 3 else []
        key = b"account %d" % (number % 3 if number % 4 else number)
        sent.append(await producer.send(topic, value, key, 0, headers=headers))
        if number % 50 == 49:
            await producer.flush()
    await asyncio.gather(*sent)


async def every_codec(bootstrap: str, topic: str) -> None:
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        async with AIOKafkaProducer(
            bootstrap_servers=bootstrap, compression_type=codec, linger_ms=20
        ) as producer:
            await write(producer, topic, 120)


async def transactions(bootstrap: str, topic: str) -> None:
    async with (
        AIOKafkaProducer(bootstrap_servers=bootstrap) as plain,
        AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=uuid.uuid4().hex) as other,
    ):
        for is_kept in (True, False, False, True, False):
            await other.begin_transaction()
            await write(other, topic, 20)
            await write(plain, topic, 5)
            await write(other, topic, 20)
            await (other.commit_transaction() if is_kept else other.abort_transaction())
        await write(plain, topic, 10)


async def compacted(bootstrap: str, topic: str) -> None:
    """Writes the same keys until the broker has left holes in the log, and lets it be then."""
    deadline_s = time.monotonic() + 120
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5) as producer:
        while True:
            await write(producer, topic, 60)
            offsets = [row[0] for row in await plainly(bootstrap, topic)]
            if len(offsets) > 40 and offsets[-1] - offsets[0] >= len(offsets) + 30:
                break
            assert time.monotonic() < deadline_s, "nothing was compacted"
            await asyncio.sleep(0.3)
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    resource = ConfigResource(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "delete"})
    admin.alter_configs([resource])
    admin.close()
    before: list[Row] = []
    while (now := await plainly(bootstrap, topic)) != before:  # it may be at it
        before = now
        await asyncio.sleep(1.0)


LOGS: dict[str, tuple[Write, dict[str, str]]] = {
    "codecs": (every_codec, {"message.timestamp.type": "CreateTime"}),
    "appended": (every_codec, {"message.timestamp.type": "LogAppendTime"}),
    "recompressed": (every_codec, {"compression.type": "zstd"}),
    "transactions": (transactions, {}),
    "compacted": (
        compacted,
        {
            "cleanup.policy": "compact",
            "segment.ms": "200",
            "max.compaction.lag.ms": "300",
            "min.cleanable.dirty.ratio": "0.01",
        },
    ),
}


async def fetch(
    bootstrap: str, topic: str, *, columns: int | None, start: int = 0, **settings: Any
) -> tuple[list[Any], int | None]:
    """Everything from an offset to the end, and the high water mark; `columns` of a piece."""
    tp = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, fetch_max_wait_ms=100, **settings)
    await consumer.start()
    try:
        if columns is not None:
            Fetcher.install(consumer, columns)
        consumer.assign([tp])
        end = (await consumer.end_offsets([tp]))[tp]
        consumer.seek(tp, start)
        got: list[Any] = []
        deadline_s = time.monotonic() + 90
        while await consumer.position(tp) < end:
            assert time.monotonic() < deadline_s
            fetched = await consumer.getmany(tp, timeout_ms=500, max_records=3)
            got += fetched.get(tp, [])
        return got, consumer.highwater(tp)
    finally:
        await consumer.stop()


async def plainly(bootstrap: str, topic: str, start: int = 0, **settings: Any) -> list[Row]:
    got, _ = await fetch(bootstrap, topic, columns=None, start=start, **settings)
    return [(r.offset, r.value, r.headers, r.timestamp) for r in got]


def rows_of(pieces: list[Columns]) -> list[Row]:
    return [
        (offset, value, tuple(piece.headers.get(at, ())), timestamp)
        for piece in pieces
        for at, (offset, value, timestamp) in enumerate(
            zip(piece.offsets, piece.values, piece.timestamps, strict=True)
        )
    ]


@pytest.mark.parametrize("log", LOGS)
def test_columns_are_the_records_aiokafka_gives(kafka: KafkaServer, unique: str, log: str) -> None:
    fill, settings = LOGS[log]
    create(kafka, unique, settings)

    async def compare() -> None:
        await fill(kafka.bootstrap, unique)
        for level in ("read_uncommitted", "read_committed"):
            wanted = await plainly(kafka.bootstrap, unique, isolation_level=level)
            assert len(wanted) > 20
            assert any(headers for _, _, headers, _ in wanted)
            last = wanted[-1][0]
            for at_most, start, fetch_bytes in (
                (1_000, 0, 1 << 20),
                (7, 0, 1 << 20),
                (1_000, 0, 2_000),  # a few batches a fetch
                (7, last // 2, 1 << 20),
                (7, last - 5, 1 << 20),
            ):
                pieces, end = await fetch(
                    kafka.bootstrap,
                    unique,
                    columns=at_most,
                    start=start,
                    isolation_level=level,
                    max_partition_fetch_bytes=fetch_bytes,
                )
                assert all(isinstance(piece, Columns) for piece in pieces)
                assert max(len(piece) for piece in pieces) <= at_most
                ends = [start, *(piece.end for piece in pieces)]
                assert [piece.start for piece in pieces] == ends[:-1]
                assert ends[-1] == end
                assert rows_of(pieces) == [row for row in wanted if row[0] >= start]
                assert end is not None
                assert end > last

    asyncio.run(compare())


def test_a_paused_partition_gives_nothing_and_a_seek_forgets_what_was_fetched(
    kafka: KafkaServer, unique: str
) -> None:
    create(kafka, unique, {})
    tp = TopicPartition(unique, 0)

    async def compare() -> None:
        await every_codec(kafka.bootstrap, unique)
        async with AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap) as consumer:
            Fetcher.install(consumer, 10)
            consumer.assign([tp])
            consumer.seek(tp, 0)

            async def take(within_ms: int = 60_000) -> list[int]:
                got = await consumer.getmany(tp, timeout_ms=within_ms, max_records=1)
                return got[tp][0].offsets if got else []

            assert await take() == list(range(10))
            consumer.pause(tp)
            assert await take(within_ms=2_000) == []
            consumer.resume(tp)
            assert await take() == list(range(10, 20))
            assert await consumer.position(tp) == 20
            consumer.seek(tp, 305)
            assert await take() == list(range(305, 315))

    asyncio.run(compare())


def test_an_agent_that_waits_is_not_kept_waiting(
    kafka: KafkaServer, unique: str, tmp_path: Path
) -> None:
    """Faust's sleep of a second where every partition's queue is full does not come to pass."""
    create(kafka, unique, {})

    async def run() -> tuple[list[float], list[int], Any]:
        async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap) as producer:
            await write(producer, unique, 600)
        app = faust.App(
            unique,
            broker=f"kafka://{kafka.bootstrap}",
            datadir=str(tmp_path),
            store="memory://",
            web_enabled=False,
            autodiscover=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            stream_wait_empty=False,
            stream_buffer_maxsize=4,
        )
        app.boot_strategy.enable_kafka_producer = False
        settings = {"bootstrap_servers": kafka.bootstrap, "group_id": unique}
        install(app, settings | {"max_poll_records": 10})
        offsets: list[int] = []
        times_s: list[float] = []
        done = asyncio.Event()

        async def usage(stream: Any) -> None:
            batch: Batch
            async for batch in stream:
                assert batch.columns.start == len(offsets)
                offsets.extend(batch.columns.offsets)
                times_s.append(time.monotonic())
                if len(offsets) == 600:
                    done.set()
                await asyncio.sleep(0.02)

        app.agent(batches_of(app, unique), name="usage", concurrency=1)(usage)
        await app.start()
        try:
            await asyncio.wait_for(done.wait(), timeout=60)
            return times_s, offsets, dict(app.consumer._acked)
        finally:
            await app.stop()

    times_s, offsets, acked = asyncio.run(run())
    assert offsets == list(range(600))
    assert acked == {}, "Faust keeps acks that nobody commits"
    # Faust would halt for most of a second again and again; a busy machine may now and then.
    halts = [later - before for before, later in pairwise(times_s) if later - before > 0.5]
    assert len(halts) < 6, "60 batches of 20 ms each"
