"""What several of these tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.processes import MissingProgramError
from pulse.testing.system import System
from tests.browsing import launched
from tests.clients.fetch import fetch, node_program
from tests.integration.collecting import Collecting
from tests.integration.web.process import Webbing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path
    from typing import NoReturn

    from playwright.async_api import Browser

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer


@pytest.fixture
def collecting(kafka: KafkaServer, tmp_path: Path, unique: str) -> Iterator[Collecting]:
    settings = {"clock": "wall", "worker": {"flush_interval_s": 0.5, "reread_s": 0}}
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2, settings=settings)
    system.create_topics()
    try:
        yield Collecting(system)
    finally:
        system.stop()


@pytest.fixture
def webbing(
    kafka: KafkaServer, valkey: ValkeyServer, tmp_path: Path, unique: str
) -> Iterator[Webbing]:
    found = Webbing(kafka.bootstrap, valkey, tmp_path, unique)
    try:
        yield found
    finally:
        found.system.stop()


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with launched(chromium) as found:
        yield found


@pytest.fixture(scope="session")
def node_modules(without: Callable[[str], NoReturn]) -> Path:
    """The folder with clients for Node and browsers, and a Node to run them."""
    try:
        node_program()
        return fetch()
    except MissingProgramError as error:
        without(str(error))
