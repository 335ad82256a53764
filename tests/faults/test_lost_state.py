"""State or input that is gone or of another kind: a refusal with a clear word, no wrong count."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, NewPartitions

from pulse.testing.histories import usage
from pulse.testing.paced import HOUR_MS, START_MS
from pulse.testing.truth import Truth

from .scenes import WORKER, Small, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def small(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[Small]:
    """A worker has counted forty events and is gone; twenty more wait."""
    small = Small(kafka.bootstrap, tmp_path, unique)
    small.write(range(40))
    # Their pages are written once, and never again.
    for name in small.neighbours(20):
        small.event(usage(f"n-{name}", name, START_MS + 40 * HOUR_MS), name)
    small.flush()
    worker = small.system.process("work", **WORKER).start()
    small.system.wait_until_applied()
    worker.stop()
    small.write(range(40, 60))
    yield small
    small.close()


@pytest.fixture
def admin(small: Small) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=small.system.bootstrap)
    yield admin
    admin.close()


def assert_refused(small: Small, *words: str, **kafka: Any) -> None:
    """A worker ends with these words, and has written and committed nothing."""
    committed, written = small.system.applied(), len(small.changelog())
    worker = small.system.process("work", kafka=kafka, **WORKER)
    worker.launch()
    assert worker.wait(60) != 0
    said = worker.log_path.read_text()
    for word in words:
        assert word in said
    assert "Traceback" not in said
    assert small.system.applied() == committed
    assert len(small.changelog()) == written


def assert_counted(small: Small, within_s: float = 60) -> None:
    """A worker goes on, and all is right."""
    worker = small.system.process("work", **WORKER).start()
    small.system.wait_until_applied(within_s)
    worker.stop()
    truth = Truth.of(small.system)
    truth.assert_holds(small.system)
    assert sum(truth.events_counted().values()) == 60 + 20


def test_a_changelog_deleted_before_a_start(small: Small, admin: KafkaAdminClient) -> None:
    topic = small.system.config.kafka.topics.changelog
    admin.delete_topics([topic])
    wait_for(lambda: topic not in admin.list_topics())
    small.system.create_topic("changelog")
    assert_refused(small, "its state is missing from the changelog", "delete the offsets of group")


def test_a_changelog_that_is_not_there(small: Small, admin: KafkaAdminClient) -> None:
    topic = small.system.config.kafka.topics.changelog
    admin.delete_topics([topic])
    wait_for(lambda: topic not in admin.list_topics())
    worker = small.system.process("work", **WORKER)
    worker.launch()
    assert worker.wait(60) != 0
    assert "run `pulse topics` to create them" in worker.log_tail()


def test_a_changelog_deleted_under_a_running_worker(small: Small, admin: KafkaAdminClient) -> None:
    worker = small.system.process("work", **WORKER).start()
    small.system.wait_until_applied()
    topic = small.system.config.kafka.topics.changelog
    admin.delete_topics([topic])
    wait_for(lambda: topic not in admin.list_topics())
    small.system.create_topic("changelog")
    small.write(range(60, 62))
    # It may write on, or end; whoever reads the state next must not count from half of it.
    deadline = time.monotonic() + 10
    while worker.running and small.system.applied() < small.system.written():
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
    worker.stop()
    assert_refused(small, "missing from the changelog", "delete")


def test_input_deleted_that_recovery_needs(small: Small, admin: KafkaAdminClient) -> None:
    tp = TopicPartition(small.system.config.kafka.topics.events, small.partition)
    end = small.end()
    admin.delete_records({tp: end - 5})
    assert_refused(small, f"but the topic begins at {end - 5}: its retention is too short")


def test_more_partitions_than_the_state_was_made_with(
    small: Small, admin: KafkaAdminClient
) -> None:
    topics = small.system.config.kafka.topics
    names = (topics.events, topics.alerts, topics.changelog, topics.deadletter, topics.deliveries)
    admin.create_partitions({name: NewPartitions(8) for name in names})
    assert_refused(
        small,
        f"topic {topics.events} has 8 partitions, the configuration says 4",
    )
    assert_refused(
        small,
        "the state was made with 4 partitions, the events topic has 8",
        partitions=8,
    )


@pytest.mark.parametrize("version", [1, 99])
def test_a_state_of_another_version(small: Small, version: int) -> None:
    small.rewrite(lambda value: of_version(value, version))
    assert_refused(small, f"written in version {version}, this pulse reads")


def of_version(value: bytes, version: int) -> bytes:
    """A record of the changelog as another version of pulse would have written it."""
    content = msgspec.msgpack.decode(value)
    if isinstance(content, dict):
        content["version"] = version
    else:
        content[0] = version
    return msgspec.msgpack.encode(content)


def test_nothing_lost(small: Small) -> None:
    """What the others are measured by."""
    assert_counted(small)
