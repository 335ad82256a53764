"""`pulse.sdk` on Apache Kafka: from an app's threads to a worker's accounts."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.placement import partition_of
from pulse.processes import free_port
from pulse.sdk import EmitError, Emitter, Limits
from pulse.testing.kafka import KafkaServer
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kafka

PARTITIONS = 3
THREADS = 4


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    settings = {"clock": "wall", "worker": {"flush_interval_s": 0.5, "reread_s": 0}}
    system = System(
        kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS, settings=settings
    )
    system.create_topics()
    try:
        yield system
    finally:
        system.stop()


def emitter_for(system: System, **more: Any) -> Emitter:
    topic = system.config.kafka.topics.events
    return Emitter(system.bootstrap, source="web-app", topic=topic, **more)


def lines(system: System) -> list[dict[str, Any]]:
    """Every line in the topic of events, with the partition and the key of its record."""
    return [
        msgspec.json.decode(line) | {"partition": record.partition, "key": record.key}
        for record in system.read("events")
        if not record.headers
        for line in record.value.split(b"\n")
    ]


def accounts_of(system: System, names: set[str], within_s: float = 60.0) -> dict[str, Any]:
    """The accounts as the changelog has them, once all is applied and these are there."""
    deadline = time.monotonic() + within_s
    while True:
        system.wait_until_applied()
        found = {each["account_id"]: each for each in map(msgspec.json.decode, system.accounts())}
        if set(found) == names:
            return found
        assert time.monotonic() < deadline, f"only {sorted(found)} are there"
        time.sleep(0.2)


def test_what_four_threads_emit_comes_to_the_accounts(system: System) -> None:
    system.process("work").start()

    def emit(emitter: Emitter, thread: int) -> None:
        for number in range(250):
            account = "acme" if number % 5 else "globex"
            user, feature = f"u{thread}", f"f{number % 3}"
            emitter.event(account, "report.run", user, feature=feature, value=2)

    with emitter_for(system, limits=Limits(linger_s=0.5, batch_bytes=8 << 10)) as emitter:
        emitter.profile("acme", seats=9, mrr=1200)
        threads = [
            threading.Thread(target=emit, args=(emitter, number)) for number in range(THREADS)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        emitter.flush(60)
        found = lines(system)

    assert len({line["id"] for line in found}) == len(found) == 1_001
    assert {line["source"] for line in found} == {"web-app"}
    assert all(line["partition"] == partition_of(line["account_id"], PARTITIONS) for line in found)
    assert all(line["key"] in (None, line["account_id"].encode()) for line in found)
    assert 2 <= len([each for each in system.read("events") if not each.headers]) <= 200

    accounts = accounts_of(system, {"acme", "globex"})
    measures = {name: each["measures"] for name, each in accounts.items()}
    assert {name: each["events"]["7d"] for name, each in measures.items()} == {
        "acme": 800,
        "globex": 200,
    }
    assert {name: each["value"]["7d"] for name, each in measures.items()} == {
        "acme": 1_600,
        "globex": 400,
    }
    assert measures["acme"]["active_users"]["7d"] == THREADS
    assert measures["acme"]["features"]["7d"] == 3


@pytest.mark.parametrize("pause_s", [0, 3])
def test_a_program_that_ends_without_a_word_delivers(system: System, pause_s: float) -> None:
    code = (
        "import sys, time\n"
        "from pulse.sdk import Emitter, Limits\n"
        "limits = Limits(linger_s=30, exit_within_s=60)\n"
        "emitter = Emitter(sys.argv[1], topic=sys.argv[2], limits=limits)\n"
        "emitter.event('acme', 'first')\n"
        "time.sleep(float(sys.argv[3]))\n"
        "emitter.event('acme', 'last')\n"
    )
    topic = system.config.kafka.topics.events
    done = subprocess.run(
        [sys.executable, "-c", code, system.bootstrap, topic, str(pause_s)],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )

    assert done.stderr == ""
    assert [line["event"] for line in lines(system)] == ["first", "last"]


def test_a_topic_that_is_not_there_is_said(kafka: KafkaServer, unique: str) -> None:
    emitter = Emitter(kafka.bootstrap, topic=unique, limits=Limits(deliver_within_s=5))
    emitter.event("acme", "run")
    with pytest.raises(EmitError, match=f"1 were not delivered: .* where {unique} is"):
        emitter.close(60)


def test_a_kafka_that_comes_back_gets_what_waited(tmp_path: Path, kafka: KafkaServer) -> None:
    # `kafka` is only asked for so that this is skipped, or fails, where that is.
    with KafkaServer(tmp_path / "own") as own:
        system = System(own.bootstrap, tmp_path, prefix="own", partitions=PARTITIONS)
        system.create_topics()
        told: list[bytes] = []
        limits = Limits(buffer_bytes=20_000, max_block_s=0.2, deliver_within_s=100)
        emitter = emitter_for(system, limits=limits, on_error=lambda lost, _: told.extend(lost))
        emitter.event("acme", "before")
        emitter.flush(60)
        own.kill()
        taken = 0
        with pytest.raises(EmitError, match="bytes wait for Kafka"):  # noqa: PT012  # the first that is too many
            while True:
                emitter.event("acme", "meanwhile")
                taken += 1
        own.restart()
        after(emitter, within_s=60)
        emitter.close(90)

        assert told == []
        assert [line["event"] for line in lines(system)] == [
            "before",
            *["meanwhile"] * taken,
            "after",
        ]


def after(emitter: Emitter, within_s: float) -> None:
    """One more event, once there is room: how soon a client comes back is the client's affair."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            emitter.event("acme", "after")
        except EmitError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            return


def test_a_kafka_that_stays_away_is_told_of_and_costs_little() -> None:
    code = (
        "import resource, sys\n"
        "from pulse.sdk import EmitError, Emitter, Limits\n"
        "limits = Limits(buffer_bytes=1 << 20, max_block_s=0.5, exit_within_s=0.1)\n"
        "emitter = Emitter(sys.argv[1], limits=limits)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "refused = 0\n"
        "for _ in range(20_000):\n"
        "    try:\n"
        "        emitter.event('acme', 'run', properties={'text': 'x' * 100})\n"
        "    except EmitError as error:\n"
        "        refused, said = refused + 1, str(error)\n"
        "        if refused == 5: break\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, refused, said)\n"
    )
    broker = f"127.0.0.1:{free_port()}"
    done = subprocess.run(
        [sys.executable, "-c", code, broker], capture_output=True, text=True, timeout=90, check=True
    )

    kilobytes, refused, said = done.stdout.split(" ", 2)
    assert int(kilobytes) < 20_000
    assert refused == "5"
    assert "not taken" in said
    # The end of the program is told what is lost.
    assert "were not delivered" in done.stderr
