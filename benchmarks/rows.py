"""The rows of the first table: what runs, on which topic, and how its totals are checked."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.checks import check_pulse, check_rival
from benchmarks.engine_alone import Applied
from benchmarks.place import COMPACTED, PARTITIONS, Place
from benchmarks.rivals.report import read
from benchmarks.work import work

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.job import JobFiles
    from benchmarks.place import Loaded

ROOT = Path(__file__).parents[1]
BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PATIENCE_S = 1_200


class Run(msgspec.Struct):
    """One run of a row."""

    lines: int
    """Events, duplicates and profiles that it took."""
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Lines a second."""
        return self.lines / self.seconds

    @property
    def cpu_rate(self) -> float:
        """Lines a CPU second, of all threads of the process that counts."""
        return self.lines / self.cpu_seconds


@dataclass(slots=True)
class Stage:
    """What the rows run on. Topics are loaded when the first row needs them."""

    place: Place
    whole: JobFiles
    share: JobFiles
    """A part of the job, for the slow ones."""
    load: Callable[[JobFiles, int], Loaded]


@dataclass(frozen=True, slots=True)
class Row:
    """A row: `name` is what `ROWS` selects."""

    name: str
    title: str
    run: Callable[[Stage], Run]
    is_slow: bool = False
    """Run once, on the share."""


def rival(
    module: str, *, kafka: bool = True, changelog: bool = False, slow: bool = False
) -> Callable[[Stage], Run]:
    """Runs a module of `benchmarks.rivals` in its environment."""

    def run(stage: Stage) -> Run:
        files = stage.share if slow else stage.whole
        place = stage.place
        folder = place.new_folder(module)
        arguments = ["--lines", files.lines, "--report", folder / "report"]
        if kafka:
            loaded = stage.load(files, 1)
            (state := folder / "state").mkdir()
            arguments += ["--bootstrap", place.bootstrap, "--topic", loaded.topic]
            arguments += ["--partitions", PARTITIONS, "--records", loaded.records]
            arguments += ["--group", place.name(module), "--folder", state]
        if changelog:
            topic = place.make_topic(place.name("changelog"), COMPACTED)
            arguments += ["--changelog", topic]
        call(BENCH_PYTHON, f"benchmarks.rivals.{module}", arguments)
        report = read(folder / "report")
        check_rival(report, files.totals)
        return Run(files.totals.lines, report.seconds, report.cpu_seconds)

    return run


def call(python: Path | str, module: str, arguments: Sequence[object]) -> None:
    """Run a module to its end. Raises `RuntimeError` with the end of what it said."""
    done = subprocess.run(
        [str(python), "-W", "ignore", "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{module} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def pulse(batch: int) -> Callable[[Stage], Run]:
    """Runs `pulse work` on a topic with up to `batch` lines in a record."""

    def run(stage: Stage) -> Run:
        worked = work(stage.place, stage.load(stage.whole, batch))
        return Run(stage.whole.totals.lines, worked.seconds, worked.cpu_seconds)

    return run


def engine(*options: str) -> Callable[[Stage], Run]:
    """Runs the engine alone."""

    def run(stage: Stage) -> Run:
        files = stage.whole
        path = stage.place.new_folder("engine") / "report"
        arguments = ["--lines", files.lines, "--report", path, *options]
        call(sys.executable, "benchmarks.engine_alone", arguments)
        report = msgspec.msgpack.decode(path.read_bytes(), type=Applied)
        check_pulse(report.counts, report.statuses, files.totals)
        return Run(files.totals.lines, report.seconds, report.cpu_seconds)

    return run


ROWS = (
    Row("ceiling", "typed decode alone: the ceiling", rival("ceiling", kafka=False)),
    Row("dict", "typed decode and plain dict state, no Kafka", rival("plain", kafka=False)),
    Row("hand", "hand-written confluent-kafka loop", rival("hand")),
    Row("hand-durable", "… with a coalesced changelog", rival("hand", changelog=True)),
    Row("bytewax", "Bytewax, batches of 250, recovery on", rival("on_bytewax")),
    Row("quix", "Quix Streams, RocksDB and changelog", rival("on_quix", slow=True), is_slow=True),
    Row("faust", "Faust as documented, tuned", rival("on_faust", slow=True), is_slow=True),
    Row("pulse", "**pulse work**, one event a message", pulse(1)),
    Row("pulse-batch", "**pulse work**, batches of up to 500", pulse(500)),
    Row("engine", "pulse's engine alone, no Kafka", engine()),
    Row("engine-plain", "… without signals and forecasts", engine("--plain")),
)


def chosen(names: str) -> list[Row]:
    """The rows that a list like `pulse,hand` means: those names, and what begins with them."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if not any(row.name == name for row in ROWS)]
    if unknown:
        known = ", ".join(row.name for row in ROWS)
        raise SystemExit(f"no row {unknown[0]}; there are {known}")
    return [
        row
        for row in ROWS
        if not wanted or any(row.name == n or row.name.startswith(f"{n}-") for n in wanted)
    ]
