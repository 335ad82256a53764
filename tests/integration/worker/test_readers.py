"""What workers tell Redis of accounts that were forgotten, whenever Redis was there."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Columns, Engine
from pulse.engine.control import forget
from pulse.metrics import WorkerMetrics
from pulse.producer import Outgoing, Producer
from pulse.readmodel import ReadModel
from pulse.stream.partition import Partition, Surroundings, empty_state
from pulse.stream.readers import Readers
from pulse.stream.state.checkpoint import Checkpoint
from pulse.stream.state.snapshot import Snapshot
from pulse.testing.histories import Log, usage
from pulse.testing.valkey import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
    from pathlib import Path

START_MS = 1_704_067_200_000
PARTITIONS = 2


class Changelog(Producer):
    """Keeps what a partition writes to its changelog."""

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self.snapshot = Snapshot()

    async def send(self, records: Sequence[Outgoing]) -> None:
        for record in records:
            if record.topic == self._topic:
                self.snapshot.take(record.key, record.value)


class Worker:
    """The part of a worker that has one of two partitions, with no Kafka."""

    def __init__(self, url: str, changelog: Snapshot | None = None) -> None:
        config = Config.model_validate({"redis": {"url": url}, "kafka": {"partitions": PARTITIONS}})
        self.engine = Engine(policy(config), lambda name: int(name > "m"))
        self.metrics, self._log = WorkerMetrics(), Log()
        self._producer = Changelog(config.kafka.topics.changelog)
        around = Surroundings(config, self.engine, self._producer, self.metrics, PARTITIONS)
        state, restored = empty_state(config, 0), None
        if changelog is not None:
            manifest = changelog.manifest(PARTITIONS)
            assert manifest is not None
            restored = changelog.restore(self.engine, state, manifest)
            state.touched.update(state.ids())
        self.partition = Partition(0, state, Checkpoint(state, 1, restored), around)
        self._readers = Readers(config, self.engine, self.metrics, {0: self.partition})

    def apply(self, accounts: Iterable[str], *forgotten: str) -> Worker:
        """Events of accounts; then some are forgotten."""
        for name in accounts:
            self._log.add(usage(f"of {name}", name, START_MS, user_id="ada"))
        for name in forgotten:
            self._log.control("forget", forget(name, None, START_MS).value)
        self._log.tick(START_MS + 600_000 + len(self._log.records))
        self.partition.apply(Columns.of(self._log.records[self.partition.state.position :]))
        return self

    async def tell(self) -> None:
        await self._readers.look_for_gone()
        await self._readers.tell(self.partition)

    async def written(self) -> Snapshot:
        """What it leaves for who comes after it."""
        await self.partition.take_up()
        await self.partition.flush()
        await self.partition.flush()
        return self._producer.snapshot

    async def close(self) -> None:
        await self._readers.close()


class Eyes(ReadModel):
    """Sees all that is in Redis."""

    async def everything(self) -> tuple[set[str], str]:
        """The names of the accounts, and every key and value."""
        said: list[Any] = []
        async for key in self._redis.scan_iter():
            kind = await self._redis.type(key)
            if kind == b"zset":
                said += [key, await self._redis.zrange(key, 0, -1)]
            elif kind == b"stream":
                said += [key, await self._redis.xrange(key)]
            elif kind == b"hash":
                said += [key, await self._redis.hgetall(key)]
            else:
                said += [key, await self._redis.get(key)]
        return {each async for some in self.names() for each in some}, str(said)


@contextmanager
def standing_still(server: ValkeyServer) -> Iterator[None]:
    """Meanwhile Redis answers nobody, and keeps what it has."""
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


@pytest.fixture
def server(tmp_path: Path) -> ValkeyServer:
    return ValkeyServer(tmp_path)


@pytest.fixture
async def eyes(server: ValkeyServer) -> AsyncIterator[Eyes]:
    with server:
        async with Eyes(server.url) as eyes:
            yield eyes


@pytest.fixture
async def make_worker(server: ValkeyServer, eyes: Eyes) -> AsyncIterator[Callable[..., Worker]]:
    workers: list[Worker] = []

    def make(changelog: Snapshot | None = None) -> Worker:
        workers.append(Worker(server.url, changelog))
        return workers[-1]

    yield make
    for worker in workers:
        await worker.close()


async def test_who_was_forgotten_is_taken_out(
    make_worker: Callable[..., Worker], eyes: Eyes
) -> None:
    worker = make_worker().apply(["acme", "globex"])
    await worker.tell()
    names, said = await eyes.everything()
    assert names == {"acme", "globex"}
    assert "acme" in said
    worker.apply([], "acme").apply(["acme", "initech"])
    await worker.tell()
    names, said = await eyes.everything()
    assert names == {"globex", "initech"}
    assert "acme" not in said
    assert worker.partition.state.gone == set()
    # Said again it is looked at again, whoever wrote it meanwhile.
    await eyes.write([{"account_id": "acme", "score": 1, "lifecycle": "new", "zone": "unknown",
                       "as_of": ""}])  # fmt: skip
    worker.apply([], "acme")
    await worker.tell()
    assert "acme" not in (await eyes.everything())[1]


async def test_also_where_redis_was_away_when_it_happened(
    server: ValkeyServer,
    make_worker: Callable[..., Worker],
    eyes: Eyes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pulse.readmodel.redis_store._PAUSE_S", 0.0)
    monkeypatch.setattr("pulse.readmodel.redis_store._ANSWER_S", 1.0)
    worker = make_worker().apply(["acme", "globex", "initech"])
    await worker.tell()
    with standing_still(server):
        worker.apply(["hooli"], "acme")
        await worker.tell()
        assert worker.partition.state.gone == {"acme"}
        # Who waits to be written may be forgotten too.
        worker.apply([], "hooli", "initech")
        await worker.tell()
        assert worker.partition.state.gone == {"acme", "hooli", "initech"}
    await worker.tell()
    names, said = await eyes.everything()
    assert names == {"globex"}
    assert not [each for each in ("acme", "hooli", "initech") if each in said]


@pytest.mark.parametrize("away", [False, True])
async def test_also_where_the_worker_died_before_it_came_to_that(
    server: ValkeyServer,
    make_worker: Callable[..., Worker],
    eyes: Eyes,
    away: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pulse.readmodel.redis_store._PAUSE_S", 0.0)
    monkeypatch.setattr("pulse.readmodel.redis_store._ANSWER_S", 1.0)
    worker = make_worker().apply(["acme", "globex"])
    await worker.tell()
    await eyes.write([{"account_id": "other partition's", "score": 1, "lifecycle": "new",
                       "zone": "unknown", "as_of": ""}])  # fmt: skip
    # Its page is written, and the name stands in Redis alone.
    worker = make_worker(await worker.apply(["initech"], "acme").written())
    assert worker.partition.state.gone == set()
    if away:
        with standing_still(server):
            await worker.tell()
            await worker.tell()
        assert "acme" in (await eyes.everything())[1]
        await worker.tell()
    await worker.tell()
    names, said = await eyes.everything()
    assert names == {"globex", "initech", "other partition's"}
    assert "acme" not in said
    assert not worker.partition.state.gone_before


async def test_who_is_forgotten_while_others_are_written_is_not_written(
    make_worker: Callable[..., Worker], eyes: Eyes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pulse.stream.readers.CHUNK", 1)
    worker = make_worker().apply(["acme", "globex", "hooli"])
    telling = asyncio.create_task(worker.tell())
    while "acme" not in (await eyes.everything())[0]:
        assert not telling.done()
    worker.apply([], "acme", "hooli")
    await telling
    await worker.tell()
    assert (await eyes.everything())[0] == {"globex"}
