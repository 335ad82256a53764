"""The Kafka of one run of the bench, and the job in its topics, once for each message form."""

from __future__ import annotations

import itertools
import logging
import sys
from typing import TYPE_CHECKING, Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from pulse.playback.emit import PlayProgress, PlaySettings, play
from pulse.playback.lines import Lines
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.job import JobFiles

PARTITIONS = 4
COMPACTED = {"cleanup.policy": "compact"}


class Loaded:
    """A topic that holds a job, with the ticks that `pulse emit --history` makes."""

    def __init__(self, system: System, files: JobFiles, ticks: int) -> None:
        self.topic = system.config.kafka.topics.events
        self.files = files
        self.records = system.written()
        """Ticks included."""
        self.lines_a_record = files.totals.lines / (self.records - ticks)


class Place:
    """Topics and configurations on one Kafka. Every name is used once."""

    def __init__(self, bootstrap: str, folder: Path) -> None:
        self.bootstrap = bootstrap
        self.folder = folder
        self._numbers = itertools.count(1)

    def name(self, word: str) -> str:
        """A name that nobody has yet."""
        return f"{word}-{next(self._numbers)}"

    def load(self, files: JobFiles, batch: int) -> Loaded:
        """The job in a topic of its own, with up to `batch` lines in a record.

        A tick ends the records at hand, so a history of few events an hour has short ones.
        """
        system = System(
            self.bootstrap,
            self.new_folder("load"),
            prefix=self.name("job"),
            partitions=PARTITIONS,
            forks=False,
        )
        system.create_topics()
        total = files.totals.lines

        def tell(progress: PlayProgress) -> None:
            say_over(f"  into Kafka, {batch} a record: {100 * progress.events // total} %")

        played = play(
            system.config,
            Lines([files.lines]),
            PlaySettings(history=True, batch=batch),
            on_progress=tell,
        )
        say_over("")
        return Loaded(system, files, PARTITIONS * played.ticks)

    def system(self, loaded: Loaded, settings: Mapping[str, Any] | None = None) -> System:
        """A pulse that knows nothing yet and reads that topic."""
        prefix = self.name("pulse")
        topics = {
            name: f"{prefix}.{name}" for name in ("alerts", "deadletter", "deliveries", "changelog")
        }
        system = System(
            self.bootstrap,
            self.new_folder(prefix),
            prefix=prefix,
            partitions=PARTITIONS,
            settings={**(settings or {}), "kafka": {"topics": {"events": loaded.topic, **topics}}},
            forks=False,
        )
        for name, topic in topics.items():
            self.make_topic(topic, COMPACTED if name in ("deliveries", "changelog") else {})
        return system

    def make_topic(self, name: str, settings: Mapping[str, str]) -> str:
        """A topic with as many partitions as the events have; its name."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap)
        try:
            admin.create_topics([NewTopic(name, PARTITIONS, 1, topic_configs=dict(settings))])
        finally:
            admin.close()
        return name

    def new_folder(self, word: str) -> Path:
        """An empty folder."""
        folder = self.folder / self.name(word)
        folder.mkdir(parents=True)
        return folder

    def committed(self, group: str, topic: str) -> int:
        """How many records of a topic a group has committed, over all partitions."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False
        )
        try:
            return sum(
                consumer.committed(TopicPartition(topic, number)) or 0
                for number in range(PARTITIONS)
            )
        finally:
            consumer.close()


def quieten() -> None:
    """Leave the terminal to progress and to what goes wrong."""
    logging.getLogger("kafka").setLevel(logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))


def say(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def say_over(line: str) -> None:
    """Progress in place, where somebody looks."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
