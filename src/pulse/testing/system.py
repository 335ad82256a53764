"""A whole pulse on a real Kafka: topics, `pulse` processes, and what came out of them.

system = System(kafka.bootstrap, tmp_path, prefix="my-test", partitions=4)
system.create_topics()
worker = system.process("work").start()
...
worker.kill()                       # SIGKILL; `start` again is a restart
system.wait_until_applied()
assert system.accounts() == ...
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from ruamel.yaml import YAML

from pulse.config import Config
from pulse.processes import Server, ServerError, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_POLL_S = 0.2

COMMITS_TOPIC = "__consumer_offsets"
COMMITS_PARTITIONS = 1
"""As `pulse.testing.kafka` sets it."""


class Death(msgspec.Struct, frozen=True):
    """The step at which a process died or stopped, its partition if it has one, and when."""

    step: str
    partition: int | None
    at_ms: int


class PulseProcess(Server):
    """`pulse work` or `pulse notify` in a process of its own, ready when it serves metrics."""

    name = "pulse"

    def __init__(self, folder: Path, name: str, arguments: Sequence[str], port: int) -> None:
        super().__init__(folder)
        self.port = port
        self.log_path = folder / f"{name}.log"
        self._arguments = list(arguments)
        self.dies_at: tuple[str, int] | None = None
        """A step, and at which time it is reached the process is to die of SIGKILL; holds for the
        next start. See `pulse.testing.dying`."""
        self.stops_at: tuple[str, int] | None = None
        """The same with SIGSTOP: it goes on when it gets a SIGCONT."""

    def _command(self) -> Sequence[str | Path]:
        how, at = ("SIGKILL", self.dies_at) if self.dies_at else ("SIGSTOP", self.stops_at)
        if at is not None:
            self._note.unlink(missing_ok=True)
            step, number = at
            note = str(self._note)
            dying = ["-m", "pulse.testing.dying", how, step, str(number), note]
            return [sys.executable, *dying, *self._arguments]
        return [sys.executable, "-c", "from pulse.cli import main; main()", *self._arguments]

    def _answers(self) -> bool:
        try:
            return bool(self.metrics())
        except (OSError, urllib.error.URLError):
            return False

    def metrics(self) -> str:
        """What Prometheus would scrape now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=2) as page:
            return str(page.read().decode())

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.metrics().splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        )

    @property
    def _note(self) -> Path:
        return self.log_path.with_suffix(".died.json")

    def wait_for_death(self, within_s: float = 60.0) -> Death:
        """Where and when it died. Raises `ServerError` if it does not, or ends in another way."""
        code = self.wait(within_s)
        if code != -signal.SIGKILL or not self._note.exists():
            raise ServerError(f"it was to die at {self.dies_at}, and ended:\n{self.log_tail()}")
        return msgspec.json.decode(self._note.read_bytes(), type=Death)

    def wait_for_stop(self, within_s: float = 60.0) -> Death:
        """Where and when it stopped. Raises `ServerError` if it does not."""
        deadline = time.monotonic() + within_s
        while not self._note.exists():
            if self.ended() or time.monotonic() > deadline:
                raise ServerError(f"it was to stop at {self.stops_at}:\n{self.log_tail()}")
            time.sleep(_POLL_S)
        # Whoever writes the note stops at once, but not before.
        time.sleep(_POLL_S)
        return msgspec.json.decode(self._note.read_bytes(), type=Death)

    def ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def signal(self, number: int) -> None:
        """Send a signal, like SIGSTOP."""
        os.kill(self.pid, number)

    def stop(self, within_s: float = 30.0) -> None:
        if self.running:
            self.signal(signal.SIGCONT)  # one that stands still ends at nothing but SIGKILL
        super().stop(within_s)

    def wait(self, within_s: float) -> int:
        """The exit code of a process that ends by itself."""
        if self._process is None:
            raise ServerError(f"{self.log_path.stem} was not started")
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise ServerError(f"it still runs after {within_s:g} s:\n{self.log_tail()}") from None


