"""Typed decode and plain dict state: no Kafka, nothing kept on a disk.

500 lines a call of `msgspec`, all of them bytes in memory before.
"""

from benchmarks.rivals.report import Stopwatch, finish, options
from benchmarks.rivals.state import Fleet, decode_values, tune_gc

BATCH = 500


def main() -> None:
    """Count the job."""
    asked = options()
    lines = asked.lines.read_bytes().splitlines()
    batches = [lines[at : at + BATCH] for at in range(0, len(lines), BATCH)]
    fleet = Fleet()
    tune_gc()
    watch = Stopwatch()
    watch.start()
    for batch in batches:
        fleet.apply(decode_values(batch))
    watch.lap()
    finish(asked.report, watch, fleet.counts, fleet.accounts.items())


if __name__ == "__main__":
    main()
