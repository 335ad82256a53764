"""Pages that are live, behind a proxy that answers while the server is away."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from pulse.web.tokens import Role
from tests.browsing import WITHIN_MS
from tests.integration.web import showroom
from tests.integration.web.webbing import document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from pulse.readmodel import ReadModel
    from tests.integration.web.webbing import Scene

pytestmark = pytest.mark.timeout(240)


class Proxy:
    """Hands requests on, but those to `refuses`, which it answers with 502."""

    def __init__(self, origin: str) -> None:
        self._to = urlsplit(origin)
        self._open = set[asyncio.StreamWriter]()
        self.refuses = frozenset[str]()
        self.refused: list[str] = []
        self.origin = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """End what is answered now."""
        for each in self._open:
            each.close()

    async def _take(self, asked: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        self._open.add(answer)
        try:
            head = (await asked.readuntil(b"\r\n\r\n")).decode("latin-1")
            path = head.split(" ", 2)[1]
            if path in self.refuses:
                self.refused.append(path)
                answer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n")
                answer.write(b"Connection: close\r\n\r\n")
                return
            length = re.search(r"content-length: (\d+)", head, re.I)
            body = await asked.readexactly(int(length[1]) if length else 0)
            head = re.sub(r"(?i)connection: [^\r]*", "Connection: close", head)
            there, to = await asyncio.open_connection(self._to.hostname, self._to.port)
            to.write(head.encode("latin-1") + body)
            try:
                while said := await there.read(1 << 16):
                    answer.write(said)
                    await answer.drain()
            finally:
                to.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # somebody has gone
        finally:
            self._open.discard(answer)
            answer.close()


@pytest.fixture
async def scene(accounts: ReadModel) -> AsyncIterator[Scene]:
    async with showroom.serving(accounts) as scene:
        yield scene


@asynccontextmanager
async def seen(browser: Browser, scene: Scene, proxy: Proxy) -> AsyncIterator[Page]:
    """Today, through a proxy, once it is live."""
    context = await browser.new_context()
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    await page.goto(f"{proxy.origin}/")
    await page.fill("[name=token]", scene.token(Role.viewer, "kim"))
    await page.click("#sign-in button")
    await page.wait_for_url(f"{proxy.origin}/")
    await expect(page.locator("#live")).to_have_text("live")
    yield page
    await context.close()


async def test_it_is_live_again_after_a_proxy_said_that_the_server_is_away(
    scene: Scene, browser: Browser
) -> None:
    assert scene.accounts is not None
    async with Proxy(scene.origin).running() as proxy, seen(browser, scene, proxy) as page:
        proxy.refuses = frozenset({"/", "/events"})
        proxy.cut()
        await expect(page.locator("#live")).to_have_text("not live")
        await scene.accounts.write([document("monolith", profile={"name": "Monolith"})])
        async with asyncio.timeout(WITHIN_MS / 1000):
            while "/events" not in proxy.refused:  # noqa: ASYNC110 - the browser asks again
                await asyncio.sleep(0.05)
        proxy.refuses = frozenset()
        await expect(page.locator("#live")).to_have_text("live")
        await expect(page.locator(".board")).to_contain_text("Monolith")


async def test_what_could_not_be_shown_is_asked_for_again(scene: Scene, browser: Browser) -> None:
    assert scene.accounts is not None
    async with Proxy(scene.origin).running() as proxy, seen(browser, scene, proxy) as page:
        proxy.refuses = frozenset({"/"})
        await scene.accounts.write([document("monolith", profile={"name": "Monolith"})])
        await expect(page.locator("#live")).to_have_text("not live")
        proxy.refuses = frozenset()
        await expect(page.locator(".board")).to_contain_text("Monolith")
        await expect(page.locator("#live")).to_have_text("live")


async def test_who_is_not_signed_in_any_more_comes_to_the_form(
    scene: Scene, browser: Browser
) -> None:
    async with Proxy(scene.origin).running() as proxy, seen(browser, scene, proxy) as page:
        await page.context.clear_cookies()
        proxy.cut()
        await page.wait_for_url("**/sign-in?next=%2F")
