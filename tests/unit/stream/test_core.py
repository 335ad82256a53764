"""A core of a worker's own: each has another one, and gives it back however it ends."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pulse.stream import core

CORES = sorted(os.sched_getaffinity(0)) if sys.platform == "linux" else []
pytestmark = pytest.mark.skipif(len(CORES) < 2, reason="needs Linux and two cores")

TAKE = """
import os, threading
from pulse.stream import core
core._MARKS = ()
core._PREFIX = "{prefix}"
own = core.take_own_core()
seen = []
thread = threading.Thread(target=lambda: seen.append(sorted(os.sched_getaffinity(0))))
thread.start()
thread.join()
print(None if own is None else own.number, seen[0], flush=True)
input()
"""


def taker(unique: str, **environment: str) -> tuple[subprocess.Popen[str], str]:
    """A process that takes a core and keeps it, and what it says of that."""
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE.format(prefix=unique)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_each_has_another_one_until_there_is_none(unique: str) -> None:
    takers = [taker(unique) for _ in CORES]
    try:
        assert sorted(said for _, said in takers) == sorted(f"{n} [{n}]" for n in CORES)
        takers.append(taker(unique))
        assert takers[-1][1] == f"None {CORES}"

        takers[0][0].kill()
        takers[0][0].wait()
        takers.append(taker(unique))
        assert takers[-1][1] == takers[0][1]
    finally:
        for process, _ in takers:
            process.kill()
            process.communicate()


def test_nothing_is_taken_where_others_are_not_seen(unique: str) -> None:
    process, said = taker(unique, KUBERNETES_SERVICE_HOST="10.0.0.1")
    process.kill()
    process.communicate()

    assert said == f"None {CORES}"


def test_nothing_is_taken_where_there_is_one_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.os, "sched_getaffinity", lambda _: {3})
    monkeypatch.setattr(core, "_MARKS", ())
    assert core.take_own_core() is None
