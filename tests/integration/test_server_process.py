from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

from pulse.processes import Server, ServerError
from pulse.testing.process import runs
from pulse.testing.valkey import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels have no PR_SET_PDEATHSIG")
def test_a_server_ends_with_a_test_process_that_was_killed(
    valkey: ValkeyServer, tmp_path: Path
) -> None:
    script = (
        "import pathlib, sys, time\n"
        "from pulse.testing.valkey import ValkeyServer\n"
        "print(ValkeyServer(pathlib.Path(sys.argv[1])).start().pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        assert runs(server)
        parent.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + 60
    while runs(server) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(server)


def test_a_server_outlives_the_thread_that_started_it(valkey: ValkeyServer, tmp_path: Path) -> None:
    own = ValkeyServer(tmp_path)

    async def start_elsewhere() -> None:
        await asyncio.to_thread(own.start)

    asyncio.run(start_elsewhere())  # ends the pool of threads with the loop

    time.sleep(0.2)
    assert own.running
    own.stop()


class Refusing(Server):
    name: ClassVar[str] = "refusing"

    def _command(self) -> Sequence[str | Path]:
        return [Path(sys.executable), "-c", "raise SystemExit('no disk left')"]

    def _answers(self) -> bool:
        return False


def test_a_server_that_ends_while_starting_is_reported_with_its_log(tmp_path: Path) -> None:
    server = Refusing(tmp_path)

    with pytest.raises(ServerError, match="refusing ended while starting:\nno disk left"):
        server.start()
    assert not server.running