class System:
    """One configuration, its topics and its processes. Every name begins with `prefix`."""

    def __init__(
        self,
        bootstrap: str,
        folder: Path,
        *,
        prefix: str,
        partitions: int = 4,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self.partitions = partitions
        self.settings: dict[str, Any] = {
            "clock": "events",
            "redis": {"enabled": False},
            **(settings or {}),
        }
        self.settings["kafka"] = {
            "brokers": [bootstrap],
            "group": prefix,
            "partitions": partitions,
            "topics": {
                name: f"{prefix}.{name}"
                for name in ("events", "alerts", "deadletter", "deliveries", "changelog")
            },
            **self.settings.get("kafka", {}),
        }
        self._processes: list[PulseProcess] = []
        self.config = self._write("pulse.yaml", {})

    def create_topics(self) -> None:
        """Create the topics as `pulse topics` does, on one broker."""
        for name in ("events", "alerts", "deadletter", "deliveries", "changelog"):
            self.create_topic(name)

    def create_topic(self, name: str, **settings: str) -> None:
        """Create one of the topics; `settings` are Kafka's, with `_` for `.`."""
        configs = {key.replace("_", "."): value for key, value in settings.items()}
        if name == "events":
            # Room for records that are mistakes.
            configs = {
                "message.timestamp.type": "LogAppendTime",
                "max.message.bytes": str(8 << 20),
                **configs,
            }
        elif name in ("deliveries", "changelog"):
            configs = {"cleanup.policy": "compact", **configs}
        topic = getattr(self.config.kafka.topics, name)
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            admin.create_topics([NewTopic(topic, self.partitions, 1, topic_configs=configs)])
        finally:
            admin.close()

    def process(
        self, command: str, *, kafka: Mapping[str, Any] | None = None, **worker: Any
    ) -> PulseProcess:
        """A `pulse work` or `pulse notify` on a port of its own; not started.

        `worker` overrides settings of the section that the process reads, `kafka` of that section.
        """
        number = len(self._processes) + 1
        name = f"{command}-{number}"
        port = free_port()
        section = "worker" if command == "work" else "notifier"
        path = f"{name}.yaml"
        self._write(path, {section: {"metrics_port": port, **worker}, "kafka": kafka or {}})
        arguments = [command, "--config", str(self.folder / path)]
        process = PulseProcess(self.folder, name, arguments, port)
        self._processes.append(process)
        return process

    def stop(self) -> None:
        """Stop every process."""
        for process in self._processes:
            process.stop()

    def wait_until_applied(self, within_s: float = 90.0) -> None:
        """Wait until all that is in the events topic is applied, written and committed."""
        deadline = time.monotonic() + within_s
        events = [
            TopicPartition(self.config.kafka.topics.events, number)
            for number in range(self.partitions)
        ]
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=self.config.kafka.group,
            enable_auto_commit=False,
        )
        try:
            ends = consumer.end_offsets(events)
            while True:
                left = {
                    tp.partition: ends[tp] - (consumer.committed(tp) or 0)
                    for tp in events
                    if (consumer.committed(tp) or 0) < ends[tp]
                }
                if not left:
                    return
                self._check_processes()
                if time.monotonic() > deadline:
                    raise ServerError(
                        f"not applied within {within_s:g} s: {left} records left:\n"
                        f"{self._log_tails()}"
                    )
                time.sleep(_POLL_S)
        finally:
            consumer.close()

    def written(self) -> int:
        """How many records the events topic holds, over all partitions."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        try:
            topic = self.config.kafka.topics.events
            tps = [TopicPartition(topic, number) for number in range(self.partitions)]
            return sum(consumer.end_offsets(tps).values())
        finally:
            consumer.close()

    def applied(self) -> int:
        """How many records of the events topic are committed, over all partitions."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            group_id=self.config.kafka.group,
            enable_auto_commit=False,
        )
        try:
            topic = self.config.kafka.topics.events
            return sum(
                consumer.committed(TopicPartition(topic, number)) or 0
                for number in range(self.partitions)
            )
        finally:
            consumer.close()

    def accounts(self) -> list[bytes]:
        """Every account's status as it stands in the changelog, as lines of `--accounts-out`."""
        from pulse.stream.export import read_statuses

        return [msgspec.json.encode(each) for each in asyncio.run(read_statuses(self.config))]

    def packed(self) -> dict[str, bytes]:
        """Every account as bytes, by its id, from the changelog; what is due is worked off."""
        from pulse.stream.export import read_packed

        return asyncio.run(read_packed(self.config))

    def uncommitted_at(self, at_ms: int) -> int:
        """How many records were in the events topic at an instant and not committed.

        As the topics say it afterwards, so that whatever happened since changes nothing: the append
        times of the records, and the history of the commits.
        """
        committed = self._committed_at(at_ms)
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        try:
            topic = self.config.kafka.topics.events
            tps = [TopicPartition(topic, number) for number in range(self.partitions)]
            ends = consumer.end_offsets(tps)
            for tp, later in consumer.offsets_for_times(dict.fromkeys(tps, at_ms + 1)).items():
                if later is not None:
                    ends[tp] = later.offset
            return sum(max(ends[tp] - committed.get(tp.partition, 0), 0) for tp in tps)
        finally:
            consumer.close()

    def _committed_at(self, at_ms: int) -> dict[int, int]:
        """The offset that was committed of each partition of the events topic."""
        kafka = self.config.kafka
        found: dict[int, int] = {}
        for record in self._read_topic(COMMITS_TOPIC, range(COMMITS_PARTITIONS)):
            commit = _commit_of(record)
            if commit is not None and record.timestamp <= at_ms:
                group, topic, partition, offset = commit
                if (group, topic) == (kafka.group, kafka.topics.events):
                    found[partition] = offset
        return found

    def deliveries(self) -> dict[str, str]:
        """What has become of each notification: the state in its newest record, by its id."""
        latest = {record.key.decode(): record.value for record in self.read("deliveries")}
        return {
            key: msgspec.json.decode(value)["state"]
            for key, value in latest.items()
            if key.startswith("al_") and value
        }

    def wait_until_delivered(self, within_s: float = 150.0) -> None:
        """Wait until nothing of what is in the alerts topic is left to be sent, to one receiver.

        A client gives up a request that is never answered after 40 seconds; it may be one that
        the group waits for.
        """
        alerts = {(a["id"], a["status"]) for a in self.alerts() if not a["historical"]}
        deadline = time.monotonic() + within_s
        while True:
            states = self.deliveries()
            left = sum(state in ("pending", "retrying") for state in states.values())
            if not left and len(states) >= len(alerts):
                return
            self._check_processes()
            if time.monotonic() > deadline:
                left += len(alerts) - len(states)
                raise ServerError(f"{left} notifications are left:\n{self._log_tails()}")
            time.sleep(2 * _POLL_S)

    def alerts(self) -> list[dict[str, Any]]:
        """Everything in the alerts topic, partition by partition."""
        return [msgspec.json.decode(record.value) for record in self.read("alerts")]

    def read(self, topic: str) -> list[Any]:
        """All records of one of the topics (`alerts`, `deadletter`, …), in order."""
        return self._read_topic(getattr(self.config.kafka.topics, topic), range(self.partitions))

    def _read_topic(self, name: str, partitions: Iterable[int]) -> list[Any]:
        tps = [TopicPartition(name, number) for number in partitions]
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        try:
            consumer.assign(tps)
            consumer.seek_to_beginning(*tps)
            ends = consumer.end_offsets(tps)
            records: list[Any] = []
            while any(consumer.position(tp) < ends[tp] for tp in tps):
                for batch in consumer.poll(timeout_ms=500).values():
                    records.extend(batch)
            return sorted(records, key=lambda record: (record.partition, record.offset))
        finally:
            consumer.close()

    def _check_processes(self) -> None:
        for process in self._processes:
            if process.ended():
                raise ServerError(f"{process.log_path.stem} has ended:\n{process.log_tail()}")

    def _log_tails(self) -> str:
        return "\n".join(f"{each.log_path.stem}:\n{each.log_tail()}" for each in self._processes)

    def _write(self, name: str, changes: Mapping[str, Mapping[str, Any]]) -> Config:
        settings = dict(self.settings)
        for section, change in changes.items():
            settings[section] = {**settings.get(section, {}), **change}
        path = self.folder / name
        with path.open("w") as file:
            YAML(typ="safe").dump(settings, file)
        return Config.load(path)


def _commit_of(record: Any) -> tuple[str, str, int, int] | None:
    """Group, topic, partition and offset of a commit; None for the topic's other records.

    Key: version (2 bytes), group, topic (each with its length in 2 bytes), partition (4). Value:
    version (2), offset (8), and what else was said. The key of other records has a version from 2.
    """
    key, value = record.key, record.value
    if not value or int.from_bytes(key[:2]) > 1:
        return None
    group, rest = _text_of(key[2:])
    topic, rest = _text_of(rest)
    return group, topic, int.from_bytes(rest[:4]), int.from_bytes(value[2:10])


def _text_of(data: bytes) -> tuple[str, bytes]:
    end = 2 + int.from_bytes(data[:2])
    return data[2:end].decode(), data[end:]
