"""The third table: events a second through a collector, beside a server that does nothing.

Both get the same requests over the same number of connections, in turns. The collector answers
when Kafka has the events, and each event that was answered is looked for in the topic.
"""

from __future__ import annotations

import asyncio
import sys
import urllib.error
import urllib.request
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks import clients
from benchmarks.checks import WrongCountError
from benchmarks.place import PARTITIONS, Place, say
from benchmarks.rows import ROOT
from benchmarks.work import cpu_s
from pulse import keyring
from pulse.collector import keys
from pulse.config.kafka_clients import for_aiokafka
from pulse.processes import Server, free_port
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

BATCHES = (1, 100)
_ACCOUNTS, _USERS, _FEATURES = 500, 5, 20
_FIRST_MS = 1_729_798_381_000
_PATH = "/v1/events"


class Run(msgspec.Struct):
    """How one round of requests was answered."""

    events: int
    seconds: float
    cpu_seconds: float
    """Of the server's process."""
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds

    @property
    def cpu_rate(self) -> float:
        """Events a CPU second."""
        return self.events / self.cpu_seconds


class Way(msgspec.Struct):
    """A size of batches, and both servers' rounds."""

    batch: int
    collector: list[Run]
    empty: list[Run]

    @property
    def share(self) -> float:
        """How many times as fast as the empty server.

        The median over rounds: within one both have the same machine, and the next one may not.
        """
        return median(a.rate / b.rate for a, b in zip(self.collector, self.empty, strict=True))

    @property
    def cpu_share(self) -> float:
        """The same by CPU seconds of the two processes."""
        pairs = zip(self.collector, self.empty, strict=True)
        return median(a.cpu_rate / b.cpu_rate for a, b in pairs)

    def rows(self) -> Iterator[tuple[str, Run]]:
        """The fastest round of each."""
        yield "collector", _best(self.collector)
        yield "empty", _best(self.empty)


class CollectorSpeed(msgspec.Struct):
    """The third table's content."""

    ways: list[Way]

    def share(self, batch: int) -> float | None:
        """That of batches of this size; None where they were not sent."""
        return next((way.share for way in self.ways if way.batch == batch), None)


def measure(place: Place, *, rounds: int, quick: bool) -> CollectorSpeed:
    """Send to both in turns. Raises `WrongCountError` where the topic has not what was answered."""
    folder = place.new_folder("collector")
    settings = {"clock": "wall", "collector": {"events_per_second": 1e9}}
    system = System(place.bootstrap, folder, prefix=place.name("collector"),
                    partitions=PARTITIONS, settings=settings, forks=False)  # fmt: skip
    system.create_topics()
    key = _new_key(system)
    port = free_port()
    collector = system.process("collect", port=port)
    empty = EmptyServer(place.new_folder("empty"))
    maker = _Maker()
    ways = [Way(batch, [], []) for batch in BATCHES]
    try:
        collector.start()
        empty.start()
        clients.wait_for(port)
        for number in range(rounds + 1):  # the first one warms up, and does not count
            for way in ways:
                events = _events(way.batch, quick=quick, warm=not number)
                bodies = maker.bodies(way.batch, events // way.batch)
                for runs, at, pid in (
                    (way.empty, empty.port, empty.pid),
                    (way.collector, port, collector.pid),
                ):
                    run = _run(at, pid, key, bodies, events)
                    if number:
                        runs.append(run)
                if number:
                    rates = f"{way.collector[-1].rate:12,.0f} of {way.empty[-1].rate:,.0f}"
                    say(f"{number}/{rounds}  batches of {way.batch:<4}{rates} a second")
        collector.stop()
    finally:
        system.stop()
        empty.stop()
    _check(system, maker.made)
    return CollectorSpeed(ways)


def _events(batch: int, *, quick: bool, warm: bool) -> int:
    events = 4_000 if batch == 1 else 50_000
    if warm:
        return events // 10
    return events if quick else 4 * events


def _run(port: int, pid: int, key: str, bodies: Sequence[bytes], events: int) -> Run:
    requests = [clients.post(port, _PATH, key, body) for body in bodies]
    used_s = cpu_s(pid)
    answers = clients.send(port, requests)
    used_s = cpu_s(pid) - used_s
    return Run(events, answers.seconds, used_s, answers.quantile_ms(0.5), answers.quantile_ms(0.99))


def _best(runs: Sequence[Run]) -> Run:
    return min(runs, key=lambda run: run.seconds / run.events)


def _new_key(system: System) -> str:
    key, known = keys.make("web")
    kafka = system.config.kafka
    hashed = keyring.hash_of(key)
    asyncio.run(keyring.write(for_aiokafka(kafka), kafka.topics.keys, hashed, known))
    return key


class _Maker:
    """Makes bodies; no two events have the same id."""

    def __init__(self) -> None:
        self.made = 0

    def bodies(self, batch: int, count: int) -> list[bytes]:
        """So many bodies: one event each, or an array."""
        if batch == 1:
            return [self._event() for _ in range(count)]
        return [b"[%b]" % b",".join(self._event() for _ in range(batch)) for _ in range(count)]

    def _event(self) -> bytes:
        n = self.made
        self.made += 1
        return msgspec.json.encode(
            {
                "id": f"e-{n:012}",
                "account_id": f"account-{n % _ACCOUNTS}",
                "user_id": f"user-{n % _USERS}",
                "event": "report.run",
                "ts": _FIRST_MS + n,
                "properties": {"feature": f"feature-{n % _FEATURES}", "value": n % 10},
            }
        )


def _check(system: System, made: int) -> None:
    """Every event that was answered is in the topic, once."""
    found: list[str] = [
        msgspec.json.decode(line, type=_Id).id
        for record in system.read("events")
        for line in (record.value or b"").split(b"\n")
    ]
    if len(found) != made or len(set(found)) != made:
        raise WrongCountError(
            f"collector: {made} events were answered, and {len(found)} are in the topic, "
            f"{len(set(found))} different ones"
        )


class _Id(msgspec.Struct):
    id: str


class EmptyServer(Server):
    """`benchmarks.empty_server` in a process of its own."""

    name = "empty"

    def _command(self) -> Sequence[str | Path]:
        start = (
            "import sys; sys.path.insert(0, sys.argv.pop(1)); from benchmarks import empty_server"
        )
        return [sys.executable, "-c", f"{start}; empty_server.main()", ROOT, str(self.port)]

    def _answers(self) -> bool:
        url = f"http://127.0.0.1:{self.port}{_PATH}"
        try:
            with urllib.request.urlopen(url, data=b"{}", timeout=2):
                return True
        except (OSError, urllib.error.URLError):
            return False
