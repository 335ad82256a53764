"""The engine alone: what `pulse work` does without Kafka. A process of its own.

The records of four partitions with their ticks lie in memory; they are applied in the batches that
the worker takes. Nothing is packed or written.
"""

from __future__ import annotations

import argparse
import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks.place import PARTITIONS
from benchmarks.rivals.state import tune_gc
from pulse.config import Config, Signals
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState, control
from pulse.placement import partition_of
from pulse.playback.lines import Lines
from pulse.playback.script import Script

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 5_000


class Applied(msgspec.Struct):
    """How it went, and where the accounts stand at the end."""

    seconds: float
    cpu_seconds: float
    counts: dict[str, int]
    statuses: list[dict[str, Any]]


@dataclass(slots=True)
class Record:
    """A record of the events topic."""

    offset: int
    value: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None


def records_of(lines: Path) -> list[list[Record]]:
    """The log of each partition."""
    logs: list[list[Record]] = [[] for _ in range(PARTITIONS)]
    for cue in Script(Lines([lines])):
        if cue.tick_ms is not None:
            tick = control.tick(cue.tick_ms)
            for log in logs:
                log.append(Record(len(log), tick.value, tick.headers))
        if cue.line is not None and cue.account_id is not None:
            log = logs[partition_of(cue.account_id, PARTITIONS)]
            log.append(Record(len(log), cue.line.raw))
    return logs


def plain() -> Config:
    """What the engine needs at least: windows, scores, the line."""
    off = {name: {"enabled": False} for name in Signals.model_fields}
    return Config.model_validate({"signals": off, "facts": [], "line": {"forecast_days": 0}})


def main() -> None:
    """Apply the job."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    parser.add_argument("--plain", action="store_true", help="without signals and forecasts")
    asked = parser.parse_args()
    logs = records_of(asked.lines)
    batches = [
        [(number, log[at : at + BATCH]) for at in range(0, len(log), BATCH)]
        for number, log in enumerate(logs)
    ]
    config = plain() if asked.plain else Config()
    engine = Engine(policy(config), lambda account_id: partition_of(account_id, PARTITIONS))
    states = [PartitionState(number) for number in range(PARTITIONS)]
    tallies = []
    tune_gc()
    started_s, started_cpu_s = time.perf_counter(), time.process_time()
    for number, batch in filter(None, itertools.chain(*itertools.zip_longest(*batches))):
        effects = engine.apply(states[number], batch)
        tallies.append(effects.counts)
        states[number].take_touched()
    seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - started_cpu_s
    counts = {name: sum(each[name] for each in tallies) for name in ("duplicates", "profiles")}
    events = sum(each["events"] for each in tallies) - sum(counts.values())
    statuses = [
        engine.status(state.account(account_id), state.clock_ms or 0)
        for state in states
        for account_id in state.ids()
    ]
    report = Applied(
        seconds,
        cpu_s,
        {"event": events, "duplicate": counts["duplicates"], "profile": counts["profiles"]},
        statuses,
    )
    asked.report.write_bytes(msgspec.msgpack.encode(report))


if __name__ == "__main__":
    main()
