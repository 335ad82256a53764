"""`pulse doctor` on Apache Kafka: with nothing, topics alone, a pulse that runs, and without it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from kafka import KafkaProducer

from pulse.processes import free_port
from pulse.sdk import Emitter
from pulse.testing import forked
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET
from pulse.topics.broker import Brokers
from pulse.topics.wanted import wanted_topics

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer

pytestmark = pytest.mark.kafka


@pytest.fixture
def system(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[System]:
    settings = {"clock": "wall", "worker": {"flush_interval_s": 0.5, "tick_interval_s": 0.5}}
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2, settings=settings)
    try:
        yield system
    finally:
        system.stop()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`pulse` with these arguments."""
    return forked.run(arguments)


def config_of(system: System) -> tuple[str, str]:
    return "--config", str(system.folder / "pulse.yaml")


class Said:
    """What `pulse doctor` said."""

    def __init__(self, system: System, *options: str) -> None:
        done = run("doctor", *config_of(system), *options)
        assert done.stderr == ""
        self.code, self.out = done.returncode, done.stdout

    @property
    def findings(self) -> dict[str, list[dict[str, Any]]]:
        """With `--json`: what was found, by what it is about."""
        found: dict[str, list[dict[str, Any]]] = {}
        for each in msgspec.json.decode(self.out)["findings"]:
            found.setdefault(each["about"], []).append(each)
        return found

    @property
    def verdicts(self) -> dict[str, str]:
        """The worst of each."""
        order = ["ok", "warning", "problem"]
        return {
            about: max((each["verdict"] for each in found), key=order.index)
            for about, found in self.findings.items()
        }


def make_topics(system: System) -> None:
    with Brokers(system.config.kafka) as brokers:
        brokers.create(wanted_topics(system.config.kafka))


def test_without_topics(system: System) -> None:
    said = Said(system, "--json")

    assert said.code == 1
    assert said.verdicts == {"kafka": "ok", "topics": "problem", "records": "ok"}
    assert system.bootstrap in said.findings["kafka"][0]["says"]
    assert system.config.kafka.topics.events in said.findings["topics"][0]["says"]
    assert "pulse topics" in said.findings["topics"][0]["advice"]


def test_with_topics_alone(system: System) -> None:
    make_topics(system)
    said = Said(system, "--json")

    assert said.code == 1
    assert said.verdicts == {
        "kafka": "ok",
        "topics": "ok",
        "records": "ok",
        "events": "warning",
        "sources": "ok",
        "ticks": "problem",
        "worker": "problem",
        "clocks": "warning",
        "notifier": "ok",
        "dead letters": "ok",
        "unlinked": "ok",
        "write keys": "warning",
        "tokens": "warning",
        "users": "warning",
    }, said.out


def test_with_a_pulse_that_runs(system: System) -> None:
    make_topics(system)
    system.process("work").start()
    topics = system.config.kafka.topics
    with Emitter(system.bootstrap, source="web-app", topic=topics.events) as emitter:
        for number in range(200):
            emitter.event(f"account-{number}", "report.run")
    producer = KafkaProducer(bootstrap_servers=system.bootstrap)
    producer.send(topics.events, b"no JSON", partition=0)
    headers = [("pulse-reason", b"unlinked"), ("pulse-detail", b"nobody has said whose ada is")]
    producer.send(topics.deadletter, b'{"userId":"ada"}', headers=headers)
    producer.flush()
    producer.close()
    wanted = {
        "kafka": "ok",
        "topics": "ok",
        "records": "ok",
        "events": "ok",
        "sources": "ok",
        "ticks": "ok",
        "worker": "ok",
        "clocks": "ok",
        "notifier": "ok",
        "dead letters": "warning",
        "unlinked": "warning",
        "write keys": "warning",
        "tokens": "warning",
        "users": "warning",
    }
    agrees = "this machine agrees with the broker, the worker that ticks agrees"

    # A group settles, and state is written, in a few seconds.
    deadline = time.monotonic() + 90
    while (said := Said(system, "--json")).verdicts != wanted or agrees not in said.out:
        assert time.monotonic() < deadline, said.out
    assert said.code == 0
    says = {about: each[0]["says"] for about, each in said.findings.items()}
    assert "web-app" in says["sources"]
    assert says["worker"].startswith("1 member in the group")
    assert agrees in says["clocks"]
    assert says["dead letters"].startswith("not_json: 1 in the last day")
    assert f"from {topics.events}/0/" in says["dead letters"]
    assert "nobody has said whose ada is" in says["unlinked"]

    plain = Said(system)
    assert plain.code == 0
    assert [line.split()[0] for line in plain.out.splitlines()].count("ok") == 9
    assert "→ `pulse keys make SOURCE` makes one" in plain.out


def test_with_a_notifier_a_redis_and_a_source_that_stopped(
    system: System, valkey: ValkeyServer, unique: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)
    receiver = {"name": "cs", "kind": "webhook", "secret_env": "PULSE_TEST_SECRET"}
    system.settings["receivers"] = [{**receiver, "url": "https://example.com/hooks"}]
    system.settings["redis"] = {"url": valkey.url, "prefix": f"{unique}:"}
    system.config = system._write("pulse.yaml", {})
    make_topics(system)

    idle = Said(system, "--json").findings["notifier"][0]
    assert (idle["verdict"], idle["advice"]) == ("problem", "start it: `pulse notify`")
    system.process("work").start()
    system.process("notify").start()
    events = system.config.kafka.topics.events
    with Emitter(system.bootstrap, source="web-app", topic=events) as emitter:
        for number in range(20):
            emitter.event(f"account-{number}", "report.run")
    run("source", "stopped", "web-app", *config_of(system))
    run("tokens", "make", "kim", "--role", "member", *config_of(system))

    # A group settles, and state is written, in a few seconds.
    deadline = time.monotonic() + 90
    while "web-app has stopped" not in (said := Said(system, "--json")).out or said.code:
        assert time.monotonic() < deadline, said.out
    assert {about: said.verdicts[about] for about in ("notifier", "redis", "sources")} == {
        "notifier": "ok",
        "redis": "ok",
        "sources": "warning",
    }
    assert said.findings["notifier"][0]["says"].startswith("1 member in the group")
    assert said.findings["tokens"][0]["says"] == "1 token: member (1)"


def test_without_kafka_and_redis(system: System, kafka: KafkaServer) -> None:
    port = free_port()
    system.settings["kafka"]["brokers"] = [f"127.0.0.1:{port}"]
    system.settings["redis"] = {"url": f"redis://127.0.0.1:{port}/0"}
    system._write("pulse.yaml", {})
    said = Said(system, "--timeout", "1")

    assert said.code == 1
    kafka_line, _, redis_line, _ = said.out.splitlines()
    assert kafka_line.startswith("problem  kafka         no Kafka answers at 127.0.0.1:")
    assert redis_line.startswith("problem  redis         no Redis answers at redis://127.0.0.1:")
