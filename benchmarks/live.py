"""Many accounts on Kafka: bytes of state, a killed worker's way back, how late alerts are."""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from benchmarks import job
from benchmarks.place import PARTITIONS, Place, say
from benchmarks.rows import BENCH_PYTHON, ROOT
from benchmarks.work import metric, wait_for
from pulse.alerting.alert import EVERYBODY
from pulse.model.time import parse_ts
from pulse.playback.emit import PlaySettings, play
from pulse.playback.lines import Lines
from pulse.processes import ServerError
from pulse.testing.histories import usage
from pulse.testing.system import System
from pulse.testing.webhooks import EXAMPLE_SECRET, ReceivedRequest, WebhookReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.testing.process import PulseProcess

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
SILENT_AFTER_MS = 21 * DAY_MS
SILENT = 1_000
SECRET_VARIABLE = "PULSE_BENCH_SECRET"
BACKLOG_EVENTS = 10_000
IN_TURN_S = 40.0
WARM_S = 10.0
LOAD_S = 40.0


class Recovery(msgspec.Struct):
    """A worker that was killed, and the state it left."""

    changelog_ratio: float
    """Bytes of state for a byte of the job."""
    in_turn_changelog_ratio: float
    """The same where every account is as likely as another, as in life at any rate: what is left
    unwritten is bounded by the work to do it again, not by time.
    """
    in_turn_rate: float
    """Events a second that the worker takes then, a producer beside it."""
    seconds: float
    read_back_s: float


class Lateness(msgspec.Struct):
    """Alerts on the wall clock."""

    p50_s: float
    p99_s: float
    load: float


def recovery(place: Place, files: job.JobFiles, rate: float) -> Recovery:
    """The job with many accounts; then more events, `kill -9`, and another worker.

    The second worker starts when the first is dead. The first one is still a member of the group
    then, as in life, until its session runs out. Caught up: everything in the topic is committed.
    At last events of all accounts in turn, at `rate` a second, which should be more than it takes.
    """
    loaded = place.load(files, 500)
    system = place.system(loaded)
    worker = system.process("work").start()
    try:
        page = wait_for(worker, lambda page: metric(page, "pulse_records_total") >= loaded.records)
        system.wait_until_applied(within_s=120)
        page = worker.metrics()
        ratio = metric(page, "pulse_state_bytes_total") / files.totals.size_bytes
        last = files.job
        more = job.write(
            replace(
                last,
                events=BACKLOG_EVENTS,
                days=1,
                profiles=False,
                start_ms=last.start_ms + last.days * DAY_MS,
                seed=1,
            ),
            files.lines.parent,
            say,
        )
        play(system.config, Lines([more.lines]), PlaySettings(history=True))
        worker.kill()
        killed_s = time.perf_counter()
        second = system.process("work")
        second.launch()
        system.wait_until_applied(within_s=300)
        seconds = time.perf_counter() - killed_s
        read_back_s = metric(second.metrics(), "pulse_recovery_seconds")
        in_turn = _in_turn(system, second, files, rate)
    finally:
        system.stop()
    return Recovery(ratio, *in_turn, seconds, read_back_s)


def _in_turn(
    system: System, worker: PulseProcess, files: job.JobFiles, rate: float
) -> tuple[float, float]:
    """Bytes of state a byte of input, and events a second."""
    clock_ms = files.job.start_ms + (files.job.days + 1) * DAY_MS + HOUR_MS
    state_bytes = metric(worker.metrics(), "pulse_state_bytes_total")
    pouring = _pour(system, files.job.accounts, rate, IN_TURN_S, word="turn", clock_ms=clock_ms)
    time.sleep(WARM_S)
    began_s, began = time.perf_counter(), metric(worker.metrics(), "pulse_records_total")
    time.sleep(IN_TURN_S - 2 * WARM_S)
    taken = metric(worker.metrics(), "pulse_records_total") - began
    taken_s = time.perf_counter() - began_s
    _, size = pouring.wait()
    system.wait_until_applied(within_s=300)
    state_bytes = metric(worker.metrics(), "pulse_state_bytes_total") - state_bytes
    return state_bytes / size, taken / taken_s


def lateness(place: Place, accounts: int, load: float) -> Lateness:
    """1,000 accounts fall silent, evenly over some seconds, while events flow at `load` a second.

    Late is a webhook by the time between the instant at which its alert was due and its arrival.
    """
    os.environ[SECRET_VARIABLE] = EXAMPLE_SECRET
    with _Receiver() as receiver:
        system = _wall_clock_system(place, receiver.url)
        try:
            return _lateness(system, receiver, accounts, load)
        finally:
            system.stop()


