"""What a process says of itself."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from pulse import health
from pulse.health import STANDS_STILL_S, Health
from pulse.metrics import MetricsServer, serve
from pulse.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def process(clock: Clock) -> Health:
    return Health("topics", progress_within_s=30.0, now_s=clock)


@pytest.fixture
def server(process: Health) -> Iterator[MetricsServer]:
    server = serve("127.0.0.1", 0, CollectorRegistry(), health=process)
    yield server
    server.close()


def get(server: MetricsServer, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}") as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_is_alive_before_it_is_ready(server: MetricsServer, process: Health) -> None:
    assert get(server, "/healthz") == (200, "ok\n")
    assert get(server, "/readyz") == (503, "waits for topics\n")
    process.waits_for = None
    assert get(server, "/readyz") == (200, "ok\n")


def test_without_progress_it_is_not_ready_and_lives(
    server: MetricsServer, process: Health, clock: Clock
) -> None:
    process.waits_for = None
    clock.now_s = 31.0
    process.beat()
    assert get(server, "/readyz") == (503, "nothing was committed for 31 s\n")
    assert get(server, "/healthz")[0] == 200
    process.went_on()
    assert get(server, "/readyz")[0] == 200


def test_a_loop_that_stands_still_is_not_alive(
    server: MetricsServer, process: Health, clock: Clock
) -> None:
    process.waits_for = None
    clock.now_s = STANDS_STILL_S + 1
    process.went_on()
    for path in ("/healthz", "/readyz"):
        assert get(server, path) == (503, "it stands still for 61 s\n")


def test_from_its_first_answer_on_it_says_what_it_waits_for() -> None:
    port, ended, said = free_port(), threading.Event(), set()

    def ask() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/readyz")
                said.add(connection.getresponse().status)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(20):
        serve("127.0.0.1", port, CollectorRegistry(), health=Health("topics")).close()
    ended.set()
    asking.join()
    assert said == {503}


def test_metrics_are_beside_it(server: MetricsServer) -> None:
    assert get(server, "/metrics")[0] == 200


def test_the_check_of_an_image_asks_whoever_runs(
    server: MetricsServer, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = free_port()
    assert health.main([str(nobody), str(server.port)]) == 0
    clock.now_s = STANDS_STILL_S + 1
    assert health.main([str(nobody), str(server.port)]) == 1
    assert "stands still" in capsys.readouterr().out
    assert health.main([str(nobody)]) == 1
    assert "no process of pulse" in capsys.readouterr().out


def test_one_that_does_not_answer_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_ASK_WITHIN_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began_s = time.monotonic()
        assert health.main([str(silent.getsockname()[1])]) == 1
        assert time.monotonic() - began_s < 60  # unbounded it would be for ever
