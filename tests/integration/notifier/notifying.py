"""A notifier on topics of its own, in this process or as `pulse notify`."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from prometheus_client import CollectorRegistry

from pulse.alerting.everybody.fleet import ACCOUNTS_HEADER
from pulse.config import Config
from pulse.model import Alert, notification_id
from pulse.notifier import app
from pulse.notifier.kafka import KafkaSettings, Outage
from pulse.notifier.reading.lease import Lease
from pulse.notifier.state.log import KafkaDeliveryLog
from pulse.processes import free_port
from pulse.testing.alerts import sample_alert
from pulse.testing.deliveries import outcomes, read_deliveries
from pulse.testing.forked import ForkedProcess
from pulse.testing.webhooks import EXAMPLE_SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable
    from pathlib import Path

    from pulse.alerting.records.reader import Deliveries

QUICK_S = [0, 0.05, 0.1, *[0.2] * 40]
"""A schedule that ends: half of the requests fail, 43 in a row never."""


@dataclass
class Place:
    """Topics of its own on a Kafka, and what a test does with them."""

    bootstrap: str
    name: str
    partitions: int = 4
    notifier: dict[str, Any] = field(default_factory=dict)
    """Settings of that section."""
    extra: dict[str, Any] = field(default_factory=dict)
    """Other sections."""

    def make_topics(self, *, deliveries: int | None = None) -> None:
        compacted = {"cleanup.policy": "compact"}
        with closing(KafkaAdminClient(bootstrap_servers=self.bootstrap)) as admin:
            admin.create_topics(
                [
                    NewTopic(f"{self.name}.alerts", self.partitions, 1),
                    NewTopic(
                        f"{self.name}.deliveries",
                        deliveries or self.partitions,
                        1,
                        topic_configs=compacted,
                    ),
                    NewTopic(f"{self.name}.silences", 1, 1, topic_configs=compacted),
                    NewTopic(f"{self.name}.audit", 1, 1),
                ]
            )

    def settings(self, url: str, **changes: Any) -> dict[str, Any]:
        """What `pulse.yaml` says."""
        receiver = {
            "name": "cs",
            "kind": "webhook",
            "url": url,
            "secret_env": "PULSE_TEST_SECRET",
            "allow_private": True,
            "timeout_s": 30.0,  # a receiver that is only slow would get it again
            "retry": {"schedule_s": QUICK_S},
        }
        return {
            "kafka": {
                "brokers": [self.bootstrap],
                "group": self.name,
                "topics": {
                    "alerts": f"{self.name}.alerts",
                    "deliveries": f"{self.name}.deliveries",
                    "silences": f"{self.name}.silences",
                    "audit": f"{self.name}.audit",
                },
            },
            "receivers": [receiver | changes],
            "notifier": {"metrics_port": free_port(), **self.notifier},
            **self.extra,
        }

    def config(self, url: str, **changes: Any) -> Config:
        return Config.model_validate(self.settings(url, **changes))

    async def produce(self, alerts: Iterable[Alert | bytes], accounts: int | None = None) -> None:
        """Write alerts; `accounts` is how many the whole fleet has, where the records say."""
        said = None if accounts is None else str(accounts // self.partitions).encode()
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await producer.start()
        for alert in alerts:
            raw = isinstance(alert, bytes)
            await producer.send(
                f"{self.name}.alerts",
                alert if raw else alert.model_dump_json().encode(),
                key=b"raw" if raw else alert.account_id.encode(),
                headers=[] if said is None else [(ACCOUNTS_HEADER, said)],
            )
        await producer.stop()

    async def known(self) -> Deliveries:
        """What the deliveries topic says."""
        kafka = KafkaSettings.of(self.config("http://x"))
        topic = KafkaDeliveryLog(kafka, self.partitions, Outage(), Lease(60.0))
        return read_deliveries([each async for batch in topic.read(0) for each in batch])

    async def wait_until_recorded(self, state: str, ids: set[str]) -> dict[str, str]:
        """Return what became of all notifications, once it is this for some of them."""
        async with asyncio.timeout(150):
            while True:
                found = outcomes(await self.known(), "cs")
                if all(found.get(key) == state for key in ids):
                    return found
                await asyncio.sleep(0.2)


@asynccontextmanager
async def notifying(config: Config) -> AsyncIterator[asyncio.Event]:
    """The notifier in this process."""
    stop = asyncio.Event()
    task = asyncio.create_task(app.run(config, stop, registry=CollectorRegistry()))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(90):
            await task


async def until(condition: Callable[[], bool], within_s: float = 150.0) -> None:
    """Return when the condition holds. Raises `TimeoutError`."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - logs and two servers have no common event
            await asyncio.sleep(0.05)


def firings(number: int, prefix: str = "a") -> list[Alert]:
    return [sample_alert(f"{prefix}{each}") for each in range(number)]


def ids(alerts: Iterable[Alert]) -> set[str]:
    return {notification_id(alert.id, "cs", alert.status) for alert in alerts}


@asynccontextmanager
async def notify_process(place: Place, folder: Path, url: str) -> AsyncIterator[ForkedProcess]:
    """The notifier as `pulse notify`; killed with SIGKILL at the end where it still runs."""
    file = folder / "pulse.yaml"
    # JSON is YAML.
    file.write_text(place.config(url).model_dump_json(exclude_none=True, exclude_unset=True))
    process = ForkedProcess(
        ["notify", "--config", file],
        log=folder / "notify.log",
        environment={**os.environ, "PULSE_TEST_SECRET": EXAMPLE_SECRET},
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
