"""Who is erased stands nowhere any more, byte by byte, once Kafka has compacted and deleted."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from pulse.alerting.people.account_notes import AccountNote, encode_note
from pulse.cli import forget
from pulse.collector.links import Link
from pulse.collector.turning import keep_turning
from pulse.config.kafka_clients import for_aiokafka
from pulse.config.policy import policy
from pulse.engine import Engine
from pulse.engine.control import CONTROL_HEADER, read_forget, tick
from pulse.errors import PulseError
from pulse.placement import partition_of
from pulse.processes import free_port
from pulse.producer import Outgoing, Producer
from pulse.stream.partition import empty_state
from pulse.testing.system import System
from pulse.testing.traces import of_changelog
from pulse.testing.truth import Truth
from tests.integration.collecting import Collecting, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.process import PulseProcess
    from pulse.testing.valkey import ValkeyServer

PARTITIONS = 2
ACME, EVE, ZOE = "acme-4711", "eve-0815", "zoe-of-acme"
"""The account, and the user, that are to be erased; and who uses that account alone."""
NAMES = (ACME, EVE, ZOE, "Acme Works")
OTHERS = ("globex", "hooli", "initech", "umbrella")
USERS = {ACME: (EVE, "ada", ZOE), "globex": (EVE, "bob"), "hooli": ("cid", "dan"),
         "initech": (EVE, "fay"), "umbrella": ("gil",)}  # fmt: skip
SHORT = {
    "segment_ms": "200",
    "max_compaction_lag_ms": "400",
    "min_cleanable_dirty_ratio": "0.01",
    "delete_retention_ms": "100",
}
SETTINGS: dict[str, Any] = {
    "worker": {"flush_interval_s": 0.3, "reread_s": 0, "page_accounts": 2},
    "signals": {"detractor": {"days": 30}},
}
WITHIN_S = 90
MINUTE_MS = 60_000

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]


class Erasing(Collecting):
    """A system whose topics are compacted and deleted within seconds, with a collector."""

    def __init__(self, system: System, valkey: ValkeyServer) -> None:
        super().__init__(system)
        self._valkey = valkey
        self._producer = KafkaProducer(bootstrap_servers=system.bootstrap, acks="all")
        self._number = 0

    def close(self) -> None:
        self._producer.close()

    def use(self, account: str, *users: str, ago_ms: int = 10 * MINUTE_MS) -> None:
        """Each user says whose it is, uses the product, and how much it is liked: one does not."""
        at_ms = now_ms() - ago_ms
        for user in users:
            self._number += 1
            who, number = {"userId": user, "timestamp": at_ms}, self._number
            traits = {"name": "Acme Works" if account == ACME else account, "plan": "pro"}
            self._post("/v1/group", who | {"groupId": account, "traits": traits})
            self._post("/v1/track", who | {"event": "run", "messageId": f"t{number}"})
            said = {"id": f"n{number}", "account_id": account, "user_id": user, "ts": at_ms}
            scored = {"event": "nps", "properties": {"score": 0 if user == EVE else 9}}
            bad = {"event": "card_updated", "properties": {"expires_at": "soon"}}
            self._post("/v1/events", [said | scored, said | bad | {"id": f"b{number}"}])

    def _post(self, path: str, said: Any) -> None:
        assert self.http.post(path, json=said).status_code == 200

    def note(self, account: str, number: int) -> None:
        """Somebody writes a note on the account, which names it."""
        note = AccountNote(
            id=f"no_{number}",
            account_id=account,
            author="kim",
            at_ms=now_ms(),
            text=f"On {account}",
        )
        key, value = encode_note(note)
        topic = self.system.config.kafka.topics.notes
        self._producer.send(topic, value, key=key.encode(), partition=0).get(30)

    def tick(self) -> None:
        headers, value = tick(now_ms())
        topic = self.system.config.kafka.topics.events
        for number in range(PARTITIONS):
            self._producer.send(topic, value, partition=number, headers=[*headers])
        self._producer.flush()

    def forget(self, *words: str) -> str:
        """`pulse forget`."""
        return self.system.command("forget", *words)

    def set(self, topic: str, **settings: str) -> None:
        names = {key.replace("_", "."): value for key, value in settings.items()}
        name = getattr(self.system.config.kafka.topics, topic)
        admin = KafkaAdminClient(bootstrap_servers=self.system.bootstrap)
        with closing(admin):
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, names)])

    def is_empty(self, topic: str) -> bool:
        name = getattr(self.system.config.kafka.topics, topic)
        tps = [TopicPartition(name, number) for number in range(PARTITIONS)]
        consumer = KafkaConsumer(bootstrap_servers=self.system.bootstrap)
        with closing(consumer):
            return bool(consumer.beginning_offsets(tps) == consumer.end_offsets(tps))

    def traces(self) -> dict[str, set[str]]:
        """Which of the names stand where."""
        topics = (
            "events", "links", "changelog", "alerts", "deadletter", "history", "notes", "audit",
        )  # fmt: skip
        places = {topic: b"\n".join(self._bytes_of(topic)) for topic in topics}
        places["redis"] = b"\n".join(self._bytes_of_redis())
        return {
            place: {name for name in NAMES if name.encode() in said}
            for place, said in places.items()
        }

    def _bytes_of(self, topic: str) -> Iterator[bytes]:
        records = self.system.read(topic)
        if topic == "changelog":
            for number in range(PARTITIONS):
                mine = [(each.key, each.value) for each in records if each.partition == number]
                yield from of_changelog(mine)
            return
        for record in records:
            yield record.key or b""
            yield record.value or b""
            yield from (value for _, value in record.headers)

    def _bytes_of_redis(self) -> Iterator[bytes]:
        with redis.Redis.from_url(self._valkey.url) as client:
            for key in client.scan_iter(f"{self.system.config.redis.prefix}*"):
                yield key
                kind = client.type(key)
                if kind == b"zset":
                    yield from client.zrange(key, 0, -1)
                elif kind == b"stream":
                    yield repr(client.xrange(key)).encode()
                elif kind == b"hash":
                    yield repr(client.hgetall(key)).encode()
                else:
                    yield client.get(key) or b""


@pytest.fixture
def erasing(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path, unique: str
) -> Iterator[Erasing]:
    settings = SETTINGS | {"redis": {"url": valkey.url, "prefix": f"{unique}:"}}
    system = System(
        kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS, settings=settings
    )
    for topic in ("events", "alerts", "deadletter", "history"):
        system.create_topic(topic, segment_ms="200")
    for topic in ("deliveries", "keys", "silences", "audit"):
        system.create_topic(topic)
    for topic in ("links", "changelog", "notes"):
        system.create_topic(topic, **SHORT)
    try:
        erasing = Erasing(system, valkey)
        with closing(erasing):
            yield erasing
    finally:
        system.stop()


@pytest.mark.parametrize("injury", ["none", "killed"])
def test_nothing_is_left_of_who_is_erased(erasing: Erasing, injury: str) -> None:
    system = erasing.system
    worker = system.process("work").start()
    for account, users in USERS.items():
        erasing.use(account, *users)
    for number, account in enumerate((ACME, "globex", ACME)):
        erasing.note(account, number)
    erasing.tick()
    system.wait_until_applied()
    wait_for(lambda: {ACME, EVE} <= erasing.traces()["redis"], WITHIN_S)
    everywhere = {"events", "links", "changelog", "alerts", "redis", "deadletter"}
    before = erasing.traces()
    assert {place for place, names in before.items() if {ACME, EVE} <= names} == everywhere
    assert before["notes"] == {ACME}
    assert before["history"] <= {ACME}  # it knows no users, and of an account its days
    assert {(each["account_id"], each["reason"]) for each in system.alerts()} == {
        (account, "detractor") for account, users in USERS.items() if EVE in users
    }

    if injury == "killed":
        worker.signal(signal.SIGSTOP)
    days = {today()}
    said = [erasing.forget("account", ACME), erasing.forget("user", EVE)]
    places = {
        topic
        for name, topic in system.config.kafka.topics
        if name not in ("keys", "tokens", "users")
    }
    places |= {f"Redis, {system.config.redis.prefix}*", "receivers of alerts"}
    places.add(f"histories, {system.config.history.file}")
    for each in said:
        lines = dict(line.split(": ", 1) for line in each.splitlines())
        assert set(lines) == places
        # With these settings it is a matter of seconds, in which a day may begin.
        days.add(today(60))
        assert lines[system.config.kafka.topics.changelog][:10] in days
    assert "2 notes on it" in said[0]
    assert "2 links of it" in said[0]  # of those whose last word was that account
    if injury == "killed":
        die_when_it_is_taken_out(erasing, worker)
    later(erasing)
    # Said again it changes nothing.
    assert "0 links of it" in erasing.forget("account", ACME)
    assert "0 links of it" in erasing.forget("user", EVE)
    erasing.tick()
    system.wait_until_applied()

    Truth.of(system).assert_holds(system)
    assert [msgspec.json.decode(each) for each in system.accounts()] == as_without(system)
    ended = [each for each in system.alerts() if each["resolution"] == "forgotten"]
    assert {each["account_id"] for each in ended} == {ACME, "globex", "initech"}
    assert not [each for each in ended if EVE in str(each)]

    until_compacted(erasing)
    wait_for(lambda: not erasing.traces()["redis"], WITHIN_S)
    system.stop()
    for topic in ("events", "alerts", "deadletter", "history"):
        erasing.set(topic, segment_ms="200", retention_ms="200")
        wait_for(partial(erasing.is_empty, topic), WITHIN_S)
    assert not {place: names for place, names in erasing.traces().items() if names}
    with redis.Redis.from_url(erasing._valkey.url) as client:
        for account in OTHERS:
            assert client.exists(f"{system.config.redis.prefix}account:{account}")


def later(erasing: Erasing) -> None:
    """They come again, and so do others."""
    erasing.use(ACME, EVE, ZOE, "hal", ago_ms=MINUTE_MS)
    erasing.use("globex", EVE, "bob", ago_ms=MINUTE_MS)
    erasing.use("umbrella", EVE, "gil", ago_ms=MINUTE_MS)
    erasing.use("hooli", "cid", ago_ms=MINUTE_MS)


def die_when_it_is_taken_out(erasing: Erasing, worker: PulseProcess) -> None:
    """Kill the worker when it has taken the account out of its state, and start it again."""
    worker.signal(signal.SIGCONT)
    topic = erasing.system.config.kafka.topics.events
    tp = TopicPartition(topic, partition_of(ACME, PARTITIONS))
    consumer = KafkaConsumer(
        bootstrap_servers=erasing.system.bootstrap, group_id=erasing.system.config.kafka.group,
        enable_auto_commit=False,
    )  # fmt: skip
    with closing(consumer):
        end = consumer.end_offsets([tp])[tp]
        wait_for(lambda: (consumer.committed(tp) or 0) >= end, WITHIN_S)
    os.kill(worker.pid, signal.SIGKILL)
    worker.kill()
    worker.start()


def as_without(system: System) -> list[dict[str, Any]]:
    """What the accounts are by the same log without the account, and without what the user did
    after it was to be forgotten, where nothing is forgotten.
    """
    engine = Engine(policy(system.config), lambda name: partition_of(name, PARTITIONS))
    statuses = []
    for number in range(PARTITIONS):
        state, gone = empty_state(system.config, number), set[str]()
        for record in [each for each in system.read("events") if each.partition == number]:
            if (CONTROL_HEADER, b"forget") in record.headers:
                said = read_forget(record.value)
                assert said is not None
                gone.add(said.user or "")
                continue
            if not record.headers:
                lines = map(msgspec.json.decode, record.value.split(b"\n"))
                kept = [
                    msgspec.json.encode(line)
                    for line in lines
                    if line["account_id"] != ACME
                    and ("event" not in line or line.get("user_id") not in gone)
                ]
                if not kept:
                    continue
                record = record._replace(value=b"\n".join(kept))
            engine.apply(state, [record])
        engine.settle(state)
        at_ms = state.clock_ms
        assert at_ms is not None
        statuses += [engine.status(state.account(i), at_ms, state.lines) for i in state.ids()]
    return sorted(statuses, key=lambda each: str(each["account_id"]))


def until_compacted(erasing: Erasing) -> None:
    """Others are used, as ever; Kafka compacts what they leave no room for."""
    deadline, number = time.monotonic() + WITHIN_S, 0
    while True:
        for _ in range(4):
            number += 1
            erasing.note(f"other-{number}", 100 + number)
            erasing.use(f"other-{number}", f"user-{number}", ago_ms=MINUTE_MS)
        erasing.tick()
        erasing.system.wait_until_applied()
        found = erasing.traces()
        if not found["changelog"] and not found["links"] and not found["notes"]:
            return
        assert time.monotonic() < deadline, found


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def today(in_s: float = 0) -> str:
    """The day it is, or will be."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + in_s))


