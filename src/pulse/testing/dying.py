"""A `pulse work` or `pulse notify` that gets a signal the n-th time it reaches a named step.

    python -m pulse.testing.dying SIGKILL manifest_written 3 note.json work --config pulse.yaml

The signal is SIGKILL, or SIGSTOP, from which it can be woken. The steps are those of
`pulse.stream.worker.Worker` and `pulse.notifier.dispatch.Notifier`. The last thing the process does
is to write the note: which step, which partition, and when (ms UTC).
`pulse.testing.process.PulseProcess` starts it where `dies_at` or `stops_at` is set.

State is written here in chunks of a few kilobytes, so that a state as small as a test's has halves
(`pages_chunk_written`).
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from pulse.config import Config

SMALL_CHUNK_BYTES = 4_096


class DyingAt:
    """The `at` of a process that ends or stops itself. `number` counts from 1."""

    def __init__(self, how: signal.Signals, step: str, number: int, note: Path) -> None:
        self._how = how
        self._step = step
        self._left = number
        self._note = note

    def __call__(self, step: str, partition: int | None) -> None:
        if step != self._step:
            return
        self._left -= 1
        if self._left == 0:
            facts = {"step": step, "partition": partition, "at_ms": time.time_ns() // 1_000_000}
            self._note.write_text(json.dumps(facts))
            os.kill(os.getpid(), self._how)


def main() -> None:
    """Run the command that the arguments name, until it dies."""
    how, step, number, note, command, _, config = sys.argv[1:]
    at = DyingAt(signal.Signals[how], step, int(number), Path(note))
    loaded = Config.load(Path(config))
    if command == "work":
        from pulse.stream import partition, process

        partition.CHUNK_BYTES = SMALL_CHUNK_BYTES
        process.run(loaded, at)
    else:
        from pulse.notifier import app

        asyncio.run(app.run(loaded, asyncio.Event(), at=at))


if __name__ == "__main__":
    main()
