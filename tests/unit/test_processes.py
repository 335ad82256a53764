"""Ports that nobody else is given."""

from __future__ import annotations

import subprocess
import sys

from pulse.processes import free_port, is_free

_ASK = "from pulse.processes import free_port; print(*(free_port() for _ in range(50)))"
_FORK = """
import os
from pulse.processes import free_port
free_port()
child = os.fork()
# In one piece, also where Python is told to keep nothing back.
os.write(1, "".join(f"{free_port()}\\n" for _ in range(50)).encode())
if child:
    os.waitpid(child, 0)
"""


def test_a_port_that_was_given_is_not_given_again_soon() -> None:
    given = [free_port() for _ in range(50)]
    assert len({*given}) == 50
    assert all(map(is_free, given))


def test_no_two_processes_are_given_the_same_port() -> None:
    mine = {free_port() for _ in range(50)}
    asking = [
        subprocess.Popen([sys.executable, "-c", f"{_ASK}; input()"], stdin=-1, stdout=-1)
        for _ in range(3)
    ]
    theirs: list[int] = []
    for each in asking:
        assert each.stdout is not None
        theirs += map(int, each.stdout.readline().split())
    for each in asking:
        each.communicate(b"\n")
    assert len({*theirs}) == 150
    assert not mine & {*theirs}


def test_a_fork_is_given_others_than_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", _FORK], capture_output=True, check=True)
    assert len({*done.stdout.split()}) == 100
