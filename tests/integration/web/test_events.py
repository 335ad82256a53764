"""What a page is told while it is seen, on real connections."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from pulse.keyring import hash_of
from pulse.web.today.live import MOST_OF_ONE
from pulse.web.tokens import Role
from tests.integration.web import showroom
from tests.integration.web.webbing import SAME_ORIGIN, document, forms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pulse.readmodel import ReadModel
    from tests.integration.web.webbing import Scene

WITHIN_S = 60


@pytest.fixture
async def scene(accounts: ReadModel) -> AsyncIterator[Scene]:
    async with showroom.serving(accounts) as scene:
        assert scene.board is not None
        while not scene.board.is_filled:  # noqa: ASYNC110 - it fills in a task of its own
            await asyncio.sleep(0.05)
        yield scene


@asynccontextmanager
async def signed_in(scene: Scene, token: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = {**SAME_ORIGIN, "Origin": scene.origin}
    async with httpx.AsyncClient(base_url=scene.origin, headers=headers, timeout=WITHIN_S) as found:
        fields = forms(await found.get("/sign-in"))["/sign-in"]
        assert (await found.post("/sign-in", data={**fields, "token": token})).status_code == 303
        yield found


class Listening:
    """A page that is seen."""

    def __init__(self, answer: httpx.Response) -> None:
        self.lines = answer.aiter_lines()

    async def hears(self, within_s: float = WITHIN_S) -> str:
        """The next event; empty where nothing is said, or all is over."""
        try:
            async with asyncio.timeout(within_s):
                async for line in self.lines:
                    if line.startswith("event: "):
                        return line.removeprefix("event: ")
        except TimeoutError:
            return ""
        return ""


@asynccontextmanager
async def listening(browser: httpx.AsyncClient, query: str = "") -> AsyncIterator[Listening]:
    async with browser.stream("GET", f"/events{query}") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        found = Listening(answer)
        assert await anext(found.lines) == "retry: 3000"
        yield found


async def test_a_page_is_told_of_a_change_and_one_of_another_account_is_not(
    scene: Scene, accounts: ReadModel
) -> None:
    async with (
        signed_in(scene, scene.token(Role.viewer)) as browser,
        listening(browser) as today,
        listening(browser, "?account=globex") as globex,
    ):
        await accounts.write([document("acme", score=3.0)])
        assert await today.hears() == "changed"
        assert await globex.hears(within_s=0.3) == ""
    async with (
        signed_in(scene, scene.token(Role.viewer)) as browser,
        listening(browser, "?account=globex") as globex,
    ):
        await accounts.write([document("globex", score=3.0)])
        assert await globex.hears() == "changed"


async def test_only_who_is_signed_in_listens_and_no_longer_than_the_token_holds(
    scene: Scene,
) -> None:
    async with httpx.AsyncClient(base_url=scene.origin, timeout=WITHIN_S) as anybody:
        assert (await anybody.get("/events")).status_code == 401
    token = scene.token(Role.viewer)
    async with signed_in(scene, token) as browser, listening(browser) as page:
        scene.tokens.take(hash_of(token).encode(), None)
        assert await page.hears() == "end"
        assert await page.hears() == ""


async def test_too_many_pages_of_one_session_are_refused_and_a_closed_one_makes_room(
    scene: Scene,
) -> None:
    async with signed_in(scene, scene.token(Role.viewer)) as browser:
        open_pages = [listening(browser) for _ in range(MOST_OF_ONE)]
        for each in open_pages:
            await each.__aenter__()
        refused = await browser.get("/events")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        await open_pages.pop().__aexit__(None, None, None)
        async with asyncio.timeout(WITHIN_S):
            while len(scene.service.live) == MOST_OF_ONE:  # noqa: ASYNC110 - it is seen elsewhere
                await asyncio.sleep(0.05)
        async with listening(browser):
            pass
        for each in open_pages:
            await each.__aexit__(None, None, None)


async def test_who_listens_does_not_hold_up_the_end(accounts: ReadModel) -> None:
    async with showroom.serving(accounts) as scene:
        browser = signed_in(scene, scene.token(Role.viewer))
        page = listening(await browser.__aenter__())
        await page.__aenter__()
        began = asyncio.get_running_loop().time()
    # Well before uvicorn would cut it off.
    assert asyncio.get_running_loop().time() - began < 8
    await browser.__aexit__(None, None, None)
