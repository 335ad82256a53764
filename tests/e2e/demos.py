"""`pulse demo` in a process of its own: in a pipe, as a script has it, or at a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

LINK: Final = r"The page, signed in: (http://127\.0\.0\.1:\d+/sign-in#pt_[\w-]+)\s"
CHILDREN: Final = 5
"""A broker, a Redis, a worker, a notifier and the page."""
_COMMAND: Final = [sys.executable, "-c", "from pulse.cli import main; main()", "demo"]
_AT_TERMINAL: Final = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
_ROWS, _COLUMNS = 40, 160


class Demo:
    """A demo whose output goes into a pipe, its temporary files in `folder`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [*_COMMAND, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "TMPDIR": str(folder)},
            # Whoever runs the tests in the background may have Ctrl-C ignored, which is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.said = ""

    def read_until(self, words: str) -> re.Match[str]:
        """Read what it says up to a line with these words."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
            if found := re.search(words, line):
                return found
        raise AssertionError(f"it ended without saying {words!r}:\n{self.said}")

    def ends_with(self) -> int:
        """Its exit code; reads the rest of what it says."""
        assert self.process.stdout is not None
        self.said += self.process.stdout.read()
        return self.process.wait(60)

    def children(self) -> list[int]:
        """The processes it started."""
        return children_of(self.process.pid)


@contextlib.contextmanager
def demo(folder: Path, *options: str) -> Iterator[Demo]:
    """A demo, killed at the end."""
    running = Demo(folder, *options)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


class TerminalDemo:
    """A demo at a terminal of its own. `browser`: a program that is told what would be opened."""

    def __init__(self, folder: Path, browser: Path, *options: str) -> None:
        self.said = ""
        environ = {name: value for name, value in os.environ.items() if name != "CI"}
        environ |= {"TMPDIR": str(folder), "TERM": "xterm-256color", "BROWSER": str(browser)}
        mine, its = pty.openpty()
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        # It leads a session whose terminal this is: the terminal sends it the signal of Ctrl-C.
        command = [sys.executable, "-c", _AT_TERMINAL, *_COMMAND, *options]
        self._process = subprocess.Popen(
            command, stdin=its, stdout=its, stderr=its, env=environ, start_new_session=True
        )
        os.close(its)
        self._terminal = mine
        # Always: a terminal that nobody reads holds up who writes.
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def read_until(self, words: str, within_s: float) -> re.Match[str]:
        """Wait until it has shown these words."""
        deadline = time.monotonic() + within_s
        while not (found := re.search(words, self.said)):
            has_time = time.monotonic() < deadline and self._reading.is_alive()
            assert has_time, f"it did not say {words!r}:\n{self.said[-4000:]}"
            time.sleep(0.1)
        return found

    def press_ctrl_c(self) -> None:
        """As a person does."""
        os.write(self._terminal, b"\x03")

    def ends_with(self, within_s: float = 90.0) -> int:
        """Its exit code."""
        return self._process.wait(within_s)

    def children(self) -> list[int]:
        """The processes it started."""
        return children_of(self._process.pid)

    def close(self) -> None:
        """Kill it where it still runs."""
        self._process.kill()
        self._process.wait()
        self._reading.join(10)
        os.close(self._terminal)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # what Linux says where nobody holds the other end
            while said := os.read(self._terminal, 1 << 16):
                self.said += said.decode(errors="replace")


def children_of(pid: int) -> list[int]:
    """The processes that a process started."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        found += map(int, file.read_text().split())
    return found


def arguments(pid: int) -> list[str]:
    """What a process was started with."""
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
