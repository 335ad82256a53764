"""What a rival hands back, and how it is told what to do."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.rivals.state import KINDS, AccountTotals, totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmarks.rivals.state import Account


class Report(msgspec.Struct):
    """What was measured: from the first record to the last acknowledged commit."""

    seconds: float
    cpu_seconds: float
    """Of the whole process, all threads, over the same time."""
    counts: dict[str, int]
    """`event`, `duplicate`, `profile`; empty where nothing is counted."""
    totals: dict[str, AccountTotals]
    notes: dict[str, float] = {}


class Stopwatch:
    """Wall and CPU time since the first `start`; later ones change nothing."""

    def __init__(self) -> None:
        self._wall_s: float | None = None
        self._cpu_s = 0.0
        self.seconds = self.cpu_seconds = 0.0

    def start(self) -> None:
        """The first record is here."""
        if self._wall_s is None:
            self._wall_s, self._cpu_s = time.perf_counter(), _cpu_s()

    def lap(self) -> None:
        """Everything so far is done; the last call counts."""
        if self._wall_s is not None:
            self.seconds = time.perf_counter() - self._wall_s
            self.cpu_seconds = _cpu_s() - self._cpu_s


def _cpu_s() -> float:
    used = os.times()
    return used.user + used.system


class Options(argparse.Namespace):
    """What every rival is told."""

    lines: Path
    """The job's lines, for those without Kafka."""
    bootstrap: str
    topic: str
    partitions: int
    records: int
    """Records in the topic, ticks included."""
    group: str
    folder: Path
    """An empty folder for state."""
    report: Path
    """Where the report goes."""
    changelog: str | None


def options() -> Options:
    """The options of the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=Path)
    parser.add_argument("--bootstrap")
    parser.add_argument("--topic")
    parser.add_argument("--partitions", type=int)
    parser.add_argument("--records", type=int)
    parser.add_argument("--group")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--changelog")
    return parser.parse_args(namespace=Options())


def finish(
    path: Path,
    watch: Stopwatch,
    counts: Sequence[int],
    accounts: Iterable[tuple[str, Account]],
    **notes: float,
) -> None:
    """Write the report; `counts` by number of `KINDS`, empty where nothing is counted."""
    by_kind = dict(zip(KINDS, counts, strict=False))
    report = Report(watch.seconds, watch.cpu_seconds, by_kind, totals(accounts), notes)
    path.write_bytes(msgspec.msgpack.encode(report))
    sys.stdout.flush()


def read(path: Path) -> Report:
    """The report that a rival wrote."""
    return msgspec.msgpack.decode(path.read_bytes(), type=Report)
