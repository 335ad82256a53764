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
import time
from typing import TYPE_CHECKING, Any

import msgspec
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from ruamel.yaml import YAML

from pulse.config import Config
from pulse.processes import ServerError, free_port
from pulse.testing import forked
from pulse.testing.deliveries import outcomes, read_deliveries
from pulse.testing.process import PulseProcess

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pulse.alerting.records.reader import Deliveries

_POLL_S = 0.2
_COMPACTED = ("deliveries", "keys", "links", "changelog", "silences", "notes", "tokens", "users")

ONE_PARTITION = ("silences", "notes", "outcomes", "audit")
"""The topics that have one, whatever the others have."""

COMMITS_TOPIC = "__consumer_offsets"
COMMITS_PARTITIONS = 1
"""As `pulse.testing.kafka` sets it."""


class System:
    """One configuration, its topics and its processes. Every name begins with `prefix`.

    `forks`: its processes have all imports as they begin, see `pulse.testing.forked`.
    """

    def __init__(
        self,
        bootstrap: str,
        folder: Path,
        *,
        prefix: str,
        partitions: int = 4,
        settings: Mapping[str, Any] | None = None,
        forks: bool = True,
    ) -> None:
        self.bootstrap = bootstrap
        self._forks = forks
        self.folder = folder
        self.partitions = partitions
        self.settings: dict[str, Any] = {
            "clock": "events",
            "redis": {"enabled": False},
            "history": {"file": str(folder / "history.sqlite3")},
            **(settings or {}),
        }
        self.settings["kafka"] = {
            "brokers": [bootstrap],
            "group": prefix,
            "partitions": partitions,
            "topics": {
                name: f"{prefix}.{name}"
                for name in (
                    "events",
                    "alerts",
                    "deadletter",
                    "deliveries",
                    "keys",
                    "links",
                    "changelog",
                    "silences",
                    "outcomes",
                    "notes",
                    "tokens",
                    "users",
                    "audit",
                    "history",
                )
            },
            **self.settings.get("kafka", {}),
        }
        self._processes: list[PulseProcess] = []
        self.config = self._write("pulse.yaml", {})

    def create_topics(self) -> None:
        """Create the topics as `pulse topics` does, on one broker."""
        for name in ("events", "alerts", "deadletter", "outcomes", "history", "audit", *_COMPACTED):
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
        elif name in _COMPACTED:
            configs = {"cleanup.policy": "compact", **configs}
        topic = getattr(self.config.kafka.topics, name)
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            partitions = 1 if name in ONE_PARTITION else self.partitions
            admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=configs)])
        finally:
            admin.close()

    def process(
        self, command: str, *, kafka: Mapping[str, Any] | None = None, **worker: Any
    ) -> PulseProcess:
        """A `pulse work`, `notify`, `collect` or `web` with metrics on its own port; not started.

        `worker` overrides settings of the section that the process reads, `kafka` of that section.
        """
        number = len(self._processes) + 1
        name = f"{command}-{number}"
        port = free_port()
        section = {"work": "worker", "notify": "notifier", "collect": "collector"}.get(
            command, command
        )
        path = f"{name}.yaml"
        self._write(path, {section: {"metrics_port": port, **worker}, "kafka": kafka or {}})
        arguments = [command, "--config", str(self.folder / path)]
        process = PulseProcess(self.folder, name, arguments, port, forks=self._forks)
        self._processes.append(process)
        return process

    def command(self, *words: str, said: str = "", fails: bool = False) -> str:
        """What `pulse WORDS` prints with this configuration, given `said` on stdin.

        Where it is to fail: on stderr. Raises `AssertionError` where it does not end as it is to.
        """
        done = forked.run([*words, "--config", self.folder / "pulse.yaml"], said=said)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    def stop(self) -> None:
        """Stop every process."""
        for process in self._processes:
            process.stop()

    def wait_until_applied(self, within_s: float = 150.0) -> None:
        """Wait until all that is in the events topic is applied, written and committed.

        As in `wait_until_delivered`, it may be after 40 seconds that a group goes on.
        """
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
        """What has become of each notification to the first receiver, by its id."""
        return outcomes(self.known_deliveries(), self.config.receivers[0].name)

    def known_deliveries(self) -> Deliveries:
        """What the deliveries topic says."""
        records = self._read_topic(self.config.kafka.topics.deliveries, [0])
        return read_deliveries((record.key.decode(), record.value) for record in records)

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
        numbers = range(1 if topic in ONE_PARTITION else self.partitions)
        return self._read_topic(getattr(self.config.kafka.topics, topic), numbers)

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
