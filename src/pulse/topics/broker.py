"""Looking at the brokers' topics, and making and changing them."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self, TypeVar

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import (
    AuthorizationError,
    InvalidReplicationFactorError,
    KafkaError,
    TopicAlreadyExistsError,
)

from pulse.config.kafka_clients import for_kafka_python
from pulse.errors import PulseError
from pulse.topics.plan import FoundTopic

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from pulse.config import Kafka
    from pulse.topics.plan import Change
    from pulse.topics.wanted import WantedTopic

_QUIET_S: Final = 2.0
"""After so long a person hears that we wait."""

_PAUSE_S: Final = 0.5
_LEAST_S: Final = 3.0
"""What a broker that is there gets to answer; the next time twice as much."""


class KafkaAwayError(PulseError):
    """No broker answers, or none that we may speak to."""


class KafkaRefusesError(KafkaAwayError):
    """The login is refused or TLS fails: waiting does not mend it."""


class Brokers:
    """The brokers of a configuration, for administration. A context manager.

    Waits up to `timeout_s` until one answers; `say` gets one line if that takes a while. Raises
    `KafkaAwayError` after that, and soon where the login is refused or TLS fails.
    """

    def __init__(
        self, kafka: Kafka, *, timeout_s: float = 30.0, say: Callable[[str], None] | None = None
    ) -> None:
        self._kafka = kafka
        self._admin = connected(
            lambda within_ms: KafkaAdminClient(
                bootstrap_timeout_ms=within_ms, **for_kafka_python(kafka)
            ),
            kafka,
            timeout_s=timeout_s,
            say=say,
        )

    def find(self, names: Sequence[str]) -> dict[str, FoundTopic]:
        """Those of the topics that are there, with their settings. Creates nothing."""
        with _told("look at the topics"):
            present = set(self._admin.list_topics()).intersection(names)
            if not present:
                return {}
            described = self._admin.describe_topics(sorted(present))
            settings = self._settings(sorted(present))
        return {
            topic["name"]: FoundTopic(
                topic["name"],
                len(topic["partitions"]),
                min((len(each["replica_nodes"]) for each in topic["partitions"]), default=0),
                settings.get(topic["name"], {}),
            )
            for topic in described
        }

    def need(self, *names: str) -> dict[str, FoundTopic]:
        """These topics, with their settings. Raises `PulseError` where one is not there."""
        found = self.find(names)
        if missing := [name for name in names if name not in found]:
            it, them = ("is no topic", "it") if len(missing) == 1 else ("are no topics", "them")
            raise PulseError(
                f"there {it} {', '.join(missing)}", hint=f"`pulse topics` makes {them}"
            )
        return found

    def create(self, topics: Iterable[WantedTopic]) -> None:
        """Make topics and wait until they can be used. One that somebody else made is fine."""
        specs = {
            topic.name: {
                "num_partitions": topic.partitions,
                "replication_factor": topic.replication,
                "configs": dict(topic.settings),
            }
            for topic in topics
        }
        for name, spec in specs.items():  # one by one: which one fails is then known
            try:
                with _told(f"create {name}"):
                    self._admin.create_topics({name: spec})
            except TopicAlreadyExistsError:
                continue
            except InvalidReplicationFactorError:
                raise PulseError(
                    f"cannot create {name}: there are fewer than {spec['replication_factor']} "
                    "brokers for its copies",
                    hint="set kafka.replication to the number of brokers, or start more",
                ) from None
        if specs:
            with _told("wait for the new topics"):
                self._admin.wait_for_topics(list(specs))

    def change(self, changes: Iterable[Change]) -> None:
        """Set settings. Those not named stay as they are."""
        by_topic: dict[str, dict[str, str]] = {}
        for change in changes:
            by_topic.setdefault(change.topic, {})[change.setting] = change.should_be
        for name, settings in by_topic.items():
            with _told(f"change {name}"):
                answer = self._admin.alter_configs(
                    [ConfigResource(ConfigResourceType.TOPIC, name, settings)],
                    raise_on_unknown=False,
                )
            for result in answer.get("topic", {}).values():
                if result != "OK":
                    raise PulseError(f"the brokers refuse to change {name}: {result}")

    def widen(self, names: Iterable[str], partitions: int) -> None:
        """Give topics so many partitions, those that have fewer: they keep what they have."""
        more = {
            name: partitions
            for name, topic in self.find([*names]).items()
            if topic.partitions < partitions
        }
        if more:
            with _told(f"add partitions to {', '.join(more)}"):
                self._admin.create_partitions(more)

    def members(self, group: str) -> int:
        """How many clients a consumer group has."""
        with _told(f"look at the group {group}"):
            return len(self._admin.describe_groups([group])[group]["members"])

    def close(self) -> None:
        """End the connections."""
        self._admin.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _settings(self, names: Sequence[str]) -> Mapping[str, Mapping[str, str | None]]:
        answer = self._admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names],
            config_filter="all",
        )
        return {
            name: {setting: told["value"] for setting, told in settings.items()}
            for name, settings in answer.get("topic", {}).items()
        }


C = TypeVar("C")


def connected(
    connect: Callable[[float], C],
    kafka: Kafka,
    *,
    timeout_s: float,
    say: Callable[[str], None] | None = None,
) -> C:
    """What `connect(milliseconds)` makes once a broker answers: a client of kafka-python.

    Waits, speaks and raises as `Brokers` does.
    """
    where = ", ".join(kafka.brokers)
    started_s = time.monotonic()
    patience_s = _LEAST_S
    with _Reasons(logs_in=kafka.security.protocol.startswith("SASL")) as reasons:
        while True:
            # kafka-python's own attempts leave a socket open each, so it is not called in vain.
            if _somebody_listens(kafka.brokers):
                try:
                    return connect(1000 * patience_s)
                except (KafkaError, OSError):
                    patience_s *= 2
            if refusal := reasons.refusal():
                raise KafkaRefusesError(
                    f"Kafka at {where} cannot be spoken to with kafka.security as it is: {refusal}",
                    hint="check protocol, mechanism, username, password and ca_file",
                )
            left_s = started_s + timeout_s - time.monotonic()
            if left_s <= 0:
                raise KafkaAwayError(
                    f"no Kafka answers at {where} (tried for {timeout_s:g} s)",
                    hint="start it, or set kafka.brokers (and kafka.security for TLS or a login)",
                )
            if say is not None and time.monotonic() >= started_s + _QUIET_S:
                say(f"no Kafka answers at {where} yet; trying for {left_s:.0f} s more")
                say = None
            time.sleep(min(_PAUSE_S, left_s))


async def reached(
    reach: Callable[[], Awaitable[C]], say: Callable[[str], None], *, pause_s: float = _PAUSE_S
) -> C:
    """What `reach` gives once it raises `KafkaAwayError` no more: it is tried again and again.

    `say` gets one line if that takes a while, and one when it is over. Raises what else `reach`
    does, `KafkaRefusesError` too.
    """
    is_waiting = False
    while True:
        try:
            found = await reach()
        except KafkaRefusesError:
            raise
        except KafkaAwayError as error:
            if not is_waiting:
                say(f"{error}; waiting")
            is_waiting = True
            await asyncio.sleep(pause_s)
        else:
            if is_waiting:
                say("Kafka is back")
            return found


class _Reasons(logging.Handler):
    """Why connections failed. kafka-python says that in its log, and raises a time-out."""

    _FINAL = ("SaslAuthenticationFailedError", "UnsupportedSaslMechanismError", "SSL: ")
    _ENDED = "Connection lost"
    _ENOUGH = 3
    """So many connections that the broker ended at the login are no accident."""

    def __init__(self, *, logs_in: bool) -> None:
        super().__init__(logging.WARNING)
        self._logs_in = logs_in
        self._said: list[str] = []
        self._ended = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Take down what waiting does not mend; called by kafka-python's threads."""
        said = record.getMessage()
        if any(each in said for each in self._FINAL):
            self._said.append(said)
        # It had told its version. Kafka often ends the connection before it has said why.
        elif self._logs_in and self._ENDED in said and "broker_version=(" in said:
            self._ended += 1

    def refusal(self) -> str | None:
        """What the first broker that did not want us said, without what surrounds it."""
        if not self._said:
            if self._ended < self._ENOUGH:
                return None
            return "it ends the connection at the login, as for a wrong username or password"
        return re.sub(
            r"\(_ssl\.c.*|\(backoff.*", "", self._said[0].rpartition("Error: ")[2]
        ).strip()

    def __enter__(self) -> Self:
        self._log = logging.getLogger("kafka.net")
        self._log.addHandler(self)
        return self

    def __exit__(self, *raised: object) -> None:
        self._log.removeHandler(self)


def _somebody_listens(brokers: Iterable[str]) -> bool:
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_LEAST_S).close()
        except OSError:
            continue
        return True
    return False


@contextmanager
def _told(doing: str) -> Iterator[None]:
    """Turn what goes wrong on the way into a line for a person."""
    try:
        yield
    except (TopicAlreadyExistsError, InvalidReplicationFactorError):
        raise
    except AuthorizationError as error:
        raise PulseError(
            f"Kafka does not permit us to {doing}: {type(error).__name__}",
            hint="the user of kafka.security needs the right to create, describe and alter topics",
        ) from None
    except (KafkaError, OSError) as error:
        raise KafkaAwayError(f"Kafka did not let us {doing}: {error}") from None


def quiet_client_logs() -> None:
    """Keep the clients of Kafka from logging every failed connection: the errors here say it in a
    line.
    """
    for name in ("kafka", "aiokafka"):
        log = logging.getLogger(name)
        log.addHandler(logging.NullHandler())
        log.propagate = False
