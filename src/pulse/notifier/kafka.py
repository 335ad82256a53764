"""How the notifier reaches Kafka: client settings, what topics there are, one line an outage."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import InconsistentGroupProtocolError

from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka

log = structlog.get_logger("pulse.notifier")


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSettings:
    """Where and how. `client` goes to every aiokafka client; it may hold a password."""

    client: Mapping[str, Any] = field(repr=False)
    group: str
    alerts_topic: str
    deliveries_topic: str
    silences_topic: str = "pulse.silences"
    idempotence: bool = True
    session_timeout_ms: int = 6_000

    @property
    def topics(self) -> tuple[str, str, str]:
        """What a notifier needs."""
        return self.alerts_topic, self.deliveries_topic, self.silences_topic

    @property
    def heartbeat_ms(self) -> int:
        """How often the group is told that this process lives."""
        return self.session_timeout_ms // 5

    @property
    def lease_s(self) -> float:
        """The gap after which the group may have given the partitions to others."""
        return (self.session_timeout_ms - 2 * self.heartbeat_ms) / 1000

    @property
    def session_s(self) -> float:
        """How long the group waits for a sign of life."""
        return self.session_timeout_ms / 1000

    @classmethod
    def of(cls, config: Config) -> "KafkaSettings":
        """The settings of a configuration. Raises `PulseError` where a secret is missing."""
        kafka = config.kafka
        return cls(
            client=for_aiokafka(kafka) | {"client_id": f"{kafka.client_id}-notifier"},
            group=f"{kafka.group}-notifier",
            alerts_topic=kafka.topics.alerts,
            deliveries_topic=kafka.topics.deliveries,
            silences_topic=kafka.topics.silences,
            idempotence=kafka.idempotence,
        )


async def partition_counts(kafka: KafkaSettings) -> dict[str, int]:
    """How many partitions the topics of a notifier have; a missing one is not in it.

    Asks in a way that creates nothing. Raises `KafkaError` where no broker answers.
    """
    admin = AIOKafkaAdminClient(**kafka.client)
    try:
        await admin.start()
        present = set(await admin.list_topics())
        wanted = [name for name in kafka.topics if name in present]
        if not wanted:
            return {}
        described = await admin.describe_topics(wanted)
        return {topic["topic"]: len(topic["partitions"]) for topic in described}
    finally:
        await admin.close()


class Outage:
    """Says once that Kafka is away, and once that it is back, however many notice it."""

    def __init__(self) -> None:
        self._away = False

    def away(self, error: BaseException) -> None:
        """Somebody could not reach Kafka."""
        if not self._away:
            self._away = True
            what = str(error) or type(error).__name__
            if isinstance(error, InconsistentGroupProtocolError):
                log.warning("waiting: notifiers of an older version are in the group; end them")
                return
            log.warning("Kafka is away; waiting, nothing is lost", error=what)

    def back(self) -> None:
        """Somebody could."""
        if self._away:
            self._away = False
            log.info("Kafka is back")


def quiet_client_logs() -> None:
    """Keep aiokafka from logging every failed connection: `Outage` says it in one line."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
