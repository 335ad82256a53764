"""A process of pulse that a test stops, kills and asks for its metrics."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pulse.processes import Server, ServerError
from pulse.testing import dying
from pulse.testing.forked import COMMAND_LINE, ForkedProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.processes import Process

_POLL_S = 0.2
_SERVERS = ("collect", "web")
_ANSWER_S = 30.0
"""A process that is well may take seconds to answer, where much else runs."""


def runs(pid: int) -> bool:
    """Whether a process is there; one that is dead and not yet waited for is not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"


class Death(msgspec.Struct, frozen=True):
    """The step at which a process died or stopped, its partition if it has one, and when."""

    step: str
    partition: int | None
    at_ms: int


class PulseProcess(Server):
    """A process of pulse, ready when it serves metrics; `pulse collect` and `pulse web` when they
    take requests.

    It begins as a fork that has all imports, unless `forks` is false: see `pulse.testing.forked`.
    """

    name = "pulse"

    def __init__(
        self, folder: Path, name: str, arguments: Sequence[str], port: int, *, forks: bool = True
    ) -> None:
        super().__init__(folder)
        self._forks = forks
        self.port = port
        self.log_path = folder / f"{name}.log"
        self._arguments = list(arguments)
        self.dies_at: tuple[str, int] | None = None
        """A step, and at which time it is reached the process is to die of SIGKILL; holds for the
        next start. See `pulse.testing.dying`."""
        self.stops_at: tuple[str, int] | None = None
        """The same with SIGSTOP: it goes on when it gets a SIGCONT."""

    def _command(self) -> Sequence[str | Path]:
        module, *arguments = self._main()
        return [sys.executable, "-c", f"from {module} import main; main()", *arguments]

    def _main(self) -> Sequence[str | Path]:
        """The module whose `main` is run, and its arguments."""
        how, at = ("SIGKILL", self.dies_at) if self.dies_at else ("SIGSTOP", self.stops_at)
        if at is None:
            return [COMMAND_LINE, *self._arguments]
        self._note.unlink(missing_ok=True)
        step, number = at
        return [dying.__name__, how, step, str(number), self._note, *self._arguments]

    def _begun(self) -> Process:
        if not self._forks:
            return super()._begun()
        module, *arguments = self._main()
        return ForkedProcess(
            arguments,
            log=self.log_path,
            module=str(module),
            environment=self._environment(),
            folder=self.folder,
        )

    def _answers(self) -> bool:
        try:
            if self._arguments[0] in _SERVERS:
                return self.asked("/readyz")[0] == 200
            return bool(self.metrics())
        except (OSError, urllib.error.URLError):
            return False

    def metrics(self) -> str:
        """What Prometheus would scrape now."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(url, timeout=_ANSWER_S) as page:
            return str(page.read().decode())

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in self.metrics().splitlines()
            if line.startswith((f"{name} ", f"{name}{{"))
        )

    def wait_until_ready(self, within_s: float = 90.0) -> None:
        """Return when it says that it is ready. Raises `ServerError` if it does not."""
        deadline = time.monotonic() + within_s
        while (answer := self.asked("/readyz")) != (200, "ok"):
            if time.monotonic() > deadline:
                raise ServerError(f"not ready: {answer}\n{self.log_tail()}")
            time.sleep(_POLL_S)

    def asked(self, path: str) -> tuple[int, str]:
        """What it answers beside its metrics: the status, and what it says."""
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            with urllib.request.urlopen(url, timeout=_ANSWER_S) as page:
                return page.status, page.read().decode().strip()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode().strip()

    @property
    def _note(self) -> Path:
        return self.log_path.with_suffix(".died.json")

    def wait_for_death(self, within_s: float = 120.0) -> Death:
        """Where and when it died. Raises `ServerError` if it does not, or ends in another way."""
        code = self.wait(within_s)
        if code != -signal.SIGKILL or not self._note.exists():
            raise ServerError(f"it was to die at {self.dies_at}, and ended:\n{self.log_tail()}")
        return msgspec.json.decode(self._note.read_bytes(), type=Death)

    def wait_for_stop(self, within_s: float = 120.0) -> Death:
        """Where and when it stopped. Raises `ServerError` if it does not."""
        deadline = time.monotonic() + within_s
        while not self.stands_still():
            if self.ended() or time.monotonic() > deadline:
                raise ServerError(f"it was to stop at {self.stops_at}:\n{self.log_tail()}")
            time.sleep(_POLL_S)
        return msgspec.json.decode(self._note.read_bytes(), type=Death)

    def stands_still(self) -> bool:
        """Whether it has stopped where `stops_at` says, and was not woken."""
        if not self.running or not self._note.exists():
            return False
        # Whoever writes the note stops right after it: until then a SIGCONT would come too early.
        stat = Path(f"/proc/{self.pid}/stat")
        if not stat.exists():  # no Linux
            time.sleep(_POLL_S)
            return True
        with contextlib.suppress(FileNotFoundError):  # it may end meanwhile
            return stat.read_text().rpartition(")")[2].split()[0] == "T"
        return False

    def ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def signal(self, number: int) -> None:
        """Send a signal, like SIGSTOP."""
        os.kill(self.pid, number)

    def stop(self, within_s: float = 30.0) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self.running:
                self.signal(signal.SIGCONT)  # one that stands still ends at nothing but SIGKILL
        super().stop(within_s)

    def wait(self, within_s: float) -> int:
        """The exit code of a process that ends by itself."""
        if self._process is None:
            raise ServerError(f"{self.log_path.stem} was not started")
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise ServerError(f"it still runs after {within_s:g} s:\n{self.log_tail()}") from None
