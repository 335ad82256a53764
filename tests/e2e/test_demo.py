"""`pulse demo` as a newcomer runs it, and as it ends."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest

from pulse.embedded import broker_program
from pulse.processes import MissingProgramError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at the demo's processes in /proc"),
    pytest.mark.timeout(300),
]


class Demo:
    """A demo in a process of its own, its temporary files in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from pulse.cli import main; main()", "demo", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(folder)},
            # Whoever runs the tests in the background may have Ctrl-C ignored, which is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.said = ""

    def read_until(self, words: str) -> None:
        """Read what it says up to a line with these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if re.search(words, line):
                return
        raise AssertionError(f"it ended without saying {words!r}:\n{self.said}")

    def ends_with(self) -> int:
        """Its exit code; reads the rest of what it says."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        return self.process.wait(60)

    def children(self) -> list[int]:
        """The processes it started."""
        found: list[int] = []
        for file in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            found += map(int, file.read_text().split())
        return found


@pytest.fixture
def folder(tmp_path: Path, without: Callable[[str], NoReturn]) -> Path:
    try:
        broker_program()
    except MissingProgramError as error:
        without(str(error))
    return tmp_path


@contextlib.contextmanager
def demo(folder: Path, *options: str) -> Iterator[Demo]:
    running = Demo(folder, *options)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


def test_the_demo_plays_everything_and_every_webhook_is_verified(folder: Path) -> None:
    with demo(folder, "--seconds", "1") as running:
        assert running.ends_with() == 0, running.said
    said = running.said
    assert re.search(r"^20,108 events of 13 years in \d+ seconds", said, re.MULTILINE), said
    assert "every signature verified" in said
    assert re.search(
        r"^Alerts: \d+ silence, \d+ danger, \d+ approaching(, \d+ [a-z_]+)*\.$", said, re.MULTILINE
    )
    assert "Try next:" in said
    assert list(folder.iterdir()) == []


def test_ctrl_c_leaves_nothing_running_and_a_second_demo_does_not_mind(folder: Path) -> None:
    with demo(folder) as first, demo(folder) as second:
        for running in (first, second):
            running.read_until(r"[1-9]\d* webhooks? verified")
            assert len(running.children()) == 4
        children = first.children() + second.children()
        (worker,) = (pid for pid in second.children() if "work" in arguments(pid))
        os.kill(worker, signal.SIGSTOP)  # it cannot end by itself, nor remove what it made
        for running in (first, second):
            running.process.send_signal(signal.SIGINT)
        for running in (first, second):
            assert running.ends_with() == 130
            assert "Traceback" not in running.said
    assert not any(map(runs, children))
    assert list(folder.iterdir()) == []


def test_a_demo_that_is_killed_takes_its_processes_along(folder: Path) -> None:
    with demo(folder) as running:
        running.read_until("starting a worker")
        deadline = time.monotonic() + 30
        while len(running.children()) < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        children = running.children()
        assert len(children) == 4
        running.process.kill()
        running.process.wait()
    deadline = time.monotonic() + 10
    while any(map(runs, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, children))


def arguments(pid: int) -> list[str]:
    """What a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def runs(pid: int) -> bool:
    """Whether a process is there; one that is dead and not yet waited for is not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
