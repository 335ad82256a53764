"""Servers for the tests that need them, and a name of its own for each test."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import hypothesis
import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from pulse.processes import MissingProgramError
from pulse.testing.kafka import KafkaServer
from pulse.testing.valkey import ValkeyServer
from pulse.testing.webhooks import CHECKS
from pulse.twin import is_compiled
from tests.browsing import browser_program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pulse.processes import Server

S = TypeVar("S", bound="Server")

TESTS = Path(__file__).parent
LONG = ("faults", "e2e", "integration", "contract", "docs", "deploy", "property")
"""Rooms whose tests take long, the longest first."""

# A deadline per example measures the machine, not the code. The examples are the same each time, so
# that nobody's change fails on what was there before; `HYPOTHESIS=hunt` looks for new ones.
hypothesis.settings.register_profile("pulse", deadline=None, print_blob=True, derandomize=True)
hypothesis.settings.register_profile(
    "hunt", deadline=None, print_blob=True, max_examples=5_000, database=None
)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS", "pulse"))


def by_the_package(keys: Sequence[bytes], raw: bytes, headers: Mapping[str, str]) -> str | None:
    """What `standardwebhooks` finds wrong with a webhook that was received."""
    for key in keys:
        with contextlib.suppress(WebhookVerificationError):
            Webhook(key).verify(raw, dict(headers), json_parse=False)
            return None
    return "standardwebhooks refuses it"


CHECKS.append(by_the_package)


def _rank(path: Path) -> int:
    """By the room: how early its tests are run."""
    room = path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""
    return LONG.index(room) if room in LONG else len(LONG)


def pytest_sessionstart() -> None:
    """A compiled core older than its sources would be tested in their place."""
    if is_compiled():
        compile_core = Path(__file__).parents[1] / "deploy" / "compile.py"
        done = subprocess.run([sys.executable, compile_core, "--check"], check=False)
        if done.returncode:
            pytest.exit("the compiled engine is older than its sources: run `make compile`", 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes long begins first, so that at the end nobody waits for one of them.
    items.sort(key=lambda item: _rank(item.path))
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session", autouse=True)
def _bytecode_is_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where Python is told to write no bytecode, as in many containers, each process that a test
    starts would compile all that it imports. They share it, and it is gone with the other files.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None):
        os.environ.setdefault("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("bytecode")))


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> Iterator[None]:
    """A command that a test calls turns logs to a stderr that is closed when the test ends."""
    yield
    if (structlog := sys.modules.get("structlog")) is not None:
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """One Apache Kafka for all tests; a test that kills it has a `KafkaServer` of its own."""
    # One that only stands still for a while is not taken for dead: nobody could make a topic then.
    patient = {"broker.session.timeout.ms": "30000"}
    yield from _running(KafkaServer(tmp_path_factory.mktemp("kafka"), properties=patient))


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One Valkey for all tests; keys begin with `unique`."""
    yield from _running(ValkeyServer(tmp_path_factory.mktemp("valkey")))


@pytest.fixture
def unique(request: pytest.FixtureRequest) -> str:
    """A prefix for topics, groups and keys that no other test, and no other run, has."""
    readable = re.sub(r"[^a-zA-Z0-9]+", "-", request.node.name).strip("-")[:40]
    return f"{readable}-{uuid.uuid4().hex[:8]}"


def _without(why: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(why)  # a skipped test would be taken for a passed one
    pytest.skip(why)  # somebody's own machine need not have everything


@pytest.fixture(scope="session")
def without() -> Callable[[str], NoReturn]:
    """Ends a test for which something is missing: skipped, but where CI is set it fails."""
    return _without


@pytest.fixture(scope="session")
def chromium(without: Callable[[str], NoReturn]) -> str:
    """Where a real browser is."""
    program = browser_program()
    if program is None:
        without("no Chromium: the pages are opened in it (make doctor)")
    return program


def _running(server: S) -> Iterator[S]:
    try:
        server.start()
    except MissingProgramError as error:
        _without(str(error))
    yield server
    server.stop()
