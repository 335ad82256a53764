"""The page in a real browser, from the link of a message to the records on the topics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pulse.alerting.people.outcomes import decode_outcome
from pulse.alerting.people.silences import Muted
from pulse.readmodel import ReadModel
from tests.browsing import looking
from tests.integration.web.process import DAY_MS, Webbing
from tests.integration.web.webbing import document

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


async def test_from_the_link_of_a_message_to_the_topics(webbing: Webbing, browser: Browser) -> None:
    async with ReadModel(webbing.redis["url"], webbing.redis["prefix"]) as accounts:
        await accounts.write([document("acme", profile={"name": "Ac<b>me"})])
    alert = webbing.raises("acme")
    async with looking(browser) as page:
        await page.goto(webbing.link(alert, "acknowledge"))
        shown = await page.inner_text("body")
        is_open = await page.locator("details:has(form[data-action=acknowledge])").evaluate(
            "each => each.open"
        )
        drawn = await page.locator("svg.gauge").bounding_box()
        color = await page.locator(".gauge rect.danger").evaluate(
            "each => getComputedStyle(each).fill"
        )
        taken = await submit(page, "acknowledge", author="Kim", note="I call them")
        first = muted(webbing).snoozes[alert.id]
        await page.goto(webbing.link(alert, "snooze"))
        await page.select_option("form[data-action=snooze] [name=for]", "3d")
        snoozed = await submit(page, "snooze")
        second = muted(webbing).snoozes[alert.id]
        await page.goto(webbing.link(alert, "close"))
        await page.check("form[data-action=close] [value=false_alarm]")
        closed = await submit(page, "close", note="they moved")

    assert "Ac<b>me" in shown
    assert "Acme is in danger" in shown
    assert (is_open, drawn is not None and drawn["width"] > 100, color) == (
        True,
        True,
        "rgb(201, 53, 43)",
    )
    assert "You have taken it over." in taken
    assert (first.author, first.reason, first.until_ms) == ("Kim (by link)", "I call them", None)
    assert "Snoozed until" in snoozed
    assert second.until_ms is not None
    assert second.until_ms - time.time_ns() // 1_000_000 > 2 * DAY_MS
    assert "Closed as false alarm by somebody with the link" in closed
    (record,) = webbing.system.read("outcomes")
    assert decode_outcome(record.value).note == "they moved"


async def test_signing_in_in_a_browser(webbing: Webbing, browser: Browser) -> None:
    async with ReadModel(webbing.redis["url"], webbing.redis["prefix"]) as accounts:
        await accounts.write([document("acme"), document("globex")])
    alert = webbing.raises("acme")
    async with looking(browser) as page:
        await page.goto(f"{webbing.url}/accounts/acme")
        await page.wait_for_url(f"{webbing.url}/sign-in?next=%2Faccounts%2Facme")
        await page.fill("[name=token]", webbing.token)
        await page.click("#sign-in button")
        await page.wait_for_url(f"{webbing.url}/accounts/acme")
        shown = await page.inner_text("body")
        await page.locator("details:has(form[data-action=acknowledge]) > summary").click()
        done = await submit(page, "acknowledge", note="mine")
        cookies = await page.evaluate("document.cookie")

    assert "kim, member" in shown
    assert "Taken over by kim: mine" in done
    assert cookies == ""  # out of reach of scripts
    assert muted(webbing).snoozes[alert.id].author == "kim"


async def submit(page: Page, action: str, **fields: str) -> str:
    """Fill in the form of an action and press its button; the text of the next page."""
    form = page.locator(f"form[data-action={action}]")
    for name, value in fields.items():
        await form.locator(f"[name={name}]").fill(value)
    before = page.url
    await form.locator("button").click()
    await page.wait_for_url(lambda url: url != before)
    return await page.inner_text("body")


def muted(webbing: Webbing) -> Muted:
    found = Muted()
    for record in webbing.system.read("silences"):
        found.read(record.key.decode(), record.value)
    return found
