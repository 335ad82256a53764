"""Signing in and the audit log in a real browser: by keyboard, in both themes, on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from pulse.desk.audit import By, entry, record_of
from pulse.model import Change, Way
from pulse.web.tokens import Role
from tests.browsing import DESK, PHONE, looking, violations
from tests.integration.web import showroom
from tests.integration.web.webbing import NOW_MS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.integration.web.webbing import Scene

pytestmark = pytest.mark.timeout(240)

PASSWORD = "a horse and a staple"


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with showroom.serving(None) as scene:
        scene.user("kim", PASSWORD, Role.admin)
        changes = (Change.alert_snoozed, Change.alert_closed, Change.token_made, Change.erased)
        for number in range(60):
            change = changes[number % 4]
            is_alert = "alert" in change
            said = entry(
                By(f"person-{number % 3}", list(Way)[number % 5]),
                change,
                NOW_MS - number * 3_600_000,
                account_id=showroom.name_of(number)[0] if is_alert else None,
                subject=f"al_{number:026}" if is_alert else "pt_Ab3dE",
                **({"until": "2026-03-05T12:00:00Z"} if is_alert else {"role": "member"}),
            )
            record = record_of(said, "audit")
            scene.books.audit.take(record.key or b"", record.value)
        yield scene


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
async def test_an_admin_signs_in_by_keyboard_and_finds_who_changed_what(
    scene: Scene, browser: Browser, theme: str, size: dict[str, int]
) -> None:
    # A browser tells of every answer that is an error: that of the wrong password.
    async with looking(browser, misses=1, viewport=size, color_scheme=theme) as page:
        await page.goto(f"{scene.origin}/audit")
        await page.wait_for_url("**/sign-in?next=%2Faudit")
        found = {"sign-in": await violations(page)}
        await page.click("summary")
        found["with a token"] = await violations(page)

        await page.focus("[name=name]")
        await page.keyboard.type("kim")
        await page.keyboard.press("Tab")
        await page.keyboard.type("a wrong password")
        await page.keyboard.press("Enter")
        await expect(page.locator(".note")).to_have_text("the name or the password is wrong")
        assert await page.input_value("[name=name]") == "kim"
        assert await page.input_value("[name=password]") == ""
        found["wrong"] = await violations(page)
        await page.fill("[name=password]", PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{scene.origin}/audit")

        assert await page.locator("tbody tr").count() == 50
        await expect(page.locator("nav [aria-current=page]")).to_have_text("Audit")
        found["audit"] = await violations(page)
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0
        await page.click("text=Those before")
        await expect(page.locator("tbody tr")).to_have_count(10)
        await page.get_by_role("link", name="The newest", exact=True).click()
        await expect(page.locator("tbody tr")).to_have_count(50)  # else the old page is filled in
        await page.select_option("[name=change]", "alert_closed")
        await page.fill("[name=who]", "person-1")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/audit?who=person-1&change=alert_closed&account=")
        await expect(page.locator("tbody tr")).to_have_count(5)
        async with page.expect_download() as downloading:
            await page.click("text=CSV")
        rows = (await (await downloading.value).path()).read_text().splitlines()
        assert len(rows) == 6
        await page.goto(f"{scene.origin}/audit?who=nobody")
        found["nothing"] = await violations(page)

    assert {name: said for name, said in found.items() if said} == {}


async def test_a_link_signs_in_also_who_is_at_that_page(scene: Scene, browser: Browser) -> None:
    async with looking(browser) as page:
        await page.goto(f"{scene.origin}/sign-in?next=%2Faudit")
        await page.goto(f"{page.url}#{scene.token(Role.admin, 'kim')}")
        await page.wait_for_url(f"{scene.origin}/audit")
        await expect(page.locator("header")).to_contain_text("kim, admin")
