"""The first table: events a second, all rows on one Kafka in one run."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import msgspec

from benchmarks import job
from benchmarks.checks import WrongCountError
from benchmarks.place import Place, say
from benchmarks.rows import ROWS, Row, Run, Stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.job import JobFiles
    from benchmarks.place import Loaded

SHARE_EVENTS = 100_000


class Measured(msgspec.Struct):
    """A row and its runs."""

    name: str
    title: str
    runs: list[Run]

    @property
    def best(self) -> Run:
        """The fastest: what else ran on the machine only ever slows a run down."""
        return min(self.runs, key=lambda run: run.seconds / run.lines)


class Speed(msgspec.Struct):
    """The first table's content."""

    events: int
    rounds: int
    lines_a_batch: float
    """On average, in the topic with batches; 1 where no row needed it."""
    rows: list[Measured]

    def ratio(self, name: str, to: str, *, by_cpu: bool = False) -> float | None:
        """How many times as fast one row is as another; None where one is missing.

        `by_cpu` takes CPU seconds instead of those of the clock: what else runs on the machine
        changes them less, but they do not see a process that waits.
        """
        rates = {r.name: r.best.cpu_rate if by_cpu else r.best.rate for r in self.rows}
        return rates[name] / rates[to] if name in rates and to in rates else None

    @property
    def core_share(self) -> float | None:
        """How much of a core the row got that never waits; None where it was not run."""
        runs = [row.best for row in self.rows if row.name == "dict"]
        return runs[0].cpu_seconds / runs[0].seconds if runs else None


def measure(place: Place, rows: Sequence[Row], *, events: int, rounds: int, build: Path) -> Speed:
    """Run the rows, round by round. Raises `WrongCountError` naming the row that counts wrong."""
    whole = job.write(job.standard(events), build, say)
    share = job.write(job.standard(min(events, SHARE_EVENTS)), build, say)
    loaded: list[Loaded] = []

    @functools.cache
    def load(lines: Path, batch: int) -> Loaded:
        files = whole if lines == whole.lines else share
        say(f"loading {files.totals.lines:,} lines into Kafka, up to {batch} a record")
        loaded.append(place.load(files, batch))
        return loaded[-1]

    def load_files(files: JobFiles, batch: int) -> Loaded:
        return load(files.lines, batch)

    stage = Stage(place, whole, share, load_files)
    runs: dict[str, list[Run]] = {row.name: [] for row in rows}
    for number in range(1, rounds + 1):
        for row in rows:
            if row.is_slow and runs[row.name]:
                continue
            try:
                run = row.run(stage)
            except WrongCountError as wrong:
                raise WrongCountError(f"{row.name}: {wrong}") from None
            runs[row.name].append(run)
            say(f"{number}/{rounds}  {row.name:14}{run.rate:12,.0f} a second")
    packed = max((each.lines_a_record for each in loaded), default=1.0)
    return Speed(
        events, rounds, packed, [Measured(r.name, r.title, runs[r.name]) for r in ROWS if r in rows]
    )
