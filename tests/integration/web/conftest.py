"""What several of these tests begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.readmodel import ReadModel
from tests.browsing import launched
from tests.integration.web.process import Webbing
from tests.integration.web.webbing import Scene, document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from playwright.async_api import Browser

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer


@pytest.fixture
async def accounts(valkey: ValkeyServer, unique: str) -> AsyncIterator[ReadModel]:
    async with ReadModel(valkey.url, f"{unique}:") as model:
        await model.write([document("acme"), document("globex")])
        yield model


@pytest.fixture
def scene(accounts: ReadModel) -> Scene:
    """The pages, and no Kafka."""
    return Scene(accounts)


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
