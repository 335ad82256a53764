"""From the history topic into the file, whatever ends meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from pulse.history import History, HistoryError
from pulse.history.days import Day, Measures
from pulse.history.writing import Record
from pulse.testing.system import System
from pulse.web.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

FIRST, PARTITIONS = date(2025, 1, 1), 2


def said(account_id: str, day: int) -> bytes:
    on = (FIRST + timedelta(day)).isoformat()
    return msgspec.json.encode(
        Day(account_id, on, f"{on}T00:00:00Z", 50.0 + day / 10, "healthy", "current", 40.0, 50.0,
            "", 0.0, Measures(1, 0, 1, 1, 1))
    )  # fmt: skip


class Scene:
    """A topic, and a file that is written from it."""

    def __init__(self, kafka: KafkaServer, folder: Path, prefix: str, days: int = 400) -> None:
        self.system = System(kafka.bootstrap, folder, prefix=prefix, partitions=PARTITIONS)
        self.system.create_topic("history")
        self.topic = self.system.config.kafka.topics.history
        self.history = History(folder / "history.sqlite3")
        self.history.prepare()
        self.bootstrap, self.days = kafka.bootstrap, days

    async def say(self, days: range, account_id: str = "acme") -> None:
        async with contextlib.AsyncExitStack() as stack:
            producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
            await producer.start()
            stack.push_async_callback(producer.stop)
            for day in days:
                await producer.send_and_wait(
                    self.topic, said(account_id, day), account_id.encode(), day % PARTITIONS
                )

    @contextlib.asynccontextmanager
    async def recording(self) -> AsyncIterator[Recorder]:
        settings = {"bootstrap_servers": self.bootstrap}
        recorder = Recorder(settings, self.topic, self.history, self.days)
        task = asyncio.create_task(recorder.run())
        try:
            yield recorder
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(90):
            while not is_so():  # noqa: ASYNC110 - a thread writes, and has no event
                await asyncio.sleep(0.05)

    def known(self, account_id: str = "acme") -> list[int]:
        return [(row.day - FIRST).days for row in self.history.account(account_id, FIRST)]


@pytest.fixture
def scene(kafka: KafkaServer, tmp_path: Path, unique: str) -> Scene:
    return Scene(kafka, tmp_path, unique)


async def test_it_goes_on_where_it_was(scene: Scene) -> None:
    await scene.say(range(20))
    async with scene.recording():
        await scene.until(lambda: scene.known() == [*range(20)])
    await scene.say(range(20, 40))  # while nobody writes it
    async with scene.recording():
        await scene.until(lambda: scene.known() == [*range(40)])
        await scene.say(range(40, 45))
        await scene.until(lambda: scene.known() == [*range(45)])
    assert sum(scene.history.places().values()) == 45


async def test_two_write_the_same_file(scene: Scene) -> None:
    async with scene.recording(), scene.recording():
        await scene.say(range(60))
        await scene.until(lambda: scene.known() == [*range(60)])
    assert [day.accounts for day in scene.history.fleet(FIRST)] == [1] * 60


async def test_a_topic_that_was_made_again_is_read_from_its_beginning(scene: Scene) -> None:
    scene.history.take([Record(0, 1_000, b"acme", said("acme", 0))])
    await scene.say(range(1, 10))
    async with scene.recording():
        await scene.until(lambda: scene.known() == [*range(10)])
    assert max(scene.history.places().values()) < 10


async def test_what_cannot_be_written_is_written_later(scene: Scene, tmp_path: Path) -> None:
    await scene.say(range(20))
    scene.history = History(tmp_path / "missing" / "history.sqlite3")
    async with scene.recording() as recorder:
        await scene.until(lambda: recorder.lag == 20)
        (tmp_path / "missing").mkdir()
        await scene.until(lambda: known(scene) == [*range(20)])
        await scene.until(lambda: recorder.lag == 0)

        with closing(sqlite3.connect(tmp_path / "missing" / "history.sqlite3")) as db:
            # As SQLite does where the disk is full.
            db.execute(
                "CREATE TRIGGER full BEFORE INSERT ON day BEGIN SELECT RAISE(ROLLBACK, ''); END"
            )
            await scene.say(range(20, 25))
            await scene.until(lambda: recorder.lag == 5)
            assert known(scene) == [*range(20)]
            db.execute("DROP TRIGGER full")
        await scene.until(lambda: known(scene) == [*range(25)])
        await scene.until(lambda: recorder.lag == 0)


def known(scene: Scene) -> list[int]:
    """The days that are in the file; none where there is no file yet."""
    try:
        return scene.known()
    except HistoryError:
        return []


async def test_what_is_too_old_goes(kafka: KafkaServer, tmp_path: Path, unique: str) -> None:
    scene = Scene(kafka, tmp_path, unique, days=35)
    async with scene.recording():
        await scene.say(range(50))
        await scene.until(lambda: scene.known() == [*range(15, 50)])
