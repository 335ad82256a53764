"""The engine alone with many accounts, in four partitions. A process of its own.

The clones are restored as the worker does it, and moved into huge pages as it does. Memory is the
growth of the process's resident set, after a full garbage collection. An event's cost has the ticks
in it, one a minute for 1,000 events: so it is the same work whatever the number of accounts.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import os
import random
import statistics
import sys
import time
from bisect import bisect
from pathlib import Path

import msgspec

from benchmarks.place import PARTITIONS
from benchmarks.rivals.state import tune_gc
from benchmarks.templates import NOW_MS, SILENT_AFTER_MS, Templates, clone, event, tick
from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState
from pulse.stream.huge_pages import HugePages
from pulse.testing.histories import LogEntry

SILENT = 1_000
A_MINUTE = 1_000
EVENTS = 100_000
MINUTE_MS = 60_000
MIDNIGHT_MS = NOW_MS + 12 * 3_600_000
_SAMPLE = 2_000
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Measured(msgspec.Struct):
    """What was measured; times of a tick in ms, of an event in µs."""

    rest_bytes: float
    live_bytes: float
    idle_tick_ms: float
    busy_tick_ms: float
    first_event_us: float
    spread_event_us: float
    event_us: float
    midnight_ms: float
    midnight_tick_ms: float


class TooLargeError(Exception):
    """There is not enough memory for so many accounts."""


class Fleet:
    """The partitions of a worker, with clones."""

    def __init__(self, templates: Templates, accounts: int) -> None:
        self.accounts = accounts
        self.silent = min(SILENT, accounts // 10) if templates.silent else 0
        self._templates = templates
        config = Config()
        self._engine = Engine(policy(config))
        live = -(-config.worker.live_accounts // PARTITIONS)
        self._states = [PartitionState(n, live_accounts=live) for n in range(PARTITIONS)]
        for state in self._states:
            state.clock_ms, state.first_tick_ms = NOW_MS, templates.first_tick_ms
        self._offset = 0
        self._number = 1_000_000_000

    def fill(self) -> float:
        """Restore every account; bytes of memory for each. Raises `TooLargeError`."""
        before = _rss_bytes()
        engine, steady = self._engine, self._templates.steady
        for number in range(self.accounts):
            among = self._templates.silent if number < self.silent else steady
            packed = clone(among[number % len(among)], number)
            state = self._states[number % PARTITIONS]
            engine.restore(state, state.page_for_new(0), packed)
            if number + 1 == _SAMPLE:
                each = (_rss_bytes() - before) / _SAMPLE
                if each * self.accounts > 0.7 * _available_bytes():
                    raise TooLargeError(f"{each:,.0f} bytes an account")
        HugePages().gather()
        return (_rss_bytes() - before) / self.accounts

    def tick(self, at_ms: int) -> tuple[float, int]:
        """A tick in every partition; how many ms it took, and how many alerts came of it."""
        record = tick(self._next(), at_ms)
        started_s = time.perf_counter()
        effects = [self._engine.apply(state, [record]) for state in self._states]
        took_ms = 1000 * (time.perf_counter() - started_s)
        return took_ms, sum(len(each.alerts) for each in effects)

    def in_turn(self, events: int) -> list[int]:
        """Which account each event is of: always another one."""
        spread = self.accounts - self.silent
        return [self.silent + place * 7919 % spread for place in range(events)]

    def as_in_the_job(self, events: int) -> list[int]:
        """Which account each event is of: the n-th has a share in proportion to 1/n."""
        spread, rng = self.accounts - self.silent, random.Random(0)
        shares = list(itertools.accumulate(1 / n for n in range(1, spread + 1)))
        return [
            self.silent + bisect(shares, rng.random() * shares[-1]) * 7919 % spread
            for _ in range(events)
        ]

    def pass_over(self, accounts: list[int], from_ms: int) -> float:
        """An event of each of these accounts, 1,000 in each minute; µs an event."""
        took_s, events = 0.0, len(accounts)
        for minute in range(-(-events // A_MINUTE)):
            at_ms = from_ms + minute * MINUTE_MS
            batches = [[tick(self._next(), at_ms)] for _ in self._states]
            first = minute * A_MINUTE
            for place, number in enumerate(accounts[first : first + A_MINUTE], first):
                line = event(self._number, f"{number:06}", at_ms + place % A_MINUTE)
                batches[number % PARTITIONS].append(LogEntry(self._next(), line))
                self._number += 1
            started_s = time.perf_counter()
            for state, batch in zip(self._states, batches, strict=True):
                self._engine.apply(state, batch)
            took_s += time.perf_counter() - started_s
        for state in self._states:
            state.take_touched()
        return 1e6 * took_s / events

    def _next(self) -> int:
        self._offset += 1
        return self._offset


def measure(templates: Templates, accounts: int, *, only_memory: bool) -> Measured:
    """Everything, one after the other. Raises `TooLargeError`."""
    fleet = Fleet(templates, accounts)
    rest = fleet.fill()
    tune_gc()
    idle = [fleet.tick(NOW_MS + 1_000 * second)[0] for second in range(1, 50)]
    busy, alerts = fleet.tick(NOW_MS + SILENT_AFTER_MS + 1_000)
    if alerts < fleet.silent:
        raise AssertionError(f"{alerts} alerts of {fleet.silent} silent accounts")
    touched = min(accounts - fleet.silent, EVENTS)
    before = _rss_bytes()
    at_ms = NOW_MS + 2 * MINUTE_MS
    first_us = fleet.pass_over(fleet.in_turn(touched), at_ms)
    live = rest + (_rss_bytes() - before) / touched
    spread_us = job_us = longest = total = 0.0
    if not only_memory:
        at_ms += (touched // A_MINUTE + 2) * MINUTE_MS
        spread_us = fleet.pass_over(fleet.in_turn(EVENTS), at_ms)
        chosen = fleet.as_in_the_job(EVENTS)
        passes = list[float]()
        for _ in range(4):
            at_ms += (EVENTS // A_MINUTE + 2) * MINUTE_MS
            passes.append(fleet.pass_over(chosen, at_ms))
        # The first time, those that have most events are not ready yet. Of the others the quickest:
        # what disturbs a machine only adds.
        job_us = min(passes[1:])
        for hour in range(8, 0, -1):
            fleet.tick(MIDNIGHT_MS - hour * 3_600_000)
        fleet.tick(MIDNIGHT_MS - 1_000)
        ticks = [fleet.tick(MIDNIGHT_MS + 1_000 * second)[0] for second in range(900)]
        longest, total = max(ticks), sum(ticks)
    return Measured(
        rest, live, statistics.median(idle[5:]), busy, first_us, spread_us, job_us, total, longest
    )


def _rss_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def _available_bytes() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))


def main() -> None:
    """Measure and write a report; ends with code 3 where memory does not suffice."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--accounts", type=int, required=True)
    parser.add_argument("--templates", type=Path, required=True)
    parser.add_argument("--only-memory", action="store_true")
    parser.add_argument("--report", type=Path, required=True)
    asked = parser.parse_args()
    templates = msgspec.msgpack.decode(asked.templates.read_bytes(), type=Templates)
    try:
        measured = measure(templates, asked.accounts, only_memory=asked.only_memory)
    except TooLargeError as error:
        sys.exit(f"too large: {error}")
    asked.report.write_bytes(msgspec.msgpack.encode(measured))


if __name__ == "__main__":
    main()
