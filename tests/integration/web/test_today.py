"""Today in a real browser: a morning's way through it, live, by keyboard, for everybody."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from pulse.alerting.people.silences import encode_snooze
from pulse.alerting.stages.muting import Snooze
from pulse.readmodel import ReadModel
from pulse.web.tokens import Role
from tests.browsing import DESK, PHONE, WITHIN_MS, looking, violations
from tests.integration.web import showroom
from tests.integration.web.webbing import alert, document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from pulse.testing.valkey import ValkeyServer
    from tests.integration.web.webbing import Scene

pytestmark = pytest.mark.timeout(240)

ACCOUNTS = 70
FOCUSED = """(() => { const at = document.activeElement;
    return at.name || at.textContent.trim().replace(/\\s+/g, " "); })()"""
IS_SEEN = """(() => { const at = document.activeElement, style = getComputedStyle(at);
    const box = at.getBoundingClientRect();
    return at !== document.body && box.width > 0 && box.right > 0 && box.bottom > 0
        && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1; })()"""
"""Whether the focus is on something that can be seen, with a line around it."""
GROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.fixture
async def scene(valkey: ValkeyServer, unique: str, tmp_path: Path) -> AsyncIterator[Scene]:
    async with ReadModel(valkey.url, f"{unique}:") as model:
        await model.write(showroom.fleet(ACCOUNTS))
        history = showroom.remember(tmp_path, ACCOUNTS)
        report = tmp_path / "report.html"
        report.write_text("<h1>How the line was chosen</h1>")
        web = {"web": {"calibration_report": str(report)}}
        async with showroom.serving(model, history, web) as scene:
            showroom.raise_alerts(scene, ACCOUNTS)
            assert scene.board is not None
            while not scene.board.is_filled:  # noqa: ASYNC110 - it fills in a task of its own
                await asyncio.sleep(0.05)
            yield scene


@asynccontextmanager
async def opened(
    scene: Scene, browser: Browser, *, misses: int = 0, **settings: Any
) -> AsyncIterator[Page]:
    """A page of a browser that is signed in, at Today."""
    async with looking(browser, misses=misses, **settings) as page:
        await page.goto(f"{scene.origin}/")
        await page.fill("[name=token]", scene.token(Role.member, "kim.larsen"))
        await page.click("#sign-in button")
        await page.wait_for_url(f"{scene.origin}/")
        yield page


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
        rows = (await (await downloading.value).path()).read_text("utf-8-sig").splitlines()
        assert len(rows) == 11
        assert rows[0].startswith('"account_id","name","zone"')

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
        # Who is not connected yet is not told.
        await expect(page.locator("#live")).to_have_text("live", timeout=WITHIN_MS)
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


@pytest.mark.parametrize(
    ("theme", "size"), [("light", DESK), ("dark", PHONE)], ids=["light-desk", "dark-phone"]
)
async def test_nothing_keeps_anybody_from_reading_any_page(
    scene: Scene, browser: Browser, theme: str, size: dict[str, int]
) -> None:
    showroom.say(scene)
    of = next(iter(scene.books.alerts))
    link = scene.links.of(of.id, of.account_id, scene.now_ms)["close"].removeprefix(scene.origin)
    found: dict[str, Any] = {}
    async with opened(scene, browser, misses=1, color_scheme=theme, viewport=size) as page:
        for path in (
            "/", "/ with its keys", "/?owner=nobody-at-all", "/search?q=a",
            f"/accounts/{of.account_id}", "/fleet?segment=smb", "/line?enter=47", "/silences",
            "/docs", link, "/accounts/nobody", "/sign-in",
        ):  # fmt: skip
            answer = await page.goto(scene.origin + path.partition(" ")[0])
            assert answer is not None
            assert answer.status == (404 if path == "/accounts/nobody" else 200), path
            if path.endswith("keys"):
                await page.evaluate("document.getElementById('help').showModal()")
            found[path] = await violations(page)
            # What is wide scrolls within itself.
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found[path].append("something is beside the page")
    assert {path: said for path, said in found.items() if said} == {}


async def test_all_that_a_mouse_does_a_keyboard_does_and_shows_where_it_is(
    scene: Scene, browser: Browser
) -> None:
    of = next(each for each in scene.books.alerts if each.reason == "danger")

    async def focused(page: Page) -> str:
        return str(await page.evaluate(FOCUSED))

    async def tabs_to(page: Page, words: str) -> list[str]:
        """Press the key until the focus is on that; all that it was on."""
        passed: list[str] = []
        while not passed or words not in passed[-1]:
            assert len(passed) < 60, passed
            await page.keyboard.press("Tab")
            passed.append(await focused(page))
            assert await page.evaluate(IS_SEEN), passed[-1]
        return passed

    async with opened(scene, browser) as page:
        await page.goto(f"{scene.origin}/accounts/{of.account_id}")
        await page.keyboard.press("Tab")
        assert await focused(page) == "To what this page is about"
        await page.keyboard.press("Enter")
        passed = await tabs_to(page, "Acknowledge")
        # The head of the page is behind, and the picture's periods come first.
        assert passed == ["a year", "90 days", "28 days", "The same as a table", "Acknowledge"]
        await tabs_to(page, "Close")
        await page.keyboard.press("Enter")
        await tabs_to(page, "note")
        await page.keyboard.type("they moved")
        await tabs_to(page, "outcome")
        await page.keyboard.press("ArrowDown")
        await tabs_to(page, "Close")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**?done=close")
        said = scene.books.outcomes.get(of.id)
        assert said is not None
        assert (said.outcome, said.note) == ("false_alarm", "they moved")

        await page.goto(f"{scene.origin}/silences")
        await tabs_to(page, "Sign out")
        assert await tabs_to(page, "accounts") == ["accounts"]


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
