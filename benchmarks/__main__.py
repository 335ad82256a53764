"""`python -m benchmarks`: run, print the tables, write `build/bench.json`."""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks import collector, notifier, scale, speed, table, web
from benchmarks.checks import WrongCountError
from benchmarks.place import Place, quieten, say
from benchmarks.results import Machine, Results
from benchmarks.rows import ROOT, chosen
from pulse.testing.kafka import KafkaServer


def main() -> None:
    """Measure what was asked for."""
    asked = _arguments()
    quieten()
    # So that what was started ends too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("ended by SIGTERM"))
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    rows = chosen(asked.rows)
    results = Results(machine(), datetime.now(UTC), asked.quick, os.getloadavg()[0])
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder,
        KafkaServer(Path(folder) / "kafka", is_measured=True) as kafka,
    ):
        place = Place(kafka.bootstrap, Path(folder))
        if asked.part in ("all", "speed"):
            results.speed = speed.measure(
                place,
                rows,
                events=100_000 if asked.quick else 1_000_000,
                rounds=1 if asked.quick else asked.rounds,
                build=build / "bench",
            )
        if asked.part in ("all", "scale") and not asked.rows:
            settings = scale.Settings(asked.accounts, asked.quick, build / "bench")
            results.scale = scale.measure(settings, place, results.speed)
        if asked.part in ("all", "collector") and not asked.rows:
            rounds = 1 if asked.quick else asked.rounds
            results.collector = collector.measure(place, rounds=rounds, quick=asked.quick)
        if asked.part in ("all", "notifier") and not asked.rows:
            results.notifier = notifier.measure(place, quick=asked.quick)
        if asked.part in ("all", "web") and not asked.rows:
            results.web = web.measure(place, quick=asked.quick)
    results.ended = datetime.now(UTC)
    path = build / "bench.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1))
    print(table.text(results))
    say(f"written to {path.relative_to(ROOT)}; `make bench-table` puts it into docs/performance.md")


def machine() -> Machine:
    """What all this runs on."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else ())
        if line.startswith("model name")
    ]
    memory = Path("/proc/meminfo")
    total_kb = int(memory.read_text().split()[1]) if memory.exists() else 0
    return Machine(
        cpu=names[0] if names else platform.processor(),
        cores=len(names),
        memory_gb=round(total_kb / 1e6),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100,000 events, one round")
    parser.add_argument("--rows", default="", help="only these, like pulse,hand")
    parser.add_argument("--rounds", type=int, default=3, help="of the rows that are not slow")
    parser.add_argument("--accounts", type=int, help="of the second table")
    parts = ("all", "speed", "scale", "collector", "notifier", "web")
    parser.add_argument("--part", choices=parts, default="all")
    asked = parser.parse_args()
    if asked.accounts is None:
        asked.accounts = 10_000 if asked.quick else 100_000
    return asked


if __name__ == "__main__":
    try:
        main()
    except WrongCountError as wrong:
        sys.exit(f"counted wrong, so there is no table: {wrong}")
