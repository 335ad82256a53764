"""Processes that are forks are like those that were started."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import pulse
from pulse.testing import forked
from pulse.testing.forked import ForkedProcess, run
from pulse.testing.process import runs

if TYPE_CHECKING:
    from pathlib import Path

# Runs until it is ended, and says first which process it is, in which group, with which files.
WAITS = """
import os, time

def main():
    print(os.getpid(), os.getpgid(0), *sorted(os.listdir("/proc/self/fd")), flush=True)
    time.sleep(60)
"""
SAYS = """
import os, sys

def main():
    print(os.environ["MINE"], os.getcwd(), sys.stdin.read(), *sys.argv, flush=True)
    sys.exit("why")
"""
KILLED = """
import pathlib, sys, time
from pulse.testing.forked import ForkedProcess

if __name__ == "__main__":
    log, module = pathlib.Path(sys.argv[1]), sys.argv[2]
    print(ForkedProcess([], log=log, module=module).pid, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("module", forked._PRELOADED)
def test_what_forks_have_already_is_there(module: str) -> None:
    # The fork server passes over what it cannot import, and each fork then imports it again.
    importlib.import_module(module)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that forks find."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def waits(modules: Path) -> str:
    (modules / "waits_for_long.py").write_text(WAITS)
    return "waits_for_long"


def first_line(log: Path) -> list[str]:
    deadline = time.monotonic() + 60
    while not log.exists() or not log.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return log.read_text().split()


def test_what_a_command_prints_and_how_it_ends() -> None:
    done = run(["--version"])
    failed = run(["nonsense"])

    assert (done.returncode, done.stdout, done.stderr) == (0, f"pulse {pulse.__version__}\n", "")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert "nonsense" in failed.stderr


def test_it_has_its_own_folder_environment_and_input(modules: Path, tmp_path: Path) -> None:
    (modules / "says_all.py").write_text(SAYS)
    given, log = tmp_path / "given", tmp_path / "log"
    given.write_text("in")
    place = {**os.environ, "MINE": "here"}

    process = ForkedProcess(
        ["a", "b"], log=log, given=given, module="says_all", environment=place, folder=tmp_path
    )

    assert process.wait(60) == 1
    assert log.read_text() == f"here {tmp_path} in pulse a b\nwhy\n"
    assert "MINE" not in os.environ


def test_it_leads_a_session_and_has_none_of_its_parents_files(waits: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = ForkedProcess([], log=log, module=waits)
    pid, group, *files = first_line(log)

    assert int(pid) == int(group) == process.pid
    assert files[:3] == ["0", "1", "2"]
    assert len(files) == 4  # the last is that of looking
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == process.poll() == -signal.SIGKILL
    process.send_signal(signal.SIGKILL)  # nothing to send it to


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels have no PR_SET_PDEATHSIG")
def test_it_ends_with_a_test_process_that_was_killed(waits: str, tmp_path: Path) -> None:
    script, log = tmp_path / "killed.py", tmp_path / "log"
    script.write_text(KILLED)
    with subprocess.Popen(
        [sys.executable, script, log, waits], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert first_line(log)[0] == str(pid)
        parent.send_signal(signal.SIGKILL)

    deadline = time.monotonic() + 60
    while runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)
