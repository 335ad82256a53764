"""`pulse work` on Apache Kafka: bad input, misplaced events, a broker that goes away, the clock."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaProducer
from faust.types import TP
from kafka import KafkaProducer

from pulse.config import Config
from pulse.engine import control
from pulse.engine.control import CONTROL_HEADER
from pulse.placement import partition_of
from pulse.processes import ServerError
from pulse.stream.worker import Worker
from pulse.testing.kafka import KafkaServer
from pulse.testing.system import System
from pulse.testing.truth import Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START_MS = 1_700_000_000_000
PARTITIONS = 2
# None is killed, and one that only stands still for a while is to stay in its group: what it had
# not written would be applied, and counted, again.
WORKER = {"session_timeout_s": 30, "flush_interval_s": 0.3}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS)
    system.create_topics()
    yield system
    system.stop()


class Writer:
    """Writes records to the events topic."""

    def __init__(self, system: System) -> None:
        self._topic = system.config.kafka.topics.events
        self._producer = KafkaProducer(
            bootstrap_servers=system.bootstrap, acks="all", max_request_size=8 << 20
        )

    def tick(self, at_ms: int) -> None:
        headers, value = control.tick(at_ms)
        for number in range(PARTITIONS):
            self.raw(value, number, headers=list(headers))

    def event(self, account_id: str, number: int, **fields: Any) -> None:
        partition = fields.pop("partition", partition_of(account_id, PARTITIONS))
        self.raw(usage(account_id, number, **fields), partition)

    def raw(self, value: bytes | None, partition: int = 0, **record: Any) -> None:
        self._producer.send(self._topic, value, partition=partition, **record).get(30)

    def send(self, value: bytes, partition: int = 0) -> None:
        """Without waiting for it."""
        self._producer.send(self._topic, value, partition=partition)

    def close(self) -> None:
        self._producer.close()


@pytest.fixture
def writer(system: System) -> Iterator[Writer]:
    writer = Writer(system)
    yield writer
    writer.close()


def usage(account_id: str, number: int, **fields: Any) -> bytes:
    event = {"id": f"e{number}", "account_id": account_id, "event": "x", "ts": START_MS + number}
    return json.dumps(event | fields).encode()


def counted(system: System) -> dict[str, int]:
    """Events of each account over 84 days."""
    accounts = [json.loads(line) for line in system.accounts()]
    return {each["account_id"]: each["measures"]["events"]["84d"] for each in accounts}


def in_partition(number: int, name: str = "account") -> str:
    """An account of that partition."""
    return next(
        f"{name}-{i}" for i in range(100) if partition_of(f"{name}-{i}", PARTITIONS) == number
    )


def test_bad_input_is_in_the_dead_letter_and_all_around_it_is_counted(
    system: System, writer: Writer
) -> None:
    account = in_partition(0)
    good = iter(range(1_000))
    bad = {
        "not_json": b'{"id":"b","account_id":"' + account.encode() + b'","event":"x","ts',
        "wrong_shape": usage(account, 900, event=7),
        "too_large": usage(account, 901, properties={"text": "x" * 5_000_000}),
        "not_utf8": usage(account, 902).replace(b'"x"', b'"\xff"'),
        "future": usage(account, 903, ts="3000-01-01T00:00:00Z"),
        "too_late": usage(account, 904, ts=START_MS - 91 * 86_400_000),
        "too_deep": b'{"id":"d","account_id":"a","event":"x","ts":1,"properties":{"v":'
        + b"[" * 5_000
        + b"]" * 5_000
        + b"}}",
    }
    nul = usage(account, 905).replace(b'"x"', b'"\x00"')
    writer.tick(START_MS)
    for raw in (*bad.values(), nul):
        writer.event(account, next(good))
        writer.raw(raw)
        lines = [usage(account, next(good)), raw, usage(account, next(good))]
        if len(raw) < 1_000_000:
            writer.raw(b"\n".join(lines))
    writer.raw(None, key=account.encode())  # a tombstone
    writer.event(account, next(good))
    total = next(good)
    # The one that was too large stood alone.
    total -= 2
    worker = system.process("work", **WORKER).start()
    system.wait_until_applied()
    assert counted(system) == {account: total}
    letters = system.read("deadletter")
    by_reason: dict[str, list[bytes]] = {}
    for letter in letters:
        headers = dict(letter.headers)
        assert headers["pulse-detail"]
        topic, partition, _, line = headers["pulse-origin"].decode().rsplit("/", 3)
        assert (topic, partition) == (system.config.kafka.topics.events, "0")
        assert line in ("1", "2")
        by_reason.setdefault(headers["pulse-reason"].decode(), []).append(letter.value)
    cut = dict(bad, too_large=bad["too_large"][:900_000])
    for reason, raw in cut.items():
        assert by_reason[reason].count(raw) == (1 if reason == "too_large" else 2), reason
    assert by_reason["not_json"].count(nul) == 2
    metrics = worker.metrics()
    assert 'pulse_dead_letters_total{reason="future"} 2.0' in metrics


def test_a_topic_of_one_event_a_transaction_is_read_without_a_halt(
    system: System, writer: Writer
) -> None:
    """The end of a transaction has an offset, and is no record that might have been lost."""
    account, count = in_partition(0), 200

    async def fill() -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=system.bootstrap, transactional_id=system.config.kafka.group
        ) as producer:
            for number in range(count):
                async with producer.transaction():
                    value = usage(account, number)
                    await producer.send(system.config.kafka.topics.events, value, partition=0)

    writer.tick(START_MS)
    asyncio.run(fill())
    assert system.written() == 2 * count + PARTITIONS
    # A fetch comes in twenty pieces, each of which begins after the end of a transaction.
    worker = system.process("work", **WORKER, fetch_records=10).start()
    wait_for(lambda: number(worker.metrics(), "pulse_partitions_assigned") == PARTITIONS)
    system.wait_until_applied(within_s=30)  # a halt at each end would take longer
    # And in each partition a tick, and what puts the configuration in force.
    assert number(worker.metrics(), "pulse_records_total") == count + 2 * PARTITIONS
    writer.tick(START_MS + 60_000)
    writer.event(account, count)
    system.wait_until_applied(within_s=30)
    assert counted(system) == {account: count + 1}
    Truth.of(system).assert_holds(system)


def test_what_is_dropped_on_the_way_is_read_again(system: System, writer: Writer) -> None:
    """However often: seeks beyond what is applied stand for whatever makes Faust drop records."""
    account, count = in_partition(0), 6_000
    writer.tick(START_MS)
    for start in range(0, count, 5):
        lines = [usage(account, number) for number in range(start, start + 5)]
        writer.send(b"\n".join(lines))
    settings = {**system.settings, "worker": {**WORKER, "fetch_records": 5}}
    tp = TP(system.config.kafka.topics.events, 0)

    async def work() -> int:
        assigned = asyncio.Event()
        worker = Worker(
            Config.model_validate(settings),
            at=lambda step, _: assigned.set() if step == "assigned" else None,
        )
        running, sought = asyncio.create_task(worker.run()), 0
        end = count // 5 + 1
        await assigned.wait()
        state = worker.partitions[0].state
        while state.position < end and not running.done():
            # Six take a tenth of the time that all of the records take.
            if sought < 6 and state.position < end - 20:
                sought += 1
                # The last one leaves nothing that would show the hole.
                ahead = end if sought == 6 else state.position + 1 + sought % 7
                await worker._consumer.seek(tp, ahead)
            await asyncio.sleep(0.01)
        worker.stop()
        await running
        return sought

    assert asyncio.run(asyncio.wait_for(work(), timeout=150)) == 6
    assert counted(system) == {account: count}
    Truth.of(system).assert_holds(system)


def test_a_misplaced_event_is_handed_on_and_counted_once(system: System, writer: Writer) -> None:
    here, there = in_partition(0), in_partition(1)
    writer.tick(START_MS)
    writer.event(here, 1, partition=1)
    writer.event(there, 2, partition=0)
    writer.event(there, 3)
    writer.raw(usage(here, 4) + b"\n" + usage(there, 5) + b"\n" + usage(here, 6), 1)
    lost = usage(here, 7)
    writer.raw(lost, 1, headers=[("pulse-forwarded-from", b"elsewhere")])
    system.process("work", **WORKER).start()
    system.wait_until_applied()
    system.wait_until_applied()  # those that were handed on
    assert counted(system) == {here: 3, there: 3}
    letters = system.read("deadletter")
    assert [letter.value for letter in letters] == [lost]
    assert dict(letters[0].headers)["pulse-reason"] == b"misplaced"


def test_a_kafka_that_is_away_is_waited_for(tmp_path: Path, unique: str) -> None:
    with KafkaServer(tmp_path / "kafka") as kafka:
        system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS)
        system.create_topics()
        kafka.stop()
        worker = system.process("work", **WORKER).start()
        wait_for(lambda: "kafka does not answer" in worker.log_tail())
        time.sleep(3)
        assert worker.log_path.read_text().count("kafka does not answer") == 1
        kafka.start()
        writer = Writer(system)
        writer.tick(START_MS)
        writer.event("acme", 1)
        system.wait_until_applied()
        kafka.kill()
        time.sleep(3)
        kafka.start()
        writer.close()
        writer = Writer(system)
        writer.event("acme", 2)
        system.wait_until_applied()
        writer.close()
        assert counted(system) == {"acme": 2}
        writer = Writer(system)
        writer.event("acme", 3)
        writer.close()
        kafka.kill()
        began = time.monotonic()
        worker.stop(within_s=120)
        # What deploy/ grants to a stop: systemd's units and Kubernetes 60 s.
        assert time.monotonic() - began < 55
        log = worker.log_path.read_text()
        system.stop()
    assert "Traceback" not in log
    assert "ERROR" not in log


def test_a_kafka_that_goes_away_while_it_connects_is_waited_for(
    tmp_path: Path, unique: str
) -> None:
    with KafkaServer(tmp_path / "kafka") as kafka:
        system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS)
        system.create_topics()
        worker, other = (system.process("work", **WORKER) for _ in range(2))
        for each in (worker, other):
            each.stops_at = ("connecting", 1)
            each.launch()
            each.wait_for_stop()
        kafka.kill()
        for each in (worker, other):
            each.signal(signal.SIGCONT)
            wait_for(lambda each=each: "kafka does not answer" in each.log_tail())
        other.signal(signal.SIGTERM)
        assert other.wait(within_s=20) == 0
        other.stop()
        kafka.start()
        writer = Writer(system)
        writer.tick(START_MS)
        writer.event("acme", 1)
        writer.close()
        system.wait_until_applied()
        assert counted(system) == {"acme": 1}
        system.stop()
    assert "Traceback" not in worker.log_path.read_text()


def test_the_clock_runs_by_itself(kafka: KafkaServer, tmp_path: Path, unique: str) -> None:
    settings = {"clock": "wall"}
    system = System(
        kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS, settings=settings
    )
    system.create_topics()
    workers = [system.process("work", **WORKER, tick_interval_s=0.2).start() for _ in range(2)]
    # Who has the first partition ticks: which of them that is, the group says.
    wait_for(lambda: sum(number(w.metrics(), "pulse_ticks_total") for w in workers) > 10)
    system.stop()
    ticks: dict[int, list[int]] = {}
    for record in system.read("events"):
        if (CONTROL_HEADER, b"tick") not in record.headers:
            continue
        ticks.setdefault(record.partition, []).append(json.loads(record.value)["ts"])
        assert abs(json.loads(record.value)["ts"] - record.timestamp) < 30_000
    assert set(ticks) == set(range(PARTITIONS))


def test_a_worker_without_its_topics_says_what_to_do(
    kafka: KafkaServer, tmp_path: Path, unique: str
) -> None:
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS)
    worker = system.process("work", **WORKER)
    with contextlib.suppress(ServerError):  # it may end before it has answered
        worker.start()
    wait_for(lambda: not worker.running)
    assert "run `pulse topics` to create them" in worker.log_tail()
    assert "Traceback" not in worker.log_tail()


def number(metrics: str, name: str) -> float:
    line = next((line for line in metrics.splitlines() if line.startswith(f"{name} ")), f"{name} 0")
    return float(line.split()[-1])


def wait_for(condition: Callable[[], bool], within_s: float = 90.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
