"""Processes of pulse that have its imports already.

To import pulse, Faust and FastAPI takes a second or two of processor, several times what a short
process does besides. Python's fork server imports them once, and each process begins as its fork.
From there on it is a process like any other: its own session, environment, folder and files. That
`pulse` also starts by itself, the demo and its tests show.

As with `multiprocessing`, a script that begins one needs its `if __name__ == "__main__":`.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMAND_LINE: Final = "pulse.cli"
"""The module whose `main` is `pulse`."""

_NOTHING: Final = Path(os.devnull)
_PRELOADED: Final = [
    "pulse.stream.process",
    "pulse.notifier.app",
    "pulse.collector.process",
    "pulse.web.process",
    *(f"pulse.cli.{name}" for name in ("work", "notify", "collect", "web", "keys", "tokens")),
]
_PR_SET_PDEATHSIG: Final = 1
_MOST_FILES: Final = 1 << 16
_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(_PRELOADED)
# To begin one looks after all others too, and whether one has ended is read from a pipe, once.
_LOCK: Final = threading.Lock()


class ForkedProcess:
    """`pulse ARGUMENTS` in a process of its own; what `subprocess.Popen` offers of it.

    It leads a session, and ends with the process that began it. `module`: whose `main` is run, if
    not that of `pulse`. `given` is its stdin; it adds to `log`, and where that is told apart to
    `errors`. `environment` and `folder` are those of this process unless said otherwise.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        log: Path,
        errors: Path | None = None,
        given: Path = _NOTHING,
        module: str = COMMAND_LINE,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> None:
        begin = _Begin(
            module,
            [str(each) for each in arguments],
            dict(os.environ if environment is None else environment),
            folder or Path.cwd(),
            (given, log, errors or log),
        )
        self._process = _CONTEXT.Process(target=begin, daemon=True)
        with _LOCK:
            self._process.start()
        assert self._process.pid is not None
        self.pid: int = self._process.pid

    def poll(self) -> int | None:
        """What it ended with; minus the signal that ended it. None while it runs."""
        with _LOCK:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises `subprocess.TimeoutExpired` after so many seconds."""
        wait([self._process.sentinel], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal; none where it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def run(
    arguments: Sequence[str | Path],
    *,
    said: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    within_s: float = 120.0,
) -> subprocess.CompletedProcess[str]:
    """`pulse ARGUMENTS` to its end, given `said` on stdin: as `subprocess.run` would run it.

    Raises `subprocess.TimeoutExpired`.
    """
    with tempfile.TemporaryDirectory() as made:
        given, out, err = (Path(made, name) for name in ("in", "out", "err"))
        for file, text in ((given, said), (out, ""), (err, "")):
            file.write_text(text)
        process = ForkedProcess(
            arguments, log=out, errors=err, given=given, environment=environment, folder=folder
        )
        try:
            code = process.wait(within_s)
        finally:
            process.send_signal(signal.SIGKILL)
        return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())


@dataclass(frozen=True)
class _Begin:
    """What the fork does, and where."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    folder: Path
    files: tuple[Path, Path, Path]

    def __call__(self) -> None:
        # Before the pipe is closed by which the fork server lives, or that might end unnoticed.
        _end_with_parent()
        given, log, errors = self.files
        with errors.open("ab") as stderr:
            os.dup2(stderr.fileno(), 2)  # what goes wrong from here on is said there
        os.setsid()
        # As a program that is started has none of its parent's either. One of them tells the fork
        # server that somebody needs it still, and then it would not end with who began it.
        os.closerange(3, _MOST_FILES)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        with given.open("rb") as stdin, log.open("ab") as stdout, errors.open("ab") as stderr:
            _take(stdin, stdout, stderr)
        sys.argv = ["pulse", *self.arguments]
        importlib.import_module(self.module).main()


def _take(*files: BinaryIO) -> None:
    """These are stdin, stdout and stderr from here on."""
    for number, file in enumerate(files):
        os.dup2(file.fileno(), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - as long as the process
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115 - as above
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115 - as above


def _end_with_parent() -> None:
    """The fork server ends with who began it, in whatever way; so does its fork then."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