def _lateness(system: System, receiver: _Receiver, accounts: int, load: float) -> Lateness:
    # Time enough to take the history in.
    first_due_ms = _now_ms() + round(1000 * (45 + accounts / 1_500))
    past = system.folder / "past.ndjson"
    past.write_bytes(b"\n".join(_past(accounts, first_due_ms)))
    play(system.config, Lines([past]), PlaySettings(history=True, batch=500))
    worker = system.process("work").start()
    system.process("notify").start()
    wait_for(worker, lambda page: metric(page, "pulse_events_total") >= accounts)
    left_s = (first_due_ms - _now_ms()) / 1000 - 5
    if left_s < 0:
        raise ServerError("the accounts fell silent before the worker was ready")
    time.sleep(left_s)
    pouring = _pour(system, accounts, load, LOAD_S + 10, word="load")
    sent, _ = pouring.wait()
    receiver.wait_for(SILENT)
    late_s = sorted(receiver.late_s())
    return Lateness(
        statistics.median(late_s),
        late_s[int(0.99 * len(late_s))],
        sent / (LOAD_S + 10),
    )


def _past(accounts: int, first_due_ms: int) -> Iterator[bytes]:
    """The history in order: those who fall silent, then one event two days ago of all others."""
    step_ms = LOAD_S * 1000 / SILENT
    lasts = [first_due_ms + int(n * step_ms) - SILENT_AFTER_MS for n in range(SILENT)]
    for days_before in range(6, -1, -1):
        for number, last_ms in enumerate(lasts):
            event_id = f"past-{number}-{days_before}"
            yield usage(event_id, f"silent-{number:06}", last_ms - days_before * DAY_MS)
    at_ms = _now_ms() - 2 * DAY_MS
    for number in range(accounts):
        yield usage(f"past-{number}", f"acc-{number:06}", at_ms)


def _wall_clock_system(place: Place, url: str) -> System:
    receiver = {
        "name": "bench",
        "kind": "webhook",
        "url": url,
        "secret_env": SECRET_VARIABLE,
        "allow_private": True,
        "reasons": ["silence"],
    }
    system = System(
        place.bootstrap,
        place.new_folder("live"),
        prefix=place.name("live"),
        partitions=PARTITIONS,
        settings={
            "clock": "wall",
            "receivers": [receiver],
            "notifier": {"fleet_guard": {"enabled": False}},
        },
        forks=False,
    )
    system.create_topics()
    return system


@dataclass(slots=True)
class _Pouring:
    process: subprocess.Popen[str]

    def wait(self) -> tuple[int, int]:
        """How many events were produced, and their bytes."""
        out, _ = self.process.communicate(timeout=300)
        sent, size = out.split()
        return int(sent), int(size)


def _pour(
    system: System, accounts: int, rate: float, seconds: float, **more: str | int
) -> _Pouring:
    options = {
        "bootstrap": system.bootstrap,
        "topic": system.config.kafka.topics.events,
        "accounts": accounts,
        "rate": rate,
        "seconds": seconds,
        **more,
    }
    arguments = [
        text
        for name, value in options.items()
        for text in (f"--{name.replace('_', '-')}", str(value))
    ]
    command = [str(BENCH_PYTHON), "-m", "benchmarks.rivals.pour", *arguments]
    return _Pouring(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))


class _Receiver:
    """A webhook receiver in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._receiver = WebhookReceiver([EXAMPLE_SECRET])

    def __enter__(self) -> _Receiver:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._receiver.start(), self._loop).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._receiver.stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        """Where to post to."""
        return self._receiver.url

    def wait_for(self, number: int, within_s: float = 120.0) -> None:
        """Until so many notifications came. Raises `TimeoutError`."""
        deadline = time.monotonic() + within_s
        while len(self._firsts()) < number:
            if time.monotonic() > deadline:
                came = len(self._firsts())
                raise TimeoutError(f"{came} of {number} webhooks came within {within_s:g} s")
            time.sleep(0.2)

    def late_s(self) -> list[float]:
        """How late each notification was, by its first arrival."""
        return [each.at_s - _due_s(each.body) for each in self._firsts()]

    def _firsts(self) -> list[ReceivedRequest]:
        """The first arrival of each notification that is about an account."""
        delivered = reversed(self._receiver.delivered)
        firsts = {e.id: e for e in delivered if e.body["data"]["account_id"] != EVERYBODY}
        return list(firsts.values())


def _due_s(body: dict[str, dict[str, str]]) -> float:
    return parse_ts(body["data"]["at"]) / 1000


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
