"""A server in a process of its own: started, stopped, killed, started again on its disk.

What the embedded parts, the demo and `pulse.testing` have in common. A server ends with the
process that started it, whichever way that goes (where the kernel is Linux; elsewhere a parent
that was killed with SIGKILL leaves it behind).
"""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Protocol, Self

from pulse.errors import PulseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

_BLOCK: Final = 100
"""Ports that a process has to itself."""


class ServerError(PulseError):
    """A server did not start, or ended by itself; the message holds the end of its log."""


class MissingProgramError(ServerError):
    """A program that the server needs is not on this machine; the message says what to do."""


def free_port(preferred: int | None = None) -> int:
    """A TCP port of 127.0.0.1 that nobody listens on: the preferred one if it is free.

    Below the range the system takes ports for outgoing connections from: a server that is
    killed and started again must find its port free, and a port of that range may by then
    belong to one of the clients that try to reach it. But for preferred ones no two processes are
    given the same, nor is one process within a hundred: who asked first may not listen on it yet.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    for port in islice(_claimed(os.getpid()), _BLOCK):
        if is_free(port):
            return port
    raise ServerError("no free port on 127.0.0.1")


@cache
def _claimed(pid: int) -> Iterator[int]:
    """Ports that are this process's alone, one after the other, again and again.

    While it lives it holds the first of them for UDP, where nobody wants it for anything else. A
    fork has others than its parent, for it asks with another `pid`.
    """
    starts = [*range(10_000, _first_ephemeral_port() - _BLOCK, _BLOCK)]
    random.shuffle(starts)
    for start in starts:
        claim = socket.socket(type=socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            claim.bind(("127.0.0.1", start))
            claim.detach()  # which leaves it open
            return cycle(range(start, start + _BLOCK))
        claim.close()
    raise ServerError("no free port on 127.0.0.1")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as candidate:
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _first_ephemeral_port() -> int:
    try:
        low = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return 32_768
    return low if low > 20_000 else 32_768


# Runs between the fork and the server. The kernel kills the server when the thread that made
# it is gone, however that process ended: SIGKILL runs no `finally` and no `atexit`, and a
# JVM left behind holds half a gigabyte and a port. A launcher rather than `preexec_fn`: that
# may deadlock where there are threads, and the setting outlives `exec`. The second look at
# the parent covers its death before `prctl`.
_LAUNCHER = """
import os, sys
if sys.platform == "linux":
    import ctypes
    PR_SET_PDEATHSIG, SIGKILL = 1, 9
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, SIGKILL)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""

# The kernel means the thread, not the process. This one lives as long as the interpreter,
# so a server started with `asyncio.to_thread` outlives the event loop's pool.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pulse-spawner")


class Process(Protocol):
    """What a server needs of its process; `subprocess.Popen` is one."""

    pid: int

    def poll(self) -> int | None:
        """What it ended with; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended. Raises `subprocess.TimeoutExpired` after so many seconds."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal; none where it has ended."""


class Server(ABC):
    """One server on 127.0.0.1 that keeps its files in a folder and its port for life.

    `start` returns when the server answers. As a context manager it starts and stops.
    """

    name: ClassVar[str]
    ready_within_s: ClassVar[float] = 60.0

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = free_port() if port is None else port
        self.log_path = folder / f"{self.name}.log"
        self._process: Process | None = None

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """The program with its full path, and its arguments; called before every start."""

    def _environment(self) -> Mapping[str, str]:
        """The server's environment; that of this process unless said otherwise."""
        return os.environ

    @abstractmethod
    def _answers(self) -> bool:
        """Whether a request of the server's own protocol succeeds; asked until it does."""

    @property
    def running(self) -> bool:
        """Whether the process is there (it may be on its way up or down)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The server's process id; raises `ServerError` when it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise ServerError(f"{self.name} does not run")
        return self._process.pid

    def exit_code(self, within_s: float = 30.0) -> int:
        """What it ended with, once it has; raises `ServerError` when it does not end."""
        if self._process is None:
            raise ServerError(f"{self.name} was not started")
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise ServerError(f"{self.name} did not end within {within_s:g} s") from None

    def start(self) -> Self:
        """Start the server and wait until it answers; nothing if it runs already."""
        if not self.running:
            self.launch()
            self.wait_until_it_answers()
        return self

    def launch(self) -> None:
        """Start the server, without waiting."""
        if not is_free(self.port):  # else who listens there would answer in its place
            raise ServerError(
                f"{self.name} cannot listen on 127.0.0.1:{self.port}: the port is in use"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = self._begun()
        atexit.register(self.kill)

    def _begun(self) -> Process:
        """Its process, which leads a session, in its folder, and writes to its log."""
        command = [str(part) for part in self._command()]
        launch = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]
        with self.log_path.open("ab") as log:
            return _spawner.submit(
                subprocess.Popen,
                launch,
                cwd=self.folder,
                env=dict(self._environment()),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for who started it, and that stops the server
            ).result()

    def wait_until_it_answers(self) -> None:
        """Return when a server that was launched answers. Raises `ServerError` if it does not."""
        deadline = time.monotonic() + self.ready_within_s
        try:
            while not self._answers():
                if not self.running:
                    raise ServerError(f"{self.name} ended while starting:\n{self.log_tail()}")
                if time.monotonic() > deadline:
                    raise ServerError(
                        f"{self.name} did not answer within {self.ready_within_s:g} s:\n"
                        f"{self.log_tail()}"
                    )
                time.sleep(0.05)
        except BaseException:  # Ctrl-C too: what does not answer is not left running
            self.kill()
            raise

    def stop(self, within_s: float = 30.0) -> None:
        """End the server as an operator would (SIGTERM); kill it when that takes too long."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(within_s)
        self.kill()

    def kill(self) -> None:
        """End the server as a power cut would (SIGKILL); its disk stays."""
        if self._process is not None:
            if self._process.poll() is None:
                # It leads a group of its own: what it started goes with it.
                try:
                    os.killpg(self._process.pid, signal.SIGKILL)
                except ProcessLookupError:  # it has ended, or does not lead it yet
                    self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None
            atexit.unregister(self.kill)

    def restart(self) -> Self:
        """Start again on the same disk and port; a server that runs is stopped first."""
        self.stop()
        return self.start()

    def log_tail(self, lines: int = 20) -> str:
        """The end of what the server wrote."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
