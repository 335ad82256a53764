"""A long run: months of made-up usage at an even pace, and what grows meanwhile.

    python -m pulse.testing.soak 60          # minutes; `make soak MINUTES=60`

One worker and one notifier on a Kafka, a Valkey and a webhook receiver of their own, unharmed.
Every few seconds their memory and open files are noted, and how many records are in the topic and
not applied. What the table shows as slope is that of a straight line through the second half of
the run, when the windows are full and nothing should grow any more; of files through the least of
every two minutes, since connections come and go. Those with the webhook receiver are left out:
there are at most `notifier.concurrency`, and an idle pool that is used in turn grows with every
burst up to that. At the end the state, the alerts and the deliveries are compared with what the
log says.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import linear_regression, median, quantiles
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pulse import logs
from pulse.testing.kafka import KafkaServer
from pulse.testing.paced import RULES, PacedInput, Player
from pulse.testing.system import System
from pulse.testing.truth import Truth
from pulse.testing.valkey import ValkeyServer
from pulse.testing.webhooks import EXAMPLE_SECRET, ReceiverThread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulse.testing.process import PulseProcess

DAYS: Final = 200
"""More than twice as long as the longest window, so that the second half has it full."""

EVENTS_A_SECOND: Final = 150
EVENTS_AN_ACCOUNT: Final = 3.5 * DAYS
SAMPLE_S: Final = 5.0
PARTITIONS: Final = 4
_FILES_OF: Final = round(120 / SAMPLE_S)
LEAST_MINUTES: Final = 20
"""In a shorter run a slope says nothing."""
MOST_FILES_AN_HOUR: Final = 5.0
MOST_GROWTH_AN_HOUR: Final = 0.10
"""Of memory, as a share."""


@dataclass
class Series:
    """Something measured again and again: at how many seconds, and how much."""

    name: str
    lowest_of: int = 1
    """The slope is that of the lowest of so many samples after each other."""
    at_s: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def note(self, at_s: float, value: float) -> None:
        """One more measurement."""
        self.at_s.append(at_s)
        self.values.append(value)

    @property
    def slope_an_hour(self) -> float:
        """Of a straight line through the second half."""
        starts = range(len(self.values) // 2, len(self.values), self.lowest_of)
        if len(starts) < 3:
            return 0.0
        lowest = [min(self.values[at : at + self.lowest_of]) for at in starts]
        return linear_regression([self.at_s[at] for at in starts], lowest).slope * 3600

    def row(self) -> str:
        """A line of the table: first, median, 99 %, last, slope."""
        values = self.values
        p99 = quantiles(values, n=100)[-1] if len(values) > 1 else values[0]
        numbers = (values[0], median(values), p99, values[-1], self.slope_an_hour)
        return f"| {self.name} | " + " | ".join(f"{number:,.1f}" for number in numbers) + " |"


class Watch:
    """Samples the processes and the lag while a player plays."""

    def __init__(
        self, system: System, worker: PulseProcess, notifier: PulseProcess, receiver_port: int
    ) -> None:
        self._system = system
        self._receiver_port = receiver_port
        self.lag = Series("lag, records")
        self.memory = [Series("worker, MB"), Series("notifier, MB")]
        self.files = [Series(f"{who}, open files", _FILES_OF) for who in ("worker", "notifier")]
        self._processes = (worker, notifier)

    def sample(self, at_s: float) -> None:
        """Note everything once. Raises `ServerError` where a process has ended."""
        for process, memory, files in zip(self._processes, self.memory, self.files, strict=True):
            memory.note(at_s, memory_mb(process.pid))
            files.note(at_s, open_files(process.pid, self._receiver_port))
        # Of what is applied, not of what is committed: a commit waits for pages that wait.
        applied = self._processes[0].metric("pulse_records_total")
        self.lag.note(at_s, max(self._system.written() - applied, 0))

    def table(self) -> str:
        """Everything, as Markdown."""
        head = "| | first | median | 99 % | last | slope, an hour |\n|---|---|---|---|---|---|"
        return "\n".join([head, *(each.row() for each in (*self.memory, *self.files, self.lag))])

    def complaints(self, events_a_second: float) -> list[str]:
        """What grows and should not."""
        found = []
        for series in self.memory:
            share = series.slope_an_hour / median(series.values)
            if share > MOST_GROWTH_AN_HOUR:
                found.append(f"{series.name}: grows by {share:.0%} an hour")
        for series in self.files:
            if series.slope_an_hour > MOST_FILES_AN_HOUR:
                found.append(f"{series.name}: {series.slope_an_hour:.1f} more an hour")
        half = len(self.lag.values) // 2
        if median(self.lag.values[half:]) > 30 * events_a_second:
            found.append(f"lag: {median(self.lag.values[half:]):.0f} records in the median")
        return found


def memory_mb(pid: int) -> float:
    """Resident memory of a process, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def open_files(pid: int, but_with_port: int) -> int:
    """Open files of a process, but for its connections with that port."""
    apart = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, _, remote, *rest = line.split()
            if int(remote.rpartition(":")[2], 16) == but_with_port:
                apart.add(f"socket:[{rest[6]}]")
    count = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            count += os.readlink(file) not in apart
    return count


