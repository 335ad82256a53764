"""The standard job as a file of lines, and its totals as the generator counts them.

Both are kept in `build/bench` for as long as job and generator stay as they are.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks.rivals.state import AccountTotals
from pulse.testing import histories
from pulse.testing.histories import Job

if TYPE_CHECKING:
    from collections.abc import Callable

DAY_MS = 86_400_000
_EVENTS_A_DAY = 1_000_000 / 90


class Totals(msgspec.Struct):
    """What the job holds: lines by kind, and what was counted for each account."""

    counts: dict[str, int]
    accounts: dict[str, AccountTotals]
    size_bytes: int
    """Of all lines, without line ends."""
    last_ms: int

    @property
    def lines(self) -> int:
        """Everything that is decoded: events, duplicates, profiles."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class JobFiles:
    """A job on the disk."""

    job: Job
    lines: Path
    totals: Totals


def standard(events: int, accounts: int = 5_000) -> Job:
    """The job that all rows have: 1,000,000 events are 90 days, fewer are its beginning.

    Five users an account, 1 % duplicates, a profile for each account.
    """
    days = max(round(events / _EVENTS_A_DAY), 1)
    return Job(events=events, days=days, accounts=accounts, duplicates=0.01, profiles=True)


def write(job: Job, folder: Path, say: Callable[[str], None]) -> JobFiles:
    """The job's files, made if they are not there."""
    sources = [Path(str(file)).read_bytes() for file in (histories.__file__, __file__)]
    name = hashlib.sha256(repr(job).encode() + b"".join(sources)).hexdigest()[:12]
    lines, totals = folder / f"job-{name}.ndjson", folder / f"job-{name}.totals"
    if not totals.exists():
        say(f"making {job.events:,} events of {job.accounts:,} accounts, once")
        folder.mkdir(parents=True, exist_ok=True)
        totals.write_bytes(msgspec.msgpack.encode(_write_lines(job, lines)))
    return JobFiles(job, lines, msgspec.msgpack.decode(totals.read_bytes(), type=Totals))


def _write_lines(job: Job, path: Path) -> Totals:
    counts: Counter[str] = Counter()
    days: dict[str, dict[int, list[int]]] = {}
    ids: dict[str, tuple[set[str | None], set[str | None]]] = {}
    size_bytes, last_ms = 0, 0
    with path.open("wb") as file:
        for line in job.script():
            counts[line.kind] += 1
            size_bytes += len(line.raw)
            file.write(line.raw + b"\n")
            if line.kind != "event":
                continue
            last_ms = max(last_ms, line.at_ms)
            tile = days.setdefault(line.account_id, {}).setdefault(line.at_ms // DAY_MS, [0, 0])
            tile[0] += 1
            tile[1] += line.value
            users, features = ids.setdefault(line.account_id, (set(), set()))
            users.add(line.user_id)
            features.add(line.feature)
    accounts = {
        account_id: AccountTotals(
            [(day, tile[0], tile[1]) for day, tile in sorted(tiles.items())],
            *map(len, ids[account_id]),
        )
        for account_id, tiles in days.items()
    }
    return Totals(dict(counts), accounts, size_bytes, last_ms)
