"""Typed decode alone: what nobody who reads JSON in Python can pass.

500 lines a call of `msgspec`, all of them bytes in memory before. Nothing is counted.
"""

from benchmarks.rivals.report import Stopwatch, finish, options
from benchmarks.rivals.state import decode_values, tune_gc

BATCH = 500


def main() -> None:
    """Decode the job."""
    asked = options()
    lines = asked.lines.read_bytes().splitlines()
    batches = [lines[at : at + BATCH] for at in range(0, len(lines), BATCH)]
    tune_gc()
    watch = Stopwatch()
    watch.start()
    for batch in batches:
        decode_values(batch)
    watch.lap()
    finish(asked.report, watch, (), ())


if __name__ == "__main__":
    main()
