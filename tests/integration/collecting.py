"""A running collector, what came of what it took, and the accounts of a worker behind it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from pulse.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.testing.system import System

WITHIN_S = 120


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
        return self.system.command("keys", *words)

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


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def wait_for(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.1)


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
