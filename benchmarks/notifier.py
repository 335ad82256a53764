"""The fourth table: how late webhooks are, and what a burst of alerts takes of memory.

`pulse notify` as its users run it, with its default configuration unless something else is said,
on Kafka, with a receiver that answers at once. Every alert that was produced must have come once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import msgspec
from kafka import KafkaProducer

from benchmarks.checks import WrongCountError
from benchmarks.place import PARTITIONS, Place, say
from benchmarks.rows import ROOT
from benchmarks.work import cpu_s, metric, wait_for
from pulse.alerting.everybody.fleet import ACCOUNTS_HEADER
from pulse.model import notification_id
from pulse.processes import Server
from pulse.testing.alerts import sample_alert
from pulse.testing.soak import memory_mb
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pulse.testing.process import PulseProcess

SECRET_VARIABLE = "PULSE_BENCH_SECRET"
RECEIVER = "bench"
ALERTS_A_SECOND = 200
_ACCOUNTS = 2_000_000
"""In use, as the alerts say: the fleet does not fall together."""
_WARM_UP_S = 10.0
_WAVE = 5_000
_PATIENCE_S = 600.0
_SETTLES_S = 5.0


class Latency(msgspec.Struct):
    """From an alert's append to the topic to its webhook's arrival, at an even pace."""

    a_second: float
    alerts: int
    p50_s: float
    p99_s: float
    longest_s: float
    core_share: float
    """Of a core, which the notifier used."""


class Burst(msgspec.Struct):
    """Alerts that are produced at once, after others; and as many once more.

    The second time all room that is used for a moment is there already, so what it grows by is what
    is kept: what a lead knows of an alert, by design.
    """

    way: str
    alerts: int
    before_mb: float
    """Memory of the process after the warm-up."""
    peak_mb: float
    end_mb: float
    """When all was sent, or all waits."""
    twice_mb: float
    """The same after as many alerts once more."""
    seconds: float
    """From the first alert that was produced to the last one that was sent, or read."""

    @property
    def kept_bytes(self) -> float:
        """Of each alert."""
        return (self.twice_mb - self.end_mb) * 2**20 / self.alerts

    @property
    def beyond_mb(self) -> float:
        """The peak, beyond what was there before and what is kept."""
        return self.peak_mb - self.before_mb - self.kept_bytes * self.alerts / 2**20


class NotifierSpeed(msgspec.Struct):
    """The fourth table's content."""

    latency: Latency
    bursts: list[Burst]


def measure(place: Place, *, quick: bool) -> NotifierSpeed:
    """All of it. Raises `WrongCountError` where a webhook is missing, or came twice."""
    os.environ[SECRET_VARIABLE] = EXAMPLE_SECRET
    latency = _latency(place, 10.0 if quick else 60.0)
    say(f"  {latency}")
    alerts = 10_000 if quick else 50_000
    bursts = []
    for way, settings in _WAYS.items():
        bursts.append(_burst(place, way, settings, alerts))
        say(f"  {bursts[-1]}")
    return NotifierSpeed(latency, bursts)


_WAYS: Mapping[str, Mapping[str, Any]] = {
    "each alone": {},
    "all wait in one group": {"route": {"group_by": ["segment"], "group_wait": "1h"}},
}


