"""`make bench-profile`: where `pulse work` spends its time on the job, by thread and function.

py-spy looks into the worker 100 times a second from outside, which slows it by some percent. Shares
are those of what a function did itself, and of that with what it called. Waiting is left out.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import job
from benchmarks.place import Place, quieten, say
from benchmarks.rows import ROOT
from benchmarks.work import work
from pulse.testing.kafka import KafkaServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.testing.process import PulseProcess

PY_SPY = ROOT / ".venv-bench" / "bin" / "py-spy"
EVENTS = 200_000
LONGEST = 25
_WAITING = re.compile(r"select|\bwait \(|_worker \(concurrent|poll|libc\.so")
_OURS = re.compile(r"\((?:pulse|aiokafka|faust|mode|kafka|msgspec)/")
"""What is worth telling of what calls others; all that leads there is 100 % anyway."""

_LINE = re.compile(r":\d+\)$")


@contextlib.contextmanager
def spied(path: Path, worker: PulseProcess) -> Iterator[None]:
    """Record what the worker does for as long as this is open."""
    how = ["record", "--threads", "--native", "--rate", "100", "--format", "raw"]
    command = [str(PY_SPY), *how, "--pid", str(worker.pid), "--output", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.send_signal(2)  # it writes on Ctrl-C
        process.wait(60)


def summary(raw: str) -> str:
    """The functions with the largest shares, of samples as py-spy writes them: `a;b;c number`."""
    own, whole, threads = Counter[str](), Counter[str](), Counter[str]()
    for line in raw.splitlines():
        stack, _, number = line.rpartition(" ")
        thread, *frames = stack.split(";")
        if not frames or _WAITING.search(frames[-1]):
            continue
        name = re.sub(r"^thread \(\d+\): ", "", thread)
        named = [f"{_LINE.sub(')', frame)} [{name}]" for frame in frames]
        threads[name] += int(number)
        own[named[-1]] += int(number)
        whole.update(dict.fromkeys({each for each in named if _OURS.search(each)}, int(number)))
    total = max(threads.total(), 1)
    parts = []
    for title, shares in (("thread", threads), ("itself", own), ("with what it calls", whole)):
        rows = [f"{100 * n / total:5.1f} %  {what}" for what, n in shares.most_common(LONGEST)]
        parts.append("\n".join([title, *rows]))
    return "\n\n".join(parts)


def main() -> None:
    """Profile one event a message, then batches."""
    quieten()
    build = ROOT / "build"
    files = job.write(job.standard(EVENTS), build / "bench", say)
    with (
        tempfile.TemporaryDirectory(prefix="profile-", dir=build) as folder,
        KafkaServer(Path(folder) / "kafka", is_measured=True) as kafka,
    ):
        place = Place(kafka.bootstrap, Path(folder))
        for batch in (1, 500):
            say(f"up to {batch} a record")
            path = Path(folder) / f"samples-{batch}"
            work(place, place.load(files, batch), partial(spied, path))
            sys.stdout.write(f"## up to {batch} a record\n\n{summary(path.read_text())}\n\n")


if __name__ == "__main__":
    main()
