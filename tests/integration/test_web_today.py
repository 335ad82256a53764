"""Today in a real browser: a morning's way through it, live, by keyboard, for everybody."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright, expect

from pulse.alerting.people.silences import encode_snooze
from pulse.alerting.stages.muting import Snooze
from pulse.readmodel import ReadModel
from pulse.web.tokens import Role

from . import showroom
from .browsing import browser_program
from .webbing import alert, document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from pulse.testing.valkey import ValkeyServer

    from .webbing import Scene

pytestmark = pytest.mark.timeout(240)

ACCOUNTS = 70
WITHIN_MS = 30_000
GROUND = "getComputedStyle(document.body).backgroundColor"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture
async def browser(without: Callable[[str], NoReturn]) -> AsyncIterator[Browser]:
    program = browser_program()
    if program is None:
        without("no Chromium: the page is opened in it (make doctor)")
    async with async_playwright() as playwright:
        found = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield found
        await found.close()


@pytest.fixture
async def scene(valkey: ValkeyServer, unique: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with ReadModel(valkey.url, f"{unique}:") as model:
        await model.write(showroom.fleet(ACCOUNTS))
        history = showroom.remember(tmp_path, ACCOUNTS)
        async with showroom.serving(model, history) as scene:
            showroom.raise_alerts(scene, ACCOUNTS)
            assert scene.board is not None
            while not scene.board.is_filled:  # noqa: ASYNC110 - it fills in a task of its own
                await asyncio.sleep(0.05)
            yield scene


@asynccontextmanager
async def opened(scene: Scene, browser: Browser, **settings: Any) -> AsyncIterator[Page]:
    """A page of a browser that is signed in, at Today; it must complain of nothing."""
    context = await browser.new_context(**{"viewport": DESK, **settings})
    context.set_default_timeout(WITHIN_MS)
    page, complaints = await context.new_page(), []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{scene.origin}/")
    await page.fill("[name=token]", scene.token(Role.member, "kim.larsen"))
    await page.click("#sign-in button")
    await page.wait_for_url(f"{scene.origin}/")
    yield page
    await context.close()
    assert complaints == []


async def names(page: Page) -> list[str]:
    return await page.locator(".board h2").all_inner_texts()


async def test_the_worst_account_is_found_chosen_and_looked_for(
    scene: Scene, browser: Browser
) -> None:
    async with opened(scene, browser) as page:
        first = page.locator(".board li").first
        shown = await first.inner_text()
        assert await page.locator("#shown").inner_text() == "1\u201320 of 20"
        assert await first.locator("svg.spark").count() == 1
        label = await first.locator("svg.spark").get_attribute("aria-label")
        assert re.fullmatch(r"score from [\d.]+ to [\d.]+ in 90 days, danger below 40", label or "")
        for words in ("line 40", "in 28 days", "renew", "MRR", "Owner"):
            assert words in shown, words

        await page.select_option("[name=zone]", "danger")
        await page.wait_for_url("**/?zone=danger&**")
        assert await page.locator(".board .zone.danger").count() == 10
        assert await page.locator(".board .zone.approaching").count() == 0
        async with page.expect_download() as downloading:
            await page.click("text=CSV")
        rows = (await (await downloading.value).path()).read_text().splitlines()
        assert len(rows) == 11
        assert rows[0].startswith("account_id,name,zone")

        await page.keyboard.press("/")
        await page.keyboard.type("fjord")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/search?q=fjord")
        assert await page.locator("main tbody tr").count() == 3
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        await page.keyboard.press("k")
        name = await page.evaluate("document.activeElement.textContent")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/accounts/**")
        assert (await page.locator("h1").inner_text()).startswith(name)

        await page.keyboard.press("?")
        assert await page.locator("dialog#help").is_visible()
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog#help")).to_be_hidden()
        await page.keyboard.press("1")
        await page.wait_for_url(f"{scene.origin}/")


async def test_what_changes_is_shown_without_taking_anything_from_the_reader(
    scene: Scene, browser: Browser
) -> None:
    assert scene.accounts is not None
    async with opened(scene, browser) as page:
        await expect(page.locator("#live")).to_have_text("live", timeout=WITHIN_MS)
        await page.keyboard.press("j")
        focused = await page.evaluate("document.activeElement.textContent")
        assert focused == (await names(page))[0]

        huge = {"name": "Monolith", "mrr": 9e6, "owner": "kim.larsen"}
        await scene.accounts.write([document("monolith", score=2.0, profile=huge)])
        await expect(page.locator(".board h2").first).to_have_text("Monolith", timeout=WITHIN_MS)
        assert await page.evaluate("document.activeElement.textContent") == focused

        fired = alert("monolith", summary="Monolith fell silent.", reason="silence")
        scene.knows(fired)
        scene.service.live.say({"monolith"})
        why = page.locator(".board li").first.locator(".why")
        await expect(why).to_contain_text("Fell silent.", timeout=WITHIN_MS)

        await page.click("text=Monolith")
        await page.wait_for_url("**/accounts/monolith")
        await page.click("summary:has-text('Snooze')")
        await page.fill("form[data-action=snooze] [name=note]", "they are on leave")
        key, value = encode_snooze(Snooze(alert_id=fired.id, author="amara"))
        scene.books.muted.take(key.encode(), value)
        scene.service.live.say({"monolith"})
        await expect(page.locator("main")).to_contain_text("Taken over by amara", timeout=WITHIN_MS)
        note = page.locator("form[data-action=snooze] [name=note]")
        assert await note.input_value() == "they are on leave"
        assert await note.is_visible()
        assert await page.evaluate("document.activeElement.name") == "note"


async def test_times_are_in_the_readers_zone_and_a_theme_that_was_chosen_stays(
    scene: Scene, browser: Browser
) -> None:
    async with opened(
        scene, browser, timezone_id="Asia/Tokyo", locale="en-GB", color_scheme="light"
    ) as page:
        await page.goto(f"{scene.origin}/accounts/{showroom.name_of(0)[0]}")
        shown = page.locator("main time").first
        assert await shown.inner_text() == "2 Mar 2026, 20:59"
        assert await shown.get_attribute("title") == "2026-03-02 11:59 UTC"
        light = await page.evaluate(GROUND)
        await page.click("#theme")
        dark = await page.evaluate(GROUND)
        await page.reload()
        assert dark != light
        assert await page.evaluate(GROUND) == dark
        await page.click("#theme")
        assert await page.evaluate(GROUND) == light
        # Who turns back follows the system again.
        assert await page.evaluate("localStorage.getItem('pulse-theme')") is None


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_nothing_keeps_anybody_from_reading_it(
    scene: Scene, browser: Browser, theme: str, size: dict[str, int]
) -> None:
    taken = next(iter(scene.books.alerts))
    key, value = encode_snooze(Snooze(alert_id=taken.id, author="kim"))
    scene.books.muted.take(key.encode(), value)
    found: dict[str, Any] = {}
    async with opened(scene, browser, color_scheme=theme, viewport=size) as page:
        for path in ("/", "/?owner=nobody-at-all", "/search?q=a", "/accounts/alder-analytics",
                     "/docs", "/sign-in"):  # fmt: skip
            await page.goto(scene.origin + path)
            if path == "/":
                await page.evaluate("document.getElementById('help').showModal()")
            said = (await Axe().run(page)).response["violations"]
            found[path] = [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in said]
            wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            if path in ("/", "/search?q=a"):
                assert wide <= 0, path
            if path == "/":
                await page.keyboard.press("Escape")
                said = (await Axe().run(page)).response["violations"]
                found["/ itself"] = [(each["id"], each["impact"], each["nodes"]) for each in said]
    assert {path: said for path, said in found.items() if said} == {}


async def test_without_a_script_all_of_it_works_but_live(scene: Scene, browser: Browser) -> None:
    async with opened(scene, browser, java_script_enabled=False) as page:
        before = await names(page)
        await page.select_option("[name=zone]", "approaching")
        await page.click("button.unscripted")
        await page.wait_for_url("**/?zone=approaching&**")
        after = await names(page)
        assert len(before) == 20
        assert len(after) == 10
        assert set(after) < set(before)
        assert not await page.locator("#theme").is_visible()
        await page.click(".board h2 a >> nth=0")
        await page.wait_for_url("**/accounts/**")
        assert (await page.locator("h1").inner_text()).startswith(after[0])
