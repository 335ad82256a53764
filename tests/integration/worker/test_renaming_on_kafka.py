"""`pulse rename` on Apache Kafka: across partitions, with a worker that is killed between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from kafka import KafkaProducer

from pulse.collector.links import Link
from pulse.engine import control
from pulse.placement import partition_of
from pulse.testing.histories import profile, usage
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

START_MS = 1_700_000_000_000
PARTITIONS = 2
WORKER = {"session_timeout_s": 6, "flush_interval_s": 0.3}


def in_partition(number: int, name: str) -> str:
    return next(
        f"{name}-{i}" for i in range(100) if partition_of(f"{name}-{i}", PARTITIONS) == number
    )


OLD, NEW, LAST = in_partition(0, "old"), in_partition(1, "new"), in_partition(0, "last")


class Scene:
    """A system whose clock goes on by a minute with every word."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.at_ms = START_MS
        self._producer = KafkaProducer(bootstrap_servers=system.bootstrap, acks="all")

    def tick(self) -> None:
        self.at_ms += 60_000
        record = control.tick(self.at_ms)
        for number in range(PARTITIONS):
            self.send(record.value, number, headers=list(record.headers))

    def use(self, account: str, *numbers: int) -> None:
        for number in numbers:
            line = usage(f"e{number}", account, self.at_ms, user_id=f"u{number % 3}")
            self.send(line, partition_of(account, PARTITIONS))

    def send(self, value: bytes, partition: int, **record: Any) -> None:
        topic = self.system.config.kafka.topics.events
        self._producer.send(topic, value, partition=partition, **record).get(30)

    def link(self, user: str, account: str) -> None:
        link = Link("web", user, account)
        topic = self.system.config.kafka.topics.links
        partition = partition_of(user, PARTITIONS)
        self._producer.send(topic, account.encode(), key=link.key, partition=partition).get(30)

    def rename(self, old: str, new: str) -> str:
        """`pulse rename`."""
        return self.system.command("rename", old, new)

    def counted(self) -> dict[str, tuple[int, int]]:
        """Events and users of each account, once all is applied, also what was handed on."""
        for _ in range(4):
            self.system.wait_until_applied()
        accounts = [json.loads(line) for line in self.system.accounts()]
        return {
            each["account_id"]: (
                each["measures"]["events"]["84d"],
                each["measures"]["active_users"]["84d"],
            )
            for each in accounts
        }

    def close(self) -> None:
        self._producer.close()


@pytest.fixture
def scene(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[Scene]:
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS)
    system.create_topics()
    scene = Scene(system)
    yield scene
    scene.close()
    system.stop()


def test_an_account_goes_to_another_partition_with_all_that_it_knows(scene: Scene) -> None:
    scene.tick()
    scene.use(OLD, *range(9))
    scene.send(profile("p", OLD, scene.at_ms, name="Old Ltd"), 0)
    scene.link("ada", OLD)
    scene.link("bob", LAST)
    scene.system.process("work", **WORKER).start()
    said = scene.rename(OLD, NEW)
    assert (
        said
        == f"{OLD} goes on as {NEW} once the worker has come to it; 1 links of users follow it\n"
    )
    scene.tick()
    scene.use(OLD, 8, 9)

    assert scene.counted() == {NEW: (10, 3)}
    links = {record.key: record.value for record in scene.system.read("links")}
    assert links == {
        Link("web", "ada", None).key: NEW.encode(),
        Link("web", "bob", None).key: LAST.encode(),
    }
    assert b"Old Ltd" in scene.system.packed()[NEW]
    # And on to one that is known, where the first one's partition has it.
    scene.use(LAST, 8, 20, 21)
    scene.rename(NEW, LAST)
    scene.use(OLD, 9, 22)
    scene.use(NEW, 8, 23)
    assert scene.counted() == {LAST: (15, 3)}
    assert scene.system.read("deadletter") == []


@pytest.mark.parametrize(
    ("step", "number"),
    [("effects_acknowledged", 1), ("pages_written", 1), ("manifest_written", 3)],
)
def test_a_worker_that_is_killed_between_changes_nothing(
    scene: Scene, step: str, number: int
) -> None:
    scene.tick()
    scene.use(OLD, *range(9))
    scene.use(NEW, 5, *range(20, 26))
    scene.tick()
    scene.rename(OLD, NEW)
    scene.use(OLD, 8, 9)
    scene.tick()
    worker = scene.system.process("work", **WORKER)
    worker.stops_at = (step, number)
    worker.launch()
    assert worker.wait_for_stop().step == step
    worker.kill()
    worker.stops_at = None
    worker.start()
    scene.use(OLD, 9, 10)

    assert scene.counted() == {NEW: (18, 3)}
    assert scene.system.read("deadletter") == []