def soak(minutes: float, folder: Path, say: Callable[[str], None]) -> tuple[str, list[str]]:
    """Run for so long; the summary as Markdown, and what was not as it must be."""
    os.environ["PULSE_SOAK_SECRET"] = EXAMPLE_SECRET
    seconds = minutes * 60
    accounts = max(round(seconds * EVENTS_A_SECOND / EVENTS_AN_ACCOUNT), 10)
    paced = PacedInput(1, PARTITIONS, accounts, DAYS, tick_step_ms=3_600_000)
    with (
        ReceiverThread() as receiver,
        ValkeyServer(folder / "valkey") as valkey,
        KafkaServer(folder / "kafka", is_measured=True) as kafka,
    ):
        target = {
            "name": "cs",
            "kind": "webhook",
            "url": receiver.url,
            "secret_env": "PULSE_SOAK_SECRET",
            "allow_private": True,
        }
        redis = {"enabled": True, "url": valkey.url, "prefix": "soak:"}
        each = {"fleet_guard": {"enabled": False}}
        settings = RULES | {"receivers": [target], "redis": redis, "notifier": each, "inhibit": []}
        system = System(
            kafka.bootstrap,
            folder,
            prefix="soak",
            partitions=PARTITIONS,
            settings=settings,
            forks=False,
        )
        system.create_topics()
        worker, notifier = system.process("work").start(), system.process("notify").start()
        watch = Watch(system, worker, notifier, urlsplit(receiver.url).port or 80)
        say(f"{accounts:,} accounts, {DAYS} days in {minutes:g} minutes; files in {folder}")
        player = Player(system, paced, seconds)
        player.start()
        run(watch, player, say)
        system.wait_until_applied(within_s=600)
        player.close_days()
        system.wait_until_applied(within_s=600)
        system.wait_until_delivered(within_s=600)
        say("comparing with the log")
        truth = Truth.of(system)
        wrong = truth.differences(system)
        system.stop()
        requests = len(receiver.requests)
    if minutes >= LEAST_MINUTES:
        wrong += watch.complaints(truth.counts["events"] / seconds)
    alerts = len(truth.alerts)
    summary = [
        f"{minutes:g} minutes, {truth.counts['events']:,} events of {accounts:,} accounts over "
        f"{DAYS} days of log time, {alerts:,} alerts, {requests:,} webhooks; "
        + ("exact." if not wrong else "NOT as it must be:"),
        *(f"- {each}" for each in wrong),
        "",
        watch.table(),
    ]
    return "\n".join(summary), wrong


def run(watch: Watch, player: Player, say: Callable[[str], None]) -> None:
    """Sample until all is played; a line now and then says how far it is."""
    started_s, told_s = time.monotonic(), 0.0
    while player.is_alive():
        at_s = time.monotonic() - started_s
        watch.sample(at_s)
        if at_s - told_s > 60 or not told_s:
            told_s = at_s
            memory, files, lag = watch.memory[0], watch.files[0], watch.lag
            say(
                f"{player.share:4.0%} after {at_s / 60:.0f} min: worker {memory.values[-1]:.0f} MB,"
                f" {files.values[-1]:.0f} files; lag {lag.values[-1]:,.0f} records"
            )
        player.join(SAMPLE_S)
    player.finish()


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak, and print the summary on stdout."""
    parser = argparse.ArgumentParser(prog="python -m pulse.testing.soak", description=__doc__)
    parser.add_argument("minutes", type=float, nargs="?", default=60.0)
    minutes = parser.parse_args(arguments).minutes

    def say(line: str) -> None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    logs.to_stderr()
    with tempfile.TemporaryDirectory(prefix="pulse-soak-") as folder:
        summary, wrong = soak(minutes, Path(folder), say)
    sys.stdout.write(f"{summary}\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
