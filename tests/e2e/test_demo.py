"""`pulse demo` as a script runs it, and as it ends."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import httpx
import pytest

from pulse.embedded import broker_program
from pulse.processes import MissingProgramError
from pulse.testing.process import runs

from .demos import CHILDREN, LINK, arguments, demo

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at the demo's processes in /proc"),
    pytest.mark.timeout(300),
]


_LISTENS = "0A"
_LOOPBACK = "0100007F"
"""127.0.0.1, as the kernel shows it."""


@pytest.fixture
def folder(tmp_path: Path, without: Callable[[str], NoReturn]) -> Path:
    try:
        broker_program()
    except MissingProgramError as error:
        without(str(error))
    return tmp_path


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
            link = running.read_until(LINK)[1]
            running.read_until(r"[1-9]\d* webhooks? verified")
            assert len(running.children()) == CHILDREN
            assert_shows_accounts_to_whoever_has(link)
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
        deadline = time.monotonic() + 90
        while len(running.children()) < CHILDREN and time.monotonic() < deadline:
            time.sleep(0.05)
        children = running.children()
        assert len(children) == CHILDREN
        running.process.kill()
        running.process.wait()
    deadline = time.monotonic() + 30
    while any(map(runs, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, children))


def assert_shows_accounts_to_whoever_has(link: str) -> None:
    """And to nobody else, nor on another address than this machine's own."""
    origin, _, token = link.partition("/sign-in#")
    with httpx.Client(base_url=origin, timeout=30) as http:
        assert http.get("/").headers["location"].startswith("/sign-in")
        assert http.get("/sign-in").status_code == 200
        assert http.get("/api/v1/accounts").status_code == 401
        mine = {"Authorization": f"Bearer {token}"}
        # An alert may come before the account that it is about.
        deadline = time.monotonic() + 60
        while not (items := http.get("/api/v1/accounts", headers=mine).json()["items"]):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert {"account_id", "zone", "score"} <= items[0].keys()
    port = f"{int(origin.rpartition(':')[2]):04X}"
    sockets = [
        line.split()
        for kind in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{kind}").read_text().splitlines()[1:]
    ]
    local = {place for _, place, _, state, *_ in sockets if state == _LISTENS}
    assert {place for place in local if place.endswith(f":{port}")} == {f"{_LOOPBACK}:{port}"}
