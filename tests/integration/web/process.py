"""`pulse web` on a real Kafka and a real Redis, and the commands beside it."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
from kafka import KafkaProducer

from pulse.alerting.people.links import Links
from pulse.placement import partition_of
from pulse.processes import free_port
from pulse.testing.alerts import sample_alert
from pulse.testing.system import System
from tests.integration.collecting import bearer, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.model import Alert
    from pulse.testing.valkey import ValkeyServer

KEY = "the key of the links of a test, which is long"
DAY_MS = 86_400_000


class Webbing:
    """A running `pulse web`, and the system behind it."""

    def __init__(
        self,
        bootstrap: str,
        valkey: ValkeyServer,
        folder: Path,
        prefix: str,
        proxy_auth: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        (folder / "key").write_text(KEY)
        self.redis = {"enabled": True, "url": valkey.url, "prefix": f"{prefix}:"}
        web = {
            "port": port,
            "public_url": self.url,
            "link_secret_file": str(folder / "key"),
            "ack_timeout_s": 20.0,  # a Kafka that is only slow is not away
            **({} if proxy_auth is None else {"proxy_auth": proxy_auth}),
        }
        self.system = System(
            bootstrap,
            folder,
            prefix=prefix,
            partitions=2,
            settings={"redis": self.redis, "web": web, **settings},
        )
        self.system.create_topics()
        self.links = Links(self.url, KEY.encode(), DAY_MS)
        self.token = self.pulse("tokens", "make", "kim", "--role", "member").strip()
        self.process = self.system.process("web").start()
        self.http = httpx.Client(base_url=self.url, headers=bearer(self.token), timeout=60)
        wait_for(lambda: self.http.get("/api/v1/alerts").status_code == 200)

    def pulse(self, *words: str, fails: bool = False, said: str = "") -> str:
        """What a command says that was told something; on stderr where it fails."""
        return self.system.command(*words, said=said, fails=fails)

    def raises(self, account_id: str = "acme", at_ms: int | None = None, **changes: Any) -> Alert:
        """An alert as a worker writes it, and wait until it is known."""
        now_ms = time.time_ns() // 1_000_000
        started_ms = now_ms - DAY_MS
        alert = sample_alert(account_id, at_ms=started_ms, started_at_ms=started_ms, **changes)
        with closing(KafkaProducer(bootstrap_servers=self.system.bootstrap)) as producer:
            producer.send(
                self.system.config.kafka.topics.alerts,
                alert.to_json(),
                key=account_id.encode(),
                partition=partition_of(account_id, 2),
                timestamp_ms=at_ms or now_ms,
            ).get(30)
        if at_ms is None:
            wait_for(lambda: self.http.get(f"/api/v1/alerts/{alert.id}").status_code == 200)
        return alert

    def link(self, alert: Alert, name: str = "alert") -> str:
        """A link as a message has it."""
        return self.links.of(alert.id, alert.account_id, time.time_ns() // 1_000_000)[name]
