"""A real browser, told what to do by Playwright."""

from __future__ import annotations

import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright, expect

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESK, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
WITHIN_MS = 60_000

expect.set_options(timeout=WITHIN_MS)  # as pages have it: unsaid it is five seconds


def browser_program() -> str | None:
    """Where a browser is; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@asynccontextmanager
async def launched(program: str, *arguments: str) -> AsyncIterator[Browser]:
    """A browser without a window, in a process of its own."""
    async with async_playwright() as playwright:
        # Without the first it does not run as root, as in containers.
        arguments = ("--no-sandbox", "--disable-dev-shm-usage", *arguments)
        browser = await playwright.chromium.launch(
            executable_path=program, args=arguments, timeout=2 * WITHIN_MS
        )
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def looking(browser: Browser, *, misses: int = 0, **settings: Any) -> AsyncIterator[Page]:
    """A page of its own, which complains of nothing but of as many answers that are an error.

    `settings` are those of a context: a theme, the size of the window.
    """
    complaints: list[str] = []
    context = await browser.new_context(**{"viewport": DESK, **settings})
    page = await context.new_page()
    page.set_default_timeout(WITHIN_MS)
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    assert [each for each in complaints if "with a status of 4" not in each] == []
    assert len(complaints) == misses


async def violations(page: Page) -> list[str]:
    """What axe finds in a page: of each rule that it breaks, a first place."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{each['id']} ({each['impact']}): {each['nodes'][0]['html'][:200]}" for each in found]
