"""`pulse work` as its users run it, and how long it takes for a topic.

The clock starts when its metrics show the first record applied (they are asked every 20 ms until
then), and ends when the group's commit covers the last record of the topic. When all is applied the
worker is told to end (SIGTERM): it writes its state and commits at once, as the hand-written loop
does at the end, instead of waiting for its next flush.
"""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.checks import check_pulse
from benchmarks.place import Place, say_over

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.place import Loaded
    from pulse.testing.process import PulseProcess
    from pulse.testing.system import System

_LOOK_EVERY_S = 0.02
PATIENCE_S = 900.0


class Worked(msgspec.Struct):
    """How one run went."""

    seconds: float
    cpu_seconds: float
    """Of the worker's process."""
    state_bytes: int
    """Written to the changelog, as its values are."""


def work(
    place: Place,
    loaded: Loaded,
    watching: Callable[[PulseProcess], AbstractContextManager[None]] = lambda worker: nullcontext(),
) -> Worked:
    """Work off a topic and check what came out. Raises `WrongCountError`.

    `watching` is open while the worker works.
    """
    system = place.system(loaded)
    worker = system.process("work")
    try:
        worker.launch()
        wait_for(worker, lambda page: metric(page, "pulse_records_total") > 0)
        started_s, started_cpu_s = time.perf_counter(), cpu_s(worker.pid)
        total = loaded.records
        with watching(worker):
            page = _wait_until_applied(worker, total)
        used_s = cpu_s(worker.pid) - started_cpu_s
        worker.signal(signal.SIGTERM)
        group = system.config.kafka.group
        while place.committed(group, loaded.topic) < total:
            time.sleep(_LOOK_EVERY_S)
        seconds = time.perf_counter() - started_s
        worker.wait(60)
    finally:
        system.stop()
        say_over("")
    check_pulse(counts(page), statuses(system), loaded.files.totals)
    return Worked(seconds, used_s, round(metric(page, "pulse_state_bytes_total")))


def _wait_until_applied(worker: PulseProcess, total: int) -> str:
    """The worker's metrics when all records are applied.

    A scrape takes the worker some milliseconds: it is asked at half of the time that is left at
    the rate so far, so seldom at first and every 20 ms at the end.
    """
    began_s = time.monotonic()
    while True:
        page = wait_for(worker, lambda page: True)
        applied = metric(page, "pulse_records_total")
        say_over(f"  {100 * applied / total:.0f} %")
        if applied >= total:
            return page
        passed_s = time.monotonic() - began_s
        if passed_s > PATIENCE_S:
            raise TimeoutError(f"{applied:.0f} of {total} records:\n{worker.log_tail()}")
        left_s = passed_s * (total - applied) / applied if passed_s > 1 else 0.4
        time.sleep(min(max(left_s / 2, _LOOK_EVERY_S), 1.0))


def counts(page: str) -> dict[str, int]:
    """What the worker counted, by the job's kinds of lines."""
    events, duplicates, profiles = (
        round(metric(page, f"pulse_{name}_total")) for name in ("events", "duplicates", "profiles")
    )
    return {
        "event": events - duplicates - profiles,
        "duplicate": duplicates,
        "profile": profiles,
    }


def statuses(system: System) -> list[Any]:
    """Every account as it stands in the changelog."""
    return [msgspec.json.decode(line) for line in system.accounts()]


def wait_for(worker: PulseProcess, condition: Callable[[str], bool]) -> str:
    """The worker's metrics as soon as they fulfil a condition. Raises `TimeoutError`."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(OSError):
            page = worker.metrics()
            if condition(page):
                return page
        if worker.ended():
            raise RuntimeError(f"the worker has ended:\n{worker.log_tail()}")
        time.sleep(_LOOK_EVERY_S)
    raise TimeoutError(f"waited in vain for {PATIENCE_S:g} s:\n{worker.log_tail()}")


def metric(page: str, name: str) -> float:
    """A metric's value, over all labels; 0 where there is none."""
    return sum(map(float, re.findall(rf"^{name}(?:{{.*}})? (\S+)$", page, re.MULTILINE)))


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
