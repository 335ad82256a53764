"""A real Apache Kafka in a process of its own, without Docker: Java and jars from Maven.

    with KafkaServer(folder) as kafka:
        producer = KafkaProducer(bootstrap_servers=kafka.bootstrap)
        kafka.kill()      # as a power cut
        kafka.restart()   # same disk, same port

One node is broker and controller at once (KRaft, no ZooKeeper). What such a node needs, as
tried with Kafka 4.4 on Java 17:

1. Its data folder is formatted once with a cluster id and `--standalone`, which makes the
   node the only voter. A second `format` of a folder fails, so a restart leaves it out.
   Any 16 random bytes in URL-safe base64 are a cluster id; no JVM is needed to make one.
2. `controller.quorum.bootstrap.servers` goes with `--standalone`; the older
   `controller.quorum.voters` excludes it.
3. Every internal topic's replication is set to 1, else the first consumer group waits for
   three brokers.
4. The jars leave out a binding for slf4j: without one Kafka is mute. `kafka-pom.xml` adds
   `slf4j-simple`, whose major must be that of the resolved slf4j-api.
5. `segment.bytes` of a topic is at least 1 MB, and the segment written to is never compacted:
   a compaction test sets `segment.ms=200` and `max.compaction.lag.ms=500`, goes on producing,
   and finds the older records compacted after 3 to 5 s.
6. A killed node's restart waits until the controller gives up the node's old registration:
   12 s as Kafka comes, 6 s with the shorter session chosen here.

`python -m pulse.testing.kafka` fetches the jars and shows how far it is.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from pulse.processes import MissingProgramError, Server, ServerError, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CACHE_VARIABLE = "PULSE_KAFKA_LIBS"
"""Names the folder that keeps the jars, instead of `.cache/kafka-libs` in the checkout."""

_POM = Path(__file__).with_name("kafka-pom.xml")

# For tests: quick to begin, nothing made by accident, cleaning that can be waited for.
_PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    # One broker holds everything once.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    # A misspelt topic is an error, not a new topic.
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    # A killed node is registered until this runs out (9 s), and its restart waits for that.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # A test may wait for a dead consumer's session to run out.
    "group.min.session.timeout.ms": "1000",
    # Compaction and retention look every half second, in a buffer that fits the small heap.
    "log.cleaner.backoff.ms": "500",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "500",
}


class KafkaServer(Server):
    """One Apache Kafka node.

    `properties` are lines of `server.properties` that come after, and win over, the ones
    chosen here. `message_max_bytes` bounds a record batch after compression. `is_measured`: it
    is to be as fast as it can, at the cost of a slower start.
    """

    name: ClassVar[str] = "kafka"

    def __init__(
        self,
        folder: Path,
        *,
        message_max_bytes: int = 1_048_588,
        properties: Mapping[str, str] | None = None,
        heap_mb: int = 512,
        is_measured: bool = False,
    ) -> None:
        super().__init__(folder)
        self._controller_port = free_port()
        self._heap_mb = heap_mb
        # To compile well pays after minutes; until then it is half of what a broker costs.
        self._compiler = () if is_measured else ("-XX:TieredStopAtLevel=1",)
        self._data = folder / "data"
        self._properties = {
            **_PROPERTIES,
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{self._controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.bootstrap.servers": self._controller,
            "log.dirs": str(self._data),
            "message.max.bytes": str(message_max_bytes),
            **(properties or {}),
        }

    @property
    def bootstrap(self) -> str:
        """Where clients connect: `127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    @property
    def _controller(self) -> str:
        return f"127.0.0.1:{self._controller_port}"

    def _command(self) -> Sequence[str | Path]:
        java = java_program()
        libs = fetch_libs()
        settings = self.folder / "server.properties"
        settings.write_text("".join(f"{k}={v}\n" for k, v in self._properties.items()))
        if not (self._data / "meta.properties").exists():
            self._format(java, libs, settings)
        return [
            java,
            f"-Xmx{self._heap_mb}m",
            "-XX:+UseSerialGC",
            *self._compiler,
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
            *("-cp", f"{libs}/*"),
            "kafka.Kafka",
            settings,
        ]

    def _format(self, java: Path, libs: Path, settings: Path) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ("-cp", f"{libs}/*", "kafka.tools.StorageTool", "format", "--standalone")
        done = subprocess.run(
            [java, *self._compiler, *tool, f"--cluster-id={cluster_id}", f"--config={settings}"],
            capture_output=True,
            text=True,
            timeout=self.ready_within_s,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"Kafka could not format {self._data}:\n{done.stderr}{done.stdout}")

    def _answers(self) -> bool:
        """Whether a Metadata request names a broker."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
        except OSError:
            return False
        client_log = logging.getLogger("kafka")
        level = client_log.level
        client_log.setLevel(logging.CRITICAL)  # it reports each attempt that comes too early
        try:
            admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5_000)
            try:
                return bool(admin.describe_cluster()["brokers"])
            finally:
                admin.close()
        except KafkaError:
            return False
        finally:
            client_log.setLevel(level)


def java_program() -> Path:
    """The Java that runs Kafka: that of JAVA_HOME, else the one on PATH."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    if found is None:
        raise MissingProgramError("no `java`: Kafka needs Java 17 or newer (make doctor)")
    return Path(found)


def fetch_libs(say: Callable[[str], None] | None = None) -> Path:
    """The folder with Kafka's jars, fetched by Maven (about 45 MB) if they are not there yet.

    Kept per content of `kafka-pom.xml`, so another version is fetched by itself. Several
    processes may call this at once. `say` gets a line now and then while Maven works.
    """
    cache = _cache()
    libs = cache / hashlib.sha256(_POM.read_bytes()).hexdigest()[:12]
    if libs.is_dir():
        return libs
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingProgramError(
            "no `mvn`: Maven fetches Kafka, once (make doctor); "
            f"or copy {libs.name}/ from another machine's cache into the folder of {CACHE_VARIABLE}"
        )
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not libs.is_dir():
            unfinished = cache / f"{libs.name}.partial"
            shutil.rmtree(unfinished, ignore_errors=True)
            _run_maven(maven, unfinished, say or (lambda line: None))
            unfinished.rename(libs)
    return libs


def _cache() -> Path:
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    checkout = Path(__file__).parents[3]
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".cache" / "kafka-libs"
    return Path.home() / ".cache" / "pulse" / "kafka-libs"


def _run_maven(maven: str, target: Path, say: Callable[[str], None]) -> None:
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={target}"]
    say("fetching Apache Kafka with Maven, once (about 45 MB)")
    jars, last_said_s, errors = 0, time.monotonic(), list[str]()
    with subprocess.Popen(
        [maven, "--batch-mode", "--file", _POM, *goal],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("[ERROR]"):
                errors.append(line.rstrip())
            if jar := re.search(r"(?:Downloaded from .*/|Copying )([^/ ]+\.jar)\b", line):
                jars += 1
                if time.monotonic() - last_said_s > 1.0:
                    last_said_s = time.monotonic()
                    say(f"  {jars} jars so far, now {jar[1]}")
    if process.returncode != 0:
        raise ServerError("Maven could not fetch Kafka:\n" + "\n".join(errors[:8]))


def main() -> None:
    """Fetch the jars, for who would rather wait now than in the first test."""
    try:
        java_program()
        fetch_libs(say=partial(print, flush=True))
    except ServerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
