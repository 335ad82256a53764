"""Clients for browsers as they are, in a real one, through Kafka, to a worker's accounts."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from playwright.async_api import expect

from tests.browsing import launched
from tests.integration.collecting import states, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.collecting import Collecting

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PAGES = Path(__file__).parents[2] / "clients"


class Site(SimpleHTTPRequestHandler):
    """The pages, and beside them the clients."""

    def translate_path(self, path: str) -> str:
        page = PAGES / path.partition("?")[0].lstrip("/")
        return str(page) if page.suffix == ".html" else super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def serving(modules: Path) -> Iterator[str]:
    """The URL of a site that has an origin of its own."""
    handler = partial(Site, directory=str(modules))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("client", ["segment", "posthog"])
async def test_a_client_for_browsers(
    collecting: Collecting, node_modules: Path, chromium: str, client: str
) -> None:
    collecting.system.process("work").start()

    asked = urlencode({"url": collecting.url, "key": collecting.key})
    async with launched(chromium) as browser:
        page = await browser.new_page()
        with serving(node_modules) as site:
            await page.goto(f"{site}/{client}.html?{asked}")
            await expect(page).to_have_title("done")
            # It stays open as long as the client wants for sending.
            await asyncio.to_thread(wait_for, lambda: _events(collecting) == 3)
    accounts = await asyncio.to_thread(states, collecting, ["acme", "globex"])
    assert accounts["acme"]["measures"]["events"]["7d"] == 2
    assert accounts["acme"]["measures"]["active_users"]["7d"] == 1
    assert accounts["globex"]["measures"]["events"]["7d"] == 1
    assert collecting.profiles() == [{"name": "Acme", "plan": "pro"}]
    assert collecting.letters() == []


def _events(collecting: Collecting) -> int:
    return sum("event" in line for line in collecting.lines())
