"""Events in over HTTP: from clients as they are, through Kafka, to a worker's accounts."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from pulse.processes import free_port
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = pytest.mark.kafka

WITHIN_S = 60


class Collecting:
    """A running collector, and the system behind it."""

    def __init__(self, system: System) -> None:
        self.system = system
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.process = system.process("collect", port=port).start()
        self.key = self.keys("make", "web").strip()
        self.http = httpx.Client(base_url=self.url, headers=bearer(self.key), timeout=30)
        wait_for(lambda: self.http.post("/v1/events", json=[]).status_code == 200)

    def keys(self, *words: str) -> str:
        """`pulse keys`."""
        command = [sys.executable, "-c", "import pulse.cli; pulse.cli.main()", "keys", *words]
        config = ["--config", str(self.system.folder / "pulse.yaml")]
        done = subprocess.run([*command, *config], check=True, capture_output=True, text=True)
        return done.stdout

    def lines(self) -> list[dict[str, Any]]:
        """Every line in the topic of events."""
        return [
            msgspec.json.decode(line)
            for record in self.system.read("events")
            if not record.headers
            for line in (record.value or b"").split(b"\n")
        ]

    def profiles(self) -> list[dict[str, Any]]:
        """Every profile in it."""
        return [line["profile"] for line in self.lines() if line.get("type") == "profile"]

    def letters(self) -> list[tuple[str, dict[str, Any]]]:
        """Every dead letter: its reason, and what it says."""
        return [
            (dict(record.headers)["pulse-reason"].decode(), msgspec.json.decode(record.value))
            for record in self.system.read("deadletter")
        ]


@pytest.fixture
def collecting(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[Collecting]:
    settings = {"clock": "wall", "worker": {"flush_interval_s": 0.5, "reread_s": 0}}
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2, settings=settings)
    system.create_topics()
    try:
        yield Collecting(system)
    finally:
        system.stop()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def wait_for(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)


def event(number: int, account: str = "acme", **said: Any) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    return {"id": f"e{number}", "account_id": account, "event": "report.run", "ts": now_ms, **said}


def test_events_come_to_the_accounts_they_are_of(collecting: Collecting) -> None:
    collecting.system.process("work").start()
    events = [event(n, "acme" if n % 3 else "globex", user_id=f"u{n % 2}") for n in range(30)]

    for _ in range(2):  # a client that has not heard the answer sends again
        answer = collecting.http.post("/v1/events", json=events)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 30, "refused": []})
    lines = b"\n".join(map(msgspec.json.encode, [event(100), event(101, "globex")]))
    body = gzip.compress(lines)
    answer = collecting.http.post("/v1/events", content=body, headers={"content-encoding": "gzip"})
    assert answer.json()["accepted"] == 2
    profile = {"id": "p1", "account_id": "acme", "ts": event(0)["ts"], "profile": {"seats": 9}}
    assert collecting.http.post("/v1/profiles", json=profile).json()["accepted"] == 1

    accounts = states(collecting, ["acme", "globex"])
    assert {name: each["measures"]["events"]["7d"] for name, each in accounts.items()} == {
        "acme": 21,
        "globex": 11,
    }
    assert collecting.profiles() == [{"seats": 9}]
    assert accounts["acme"]["measures"]["active_users"]["7d"] == 2
    assert {line["source"] for line in collecting.lines()} == {"web"}


def states(collecting: Collecting, names: list[str]) -> dict[str, dict[str, Any]]:
    """The accounts as the worker's state has them, once all is applied and these are there."""
    found: dict[str, dict[str, Any]] = {}

    def are_there() -> bool:
        collecting.system.wait_until_applied()
        found.clear()
        for each in map(msgspec.json.decode, collecting.system.accounts()):
            found[each["account_id"]] = each
        return sorted(found) == sorted(names)

    wait_for(are_there)
    return found


