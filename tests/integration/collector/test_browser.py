"""Clients for browsers as they are, in a real one, through Kafka, to a worker's accounts."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.integration.collecting import states, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.collecting import Collecting

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

PAGES = Path(__file__).parents[2] / "clients"


class Browser:
    """Chromium without a window."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder

    def open(self, url: str) -> str:
        """The page as it stands when its scripts have nothing left to do."""
        done = subprocess.run(
            [
                self._program,
                "--headless",
                "--no-sandbox",  # without which it does not run as root, as in containers
                "--disable-gpu",
                "--disable-dev-shm-usage",
                f"--user-data-dir={self._folder}",
                # Its clock runs ahead while nothing is awaited from the network.
                "--virtual-time-budget=30000",
                "--dump-dom",
                url,
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def browser(tmp_path: Path, chromium: str) -> Browser:
    return Browser(chromium, tmp_path / "browser")


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
def test_a_client_for_browsers(
    collecting: Collecting, node_modules: Path, browser: Browser, client: str
) -> None:
    collecting.system.process("work").start()

    asked = urlencode({"url": collecting.url, "key": collecting.key})
    with serving(node_modules) as site:
        page = browser.open(f"{site}/{client}.html?{asked}")
    assert "<title>done</title>" in page

    wait_for(lambda: sum("event" in line for line in collecting.lines()) >= 3)
    accounts = states(collecting, ["acme", "globex"])
    assert accounts["acme"]["measures"]["events"]["7d"] == 2
    assert accounts["acme"]["measures"]["active_users"]["7d"] == 1
    assert accounts["globex"]["measures"]["events"]["7d"] == 1
    assert collecting.profiles() == [{"name": "Acme", "plan": "pro"}]
    assert collecting.letters() == []
