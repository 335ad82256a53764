"""`kill -9` of the collector under load, and of Kafka: what was answered 2xx is there."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from pulse import keyring
from pulse.collector import keys
from pulse.config.kafka_clients import for_aiokafka
from pulse.processes import free_port
from pulse.testing.kafka import KafkaServer
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.testing.process import PulseProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(480)]

CLIENTS = 4
BATCH = 20
KILLS = 10
AWAY_S = 30.0
ACK_TIMEOUT_S = 2.0
MB = 1 << 20


class Load:
    """Clients that send batches, each until it is answered 200, and then the next one."""

    def __init__(self, url: str, key: str, clients: int = CLIENTS, note: int = 500) -> None:
        self._url = url
        self._note = note
        self._headers = {"Authorization": f"Bearer {key}"}
        self._stop = threading.Event()
        self.answered: list[list[str]] = [[] for _ in range(clients)]
        """The ids of each client's events that were answered 200."""
        self.statuses: Counter[int] = Counter()
        self.broken = 0
        """Requests that nobody answered."""
        self.without_retry_after = 0
        self.refused_after_s: list[float] = []
        """How long requests took that were refused since too much waited already."""
        self._threads = [
            threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(clients)
        ]

    def start(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def stop(self) -> None:
        """No new batches; return when the last ones are answered."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client is still waiting"

    @property
    def ids(self) -> list[str]:
        return [each for ids in self.answered for each in ids]

    def _send(self, client: int) -> None:
        number = 0
        with httpx.Client(base_url=self._url, headers=self._headers, timeout=20) as http:
            while not self._stop.is_set():
                events = [
                    event(f"c{client}-{number + n}", client, self._note) for n in range(BATCH)
                ]
                while not self._is_taken(http, events):
                    time.sleep(0.1)
                self.answered[client] += [each["id"] for each in events]
                number += BATCH

    def _is_taken(self, http: httpx.Client, events: list[dict[str, Any]]) -> bool:
        try:
            began_s = time.monotonic()
            answer = http.post("/v1/events", json=events)
        except httpx.TransportError:
            self.broken += 1
            return False
        self.statuses[answer.status_code] += 1
        if answer.status_code == 503:
            if "too much waits" in answer.text:
                self.refused_after_s.append(time.monotonic() - began_s)
            self.without_retry_after += not answer.headers.get("retry-after", "").isdigit()
        return answer.status_code == 200


def event(unique: str, client: int, note: int) -> dict[str, Any]:
    ts = time.time_ns() // 1_000_000
    filling = {"feature": "reports", "note": "x" * note}
    return {
        "id": unique,
        "account_id": f"acc-{client}",
        "event": "run",
        "ts": ts,
        "properties": filling,
    }


def collecting(
    bootstrap: str, folder: Path, unique: str, load: dict[str, int] | None = None, **collector: Any
) -> tuple[System, PulseProcess, Load]:
    settings = {
        "clock": "wall",
        "worker": {"flush_interval_s": 0.5, "reread_s": 0},
        "collector": collector,
    }
    system = System(bootstrap, folder, prefix=unique, partitions=2, settings=settings)
    system.create_topics()
    key, known = keys.make("web")
    kafka = system.config.kafka
    hashed = keyring.hash_of(key)
    asyncio.run(keyring.write(for_aiokafka(kafka), kafka.topics.keys, hashed, known))
    port = free_port()
    process = system.process("collect", port=port).start()
    return system, process, Load(f"http://127.0.0.1:{port}", key, **(load or {})).start()


def lines(system: System) -> Iterator[dict[str, Any]]:
    for record in system.read("events"):
        if not record.headers:
            yield from map(msgspec.json.decode, (record.value or b"").split(b"\n"))


def assert_all_there(system: System, load: Load) -> None:
    """Everything answered is in the topic, as it was sent, and is counted once."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in lines(system):
        found.setdefault(line["id"], []).append(line)
    assert set(load.ids) == set(found)
    assert all(each == copies[0] for copies in found.values() for each in copies)
    sent = Counter(copies[0]["account_id"] for copies in found.values())
    system.process("work").start()
    system.wait_until_applied()
    # Before its first tick a partition has no clock, and so no account's status.
    wait_for(lambda: counted(system) == dict(sent))


def counted(system: System) -> dict[str, int]:
    """Each account's events."""
    return {
        each["account_id"]: each["measures"]["events"]["7d"]
        for each in map(msgspec.json.decode, system.accounts())
    }


def test_kill_9_of_the_collector_at_random_moments(
    kafka: KafkaServer, tmp_path: Path, unique: str, seed: int
) -> None:
    rng = random.Random(seed)
    system, process, load = collecting(kafka.bootstrap, tmp_path, unique)
    try:
        for _ in range(KILLS):
            had = len(load.ids)
            wait_for(lambda had=had: len(load.ids) > had)
            time.sleep(rng.random() * 0.5)
            process.kill()
            process.start()
        had = len(load.ids)
        wait_for(lambda: len(load.ids) > had)
        load.stop()
        # Clients were cut off in the middle, and sent the same again.
        assert load.broken >= KILLS
        assert_all_there(system, load)
    finally:
        system.stop()


def test_kafka_is_away_for_half_a_minute(tmp_path: Path, unique: str, seed: int) -> None:
    with KafkaServer(tmp_path / "kafka") as kafka:
        # Waiting for Kafka, they would leave 200 KB each every two seconds.
        many = {"clients": 4 * CLIENTS, "note": 10_000}
        system, process, load = collecting(
            kafka.bootstrap, tmp_path, unique, many, buffer_bytes=MB, ack_timeout_s=ACK_TIMEOUT_S
        )
        try:
            wait_for(lambda: len(load.ids) > 1_000)
            before = memory(process)
            kafka.kill()
            most, until = 0, time.monotonic() + AWAY_S
            while time.monotonic() < until:
                time.sleep(0.5)
                most = max(most, memory(process))
            # Most are told at once, since too much waits already.
            assert load.statuses[503] > many["clients"]
            assert len(load.refused_after_s) > load.statuses[503] / 2
            assert median(load.refused_after_s) < ACK_TIMEOUT_S / 2
            assert load.without_retry_after == 0
            assert set(load.statuses) <= {200, 503}
            assert most < before + 24 * MB
            kafka.start()
            had = len(load.ids)
            wait_for(lambda: len(load.ids) > had + CLIENTS * BATCH)
            load.stop()
            assert_all_there(system, load)
        finally:
            system.stop()


def memory(process: PulseProcess) -> int:
    """Bytes resident."""
    pages = Path(f"/proc/{process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def wait_for(condition: Any, within_s: float = 60.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.05)
