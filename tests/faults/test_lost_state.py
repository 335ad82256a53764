"""State or input that is gone or of another kind: a refusal with a clear word, no wrong count."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, NewPartitions

from pulse.stream.state.pages import PageKey, decode_part
from pulse.testing import forked
from pulse.testing.histories import usage
from pulse.testing.paced import HOUR_MS, START_MS
from pulse.testing.truth import Truth

from .scenes import PARTITIONS, WORKER, Small, assigned, keep, metric, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.system import System

    from .scenes import Scene

pytestmark = pytest.mark.timeout(300)


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
def admin(kafka: KafkaServer) -> Iterator[KafkaAdminClient]:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    yield admin
    admin.close()


def assert_refused(small: Small, *words: str, **kafka: Any) -> None:
    """A worker ends with these words, and has written and committed nothing."""
    committed, written = small.system.applied(), len(small.changelog())
    worker = small.system.process("work", kafka=kafka, **WORKER)
    worker.launch()
    assert worker.wait(120) != 0
    said = worker.log_path.read_text()
    for word in words:
        assert word in said
    assert "Traceback" not in said
    assert small.system.applied() == committed
    assert len(small.changelog()) == written


def assert_counted(small: Small, within_s: float = 150) -> None:
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
    assert worker.wait(120) != 0
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


def test_an_events_topic_made_again_is_no_input_of_the_old_state(
    kafka: KafkaServer, tmp_path: Path, unique: str, admin: KafkaAdminClient
) -> None:
    small = Small(kafka.bootstrap, tmp_path, unique)
    small.write(range(60))
    small.event(b"not json")
    small.flush()
    # Its first manifests are those of the partitions it takes up; the next one is because of the
    # dead letter, and names no page of what was applied: that must be read again. All comes in one
    # fetch: on a busy machine another one may be late, and where nothing comes all is written.
    worker = small.system.process("work", **WORKER | {"reread_s": 60, "fetch_records": 500})
    worker.dies_at = ("manifest_written", PARTITIONS + 1)
    worker.launch()
    worker.wait_for_death()
    assert next(map(msgspec.json.decode, small.system.accounts()))["account_id"] == "acme"

    topic = small.system.config.kafka.topics.events
    admin.delete_topics([topic])
    wait_for(lambda: topic not in admin.list_topics())
    assert_export_says(small, f"there is no topic {topic}")
    small.system.create_topic("events")
    small.write(range(3))
    # 60 ticks, 60 events, a dead letter, and the configuration in force.
    word = "is ahead of its topic: offset 122, the topic ends at 6"
    assert_export_says(small, word, "Use a new group and changelog")
    worker.dies_at = None
    worker.launch()
    assert worker.wait(120) != 0
    assert word in worker.log_tail()
    small.close()


def assert_export_says(small: Small, *words: str) -> None:
    """`pulse export` ends with these words, and does not wait for what never comes."""
    done = forked.run(["export", "--config", small.system.folder / "pulse.yaml"], within_s=90)
    assert done.returncode != 0
    assert done.stdout == ""
    for word in words:
        assert word in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_input_deleted_that_recovery_needs(small: Small, admin: KafkaAdminClient) -> None:
    tp = TopicPartition(small.system.config.kafka.topics.events, small.partition)
    end = small.end()
    admin.delete_records({tp: end - 5})
    assert_refused(small, f"but the topic begins at {end - 5}: its retention is too short")


def test_more_partitions_than_the_state_was_made_with(
    small: Small, admin: KafkaAdminClient
) -> None:
    topics = small.system.config.kafka.topics
    names = (
        topics.events, topics.alerts, topics.changelog, topics.deadletter, topics.deliveries,
        topics.history,
    )  # fmt: skip
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


def lose_last_writes(system: System, choose: Callable[[list[int]], int]) -> dict[int, int]:
    """Let pages stand as if their last writes had been lost; no worker may be running.

    `choose` gets the offsets of the input up to which the versions of a page hold it, oldest first,
    and gives the one that is to stand. Of the partitions with a page that is behind now: the least
    offset.
    """
    versions: dict[tuple[int, bytes], dict[int, bytes]] = {}
    deleted = set()
    for record in system.read("changelog"):
        if record.value is None:
            deleted.add((record.partition, record.key))
        elif PageKey.decode(record.key) is not None:
            part = decode_part(record.value)
            assert part.parts == 1, "a part alone is no version"
            by_offset = versions.setdefault((record.partition, record.key), {})
            by_offset[part.context.offset] = record.value
    behind: dict[int, int] = {}
    lost = []
    for (partition, key), by_offset in versions.items():
        if (partition, key) not in deleted:
            offsets = sorted(by_offset)
            offset = choose(offsets)
            if offset < offsets[-1]:
                lost.append((partition, key, by_offset[offset]))
                behind[partition] = min(behind.get(partition, offset), offset)
    keep(system, lost)
    return behind


def written_again(system: System) -> dict[int, int]:
    """Of each partition, how many keys of pages the changelog has with several offsets."""
    offsets: dict[tuple[int, bytes], set[int]] = {}
    for record in system.read("changelog"):
        if record.value is not None and PageKey.decode(record.key) is not None:
            of_page = offsets.setdefault((record.partition, record.key), set())
            of_page.add(decode_part(record.value).context.offset)
    again = Counter(partition for (partition, _), each in offsets.items() if len(each) > 1)
    return {partition: again[partition] for partition in range(PARTITIONS)}


def test_pages_behind_their_manifest(make_scene: Callable[..., Scene], seed: int) -> None:
    scene = make_scene()
    # With time for its last flush, also on a busy machine: then nothing it leaves is unwritten.
    worker = scene.worker(session_timeout_s=20).start()
    wait_for(lambda: assigned(worker) == PARTITIONS)  # so that it writes every page several times
    scene.play(15, injuries=1)
    scene.player.wait_for_share(0.4)
    wait_for(lambda: min(written_again(scene.system).values()) > 1)
    worker.stop()
    applied = scene.system.applied()
    chance = random.Random(seed)
    behind = lose_last_writes(scene.system, lambda offsets: chance.choice(offsets[:-1] or offsets))
    assert len(behind) == PARTITIONS
    scene.inflict()

    worker.start()
    wait_for(lambda: assigned(worker) == PARTITIONS)
    assert metric(worker, "pulse_pages_behind_total") > PARTITIONS
    # A machine that is very busy may have left something unwritten besides.
    assert metric(worker, "pulse_reread_records_total") >= applied - sum(behind.values())
    assert "pages hold less than they should" in worker.log_path.read_text()
    scene.finish()
    scene.assert_exact()


def test_a_page_behind_its_manifest_whose_input_is_deleted(
    small: Small, admin: KafkaAdminClient
) -> None:
    worker = small.system.process("work", **WORKER).start()
    small.system.wait_until_applied()
    small.write(range(60, 70))
    small.system.wait_until_applied()
    worker.stop()
    behind = lose_last_writes(small.system, min)[small.partition]
    tp = TopicPartition(small.system.config.kafka.topics.events, small.partition)
    admin.delete_records({tp: behind + 1})
    assert_refused(
        small,
        f"must be read on from offset {behind}, but the topic begins at {behind + 1}: "
        "its retention is too short",
    )


def test_nothing_lost(small: Small) -> None:
    """What the others are measured by."""
    assert_counted(small)