async def test_a_link_is_gone_where_no_other_comes(
    kafka: KafkaServer, tmp_path: Path, unique: str
) -> None:
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS)
    system.create_topic("links", **SHORT)
    settings = for_aiokafka(system.config.kafka)
    producer, link = Producer(settings, idempotent=True), Link("web", EVE, ACME)
    for account in (ACME.encode(), None):
        await producer.send([Outgoing(system.config.kafka.topics.links, 0, link.key, account)])
        await asyncio.sleep(0.5)
    await producer.stop()
    assert EVE.encode() in b"".join(each.key for each in system.read("links"))

    turning = asyncio.create_task(keep_turning(system.config.kafka, settings, 0.3))
    deadline = time.monotonic() + WITHIN_S
    while {each.key for each in await asyncio.to_thread(system.read, "links")} != {b"turn"}:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.3)
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)


def test_what_is_not_there_is_said(
    kafka: KafkaServer, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=PARTITIONS)
    with pytest.raises(PulseError, match=f"there are no topics {unique}.events, ") as said:
        forget.command(forget.What.account, ACME, config=tmp_path / "pulse.yaml")
    assert said.value.hint == "`pulse topics` makes them"
    system.create_topic("events")
    with pytest.raises(PulseError, match=f"there are no topics {unique}.links, {unique}.notes"):
        forget.command(forget.What.account, ACME, config=tmp_path / "pulse.yaml")
    assert system.read("events") == []

    monkeypatch.setattr(forget, "CONNECT_S", 1.0)
    away = f"127.0.0.1:{free_port()}"
    System(away, tmp_path, prefix=unique, partitions=PARTITIONS)
    with pytest.raises(PulseError, match=f"no Kafka answers at {away}"):
        forget.command(forget.What.user, EVE, config=tmp_path / "pulse.yaml")