def test_a_bad_event_does_not_cost_the_others(collecting: Collecting) -> None:
    bad = event(1) | {"ts": "yesterday"}
    answer = collecting.http.post("/v1/events", json=[event(0), bad, "no object", event(2)])

    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [(each["index"], each["field"]) for each in answer.json()["refused"]] == [
        (1, "ts"),
        (2, ""),
    ]
    assert collecting.http.post("/v1/events", json=[bad]).status_code == 400
    assert [line["id"] for line in collecting.lines()] == ["e0", "e2"]


def test_nothing_comes_in_without_a_key(collecting: Collecting) -> None:
    other = collecting.keys("make", "mobile").strip()
    post = collecting.http.post
    assert post("/v1/events", json=event(1), headers={"Authorization": ""}).status_code == 401
    assert post("/v1/events", json=event(1), headers=bearer("pk_wrong")).status_code == 401
    wait_for(lambda: post("/v1/events", json=event(2), headers=bearer(other)).status_code == 200)
    assert f"{other[:9]}…" in collecting.keys("list")

    collecting.keys("revoke", other)
    wait_for(lambda: post("/v1/events", json=event(3), headers=bearer(other)).status_code == 401)
    assert other[:9] not in collecting.keys("list")
    # The hash is kept, the key nowhere.
    kept = [(record.key, record.value) for record in collecting.system.read("keys")]
    assert other.encode() not in msgspec.json.encode(kept, enc_hook=bytes.decode)
    assert {line["source"] for line in collecting.lines()} == {"mobile"}


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"", {}, 400, "empty"),
        (b"{", {}, 400, "not_json"),
        (b"[" * 1_000 + b"]" * 1_000, {}, 400, "too_deep"),
        (b"nothing", {"content-encoding": "gzip"}, 400, "not_gzip"),
        (gzip.compress(b"{}")[:-9], {"content-encoding": "gzip"}, 400, "not_gzip"),
        (b"{}", {"content-encoding": "br"}, 415, "unsupported_encoding"),
        (gzip.compress(b" " * (64 << 20)), {"content-encoding": "gzip"}, 413, "too_large"),
        (b" " * ((4 << 20) + 1), {}, 413, "too_large"),
    ],
)
def test_what_is_refused_is_said_why(
    collecting: Collecting, content: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = collecting.http.post("/v1/events", content=content, headers=headers)

    assert (answer.status_code, answer.json()["error"]["reason"]) == (status, reason)
    assert collecting.http.post("/v1/events", json=event(1)).status_code == 200


def test_segments_own_client(collecting: Collecting) -> None:
    from segment.analytics.client import Client

    collecting.system.process("work").start()
    for use_gzip in (False, True):
        client = Client(collecting.key, host=collecting.url, gzip=use_gzip, on_error=fail)
        client.group("ada", "acme", {"name": "Acme", "plan": "pro", "employees": 30})
        client.track("ada", "Report Run", {"feature": "reports", "value": "2.5"})
        client.track("bob", "Report Run", context={"groupId": "globex"})
        client.identify("ada", {"email": "ada@example.com"})
        client.page("ada", "docs", "Pricing")
        client.track("nobody", "Report Run")
        client.shutdown()

    accounts = states(collecting, ["acme", "globex"])
    assert accounts["acme"]["measures"]["events"]["7d"] == 4
    assert collecting.profiles() == [{"name": "Acme", "plan": "pro"}] * 2
    assert accounts["globex"]["measures"]["events"]["7d"] == 2
    assert [reason for reason, _ in collecting.letters()] == ["unlinked", "unlinked"]


def test_rudderstacks_client(collecting: Collecting) -> None:
    from rudderstack.analytics.client import Client

    collecting.system.process("work").start()
    client = Client(collecting.key, host=collecting.url, on_error=fail)
    client.group("ada", "acme", {"name": "Acme"})
    client.track("ada", "Report Run")
    client.track("bob", "Report Run", context={"groupId": "globex"})
    client.shutdown()

    accounts = states(collecting, ["acme", "globex"])
    assert [accounts[name]["measures"]["events"]["7d"] for name in ("acme", "globex")] == [1, 1]


def fail(error: Exception, items: Any) -> None:
    raise AssertionError(f"{error!r}: {items}")