def _latency(place: Place, seconds: float) -> Latency:
    say(f"{ALERTS_A_SECOND} alerts a second for {seconds:g} s, each alone")
    with _Running(place, {}) as running:
        running.produce("warm", round(_WARM_UP_S * ALERTS_A_SECOND), ALERTS_A_SECOND)
        used_s = cpu_s(running.notifier.pid)
        took_s = running.produce("then", round(seconds * ALERTS_A_SECOND), ALERTS_A_SECOND)
        used_s = cpu_s(running.notifier.pid) - used_s
        running.wait_until_sent()
        late_s = sorted(running.late_s("then"))
    return Latency(
        len(late_s) / took_s,
        len(late_s),
        late_s[len(late_s) // 2],
        late_s[round(0.99 * (len(late_s) - 1))],
        late_s[-1],
        used_s / took_s,
    )


def _burst(place: Place, way: str, settings: Mapping[str, Any], alerts: int) -> Burst:
    say(f"{alerts:,} alerts at once, {way}")
    with _Running(place, settings) as running:
        wait = running.wait_until_read if settings else running.wait_until_sent
        running.produce("warm", _WAVE)
        wait()
        time.sleep(_SETTLES_S)
        before_mb = memory_mb(running.notifier.pid)
        began_s = time.perf_counter()
        with _Watching(running.notifier) as watching:
            running.produce("then", alerts)
            wait()
            seconds = time.perf_counter() - began_s
            time.sleep(_SETTLES_S)
        end_mb = memory_mb(running.notifier.pid)
        running.produce("more", alerts)
        wait()
        time.sleep(_SETTLES_S)
        twice_mb = memory_mb(running.notifier.pid)
        if not settings:
            running.late_s("then")
    return Burst(way, alerts, before_mb, watching.peak_mb, end_mb, twice_mb, seconds)


class _Watching:
    """Looks at a process' memory ten times a second."""

    def __init__(self, process: PulseProcess) -> None:
        self.peak_mb = 0.0
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Watching:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self.peak_mb = max(self.peak_mb, memory_mb(self._process.pid))


class _Running:
    """A notifier on topics of its own, and its receiver."""

    def __init__(self, place: Place, settings: Mapping[str, Any]) -> None:
        self._receiver = FastReceiver(place.new_folder("receiver"))
        said = {
            "name": RECEIVER,
            "kind": "webhook",
            "url": f"http://127.0.0.1:{self._receiver.port}/hooks/pulse",
            "secret_env": SECRET_VARIABLE,
            "allow_private": True,
        }
        self._system = System(
            place.bootstrap,
            place.new_folder("notifier"),
            prefix=place.name("notifier"),
            partitions=PARTITIONS,
            settings={"receivers": [said], **settings},
            forks=False,
        )
        self.notifier = self._system.process("notify")
        self._produced = 0

    def __enter__(self) -> _Running:
        self._system.create_topics()
        try:
            self._receiver.start()
            self.notifier.start()
            wait_for(self.notifier, lambda page: metric(page, "pulse_notifier_leads") == 1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._system.stop()
        self._receiver.stop()

    def produce(self, word: str, alerts: int, a_second: float | None = None) -> float:
        """Alerts of as many accounts, at an even pace where one is said; seconds it took."""
        now_ms = time.time_ns() // 1_000_000
        topic = self._system.config.kafka.topics.alerts
        headers = [(ACCOUNTS_HEADER, str(_ACCOUNTS // PARTITIONS).encode())]
        profile = {"name": "An account", "segment": "enterprise", "mrr": 1200}
        made = [
            sample_alert(f"{word}-{number}", at_ms=now_ms, started_at_ms=now_ms, profile=profile)
            for number in range(alerts)
        ]
        lines = [(each.account_id.encode(), each.to_json()) for each in made]
        producer = KafkaProducer(bootstrap_servers=self._system.bootstrap, acks="all", linger_ms=2)
        try:
            began_s = time.perf_counter()
            for number, (key, line) in enumerate(lines):
                if a_second is not None:
                    time.sleep(max(0.0, began_s + number / a_second - time.perf_counter()))
                producer.send(topic, line, key=key, headers=headers)
            took_s = time.perf_counter() - began_s
            producer.flush()
        finally:
            producer.close()
        self._produced += alerts
        return took_s

    def wait_until_read(self) -> None:
        """Until all that was produced is read, and its records are written."""
        self._wait(lambda page: metric(page, "pulse_alerts_read_total"), 0.5)

    def wait_until_sent(self) -> None:
        """Until all that was produced is told."""
        self._wait(lambda page: metric(page, "pulse_deliveries_total"), 0.5)

    def _wait(self, count: Any, look_every_s: float) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while count(wait_for(self.notifier, lambda page: True)) < self._produced:
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited in vain:\n{self.notifier.log_tail()}")
            time.sleep(look_every_s)

    def late_s(self, word: str) -> list[float]:
        """How late each alert of that word came, in seconds. Raises `WrongCountError`."""
        appended_ms: dict[str, int] = {}
        for record in self._system.read("alerts"):
            said = msgspec.json.decode(record.value, type=_Id)
            if said.account_id.startswith(f"{word}-"):
                appended_ms[notification_id(said.id, RECEIVER, "firing")] = record.timestamp
        came = [each for each in self._receiver.came() if each[0] in appended_ms]
        if len(came) != len(appended_ms) or len({name for name, _ in came}) != len(came):
            raise WrongCountError(f"notifier: {len(appended_ms)} alerts, {len(came)} webhooks")
        return [(at_ms - appended_ms[name]) / 1000 for name, at_ms in came]


class _Id(msgspec.Struct):
    id: str
    account_id: str


class FastReceiver(Server):
    """`benchmarks.fast_receiver` in a process of its own."""

    name = "receiver"

    @property
    def _path(self) -> Path:
        return self.folder / "came.txt"

    def _command(self) -> Sequence[str | Path]:
        start = (
            "import sys; sys.path.insert(0, sys.argv.pop(1)); from benchmarks import fast_receiver"
        )
        run = [sys.executable, "-c", f"{start}; fast_receiver.main()"]
        return [*run, ROOT, str(self.port), self._path]

    def _answers(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/"
        try:
            with urllib.request.urlopen(url, data=b"{}", timeout=2):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def came(self) -> list[tuple[str, int]]:
        """The ids that came so far, and when (ms UTC)."""
        os.kill(self.pid, signal.SIGUSR1)
        time.sleep(0.5)
        lines = self._path.read_text().splitlines()
        return [(name, int(at_ms)) for name, _, at_ms in (line.partition(" ") for line in lines)]
