"""A day through which something lasts is the reader's own: with the script, and said without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.web.tokens import Role
from tests.browsing import looking
from tests.integration.web import showroom

if TYPE_CHECKING:
    from playwright.async_api import Browser

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize(
    ("zone", "has_script", "ends"),
    [
        ("Asia/Tokyo", True, "2026-04-10T15:00:00Z"),
        # Where it is summer by then, and not today.
        ("Europe/Berlin", True, "2026-04-10T22:00:00Z"),
        ("Asia/Tokyo", False, "2026-04-11T00:00:00Z"),
    ],
)
async def test_a_silence_lasts_through_the_day_of_the_reader(
    browser: Browser, zone: str, has_script: bool, ends: str
) -> None:
    settings = {"timezone_id": zone, "java_script_enabled": has_script}
    async with showroom.serving(None) as scene, looking(browser, **settings) as page:
        await page.goto(f"{scene.origin}/sign-in?next=%2Fsilences")
        await page.locator("input[name=token]").fill(scene.token(Role.member, "kim"))
        await page.locator("form:has(input[name=token]) button").click()
        await page.wait_for_url("**/silences")
        is_said = await page.locator("form .unscripted").is_visible()
        await page.locator("input[name=accounts]").fill("acme")
        await page.locator("input[name=reason]").fill("they are on leave")
        await page.locator("input[name=until]").fill("2026-04-10")
        await page.locator("form.box button.first").click()
        await page.wait_for_url("**/silences?done=made")

    assert is_said is not has_script
    ((_, said),) = scene.records("silences")
    assert said["ends_at"] == ends
