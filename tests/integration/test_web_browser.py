"""The page in a real browser, from the link of a message to the records on the topics."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from pulse.alerting.people.outcomes import decode_outcome
from pulse.alerting.people.silences import Muted
from pulse.readmodel import ReadModel

from .browsing import Browser, browser_program
from .web_process import DAY_MS, Webbing
from .webbing import document

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]


@pytest.fixture
def browser(tmp_path: Path, without: Callable[[str], NoReturn]) -> Iterator[Browser]:
    program = browser_program()
    if program is None:
        without("no Chromium: the page is opened in it (make doctor)")
    found = Browser(program, tmp_path)
    try:
        yield found
    finally:
        found.stop()


async def test_from_the_link_of_a_message_to_the_topics(webbing: Webbing, browser: Browser) -> None:
    async with ReadModel(webbing.redis["url"], webbing.redis["prefix"]) as accounts:
        await accounts.write([document("acme", profile={"name": "Ac<b>me"})])
    alert = webbing.raises("acme")
    async with browser.tab() as tab:
        shown = await tab.open(webbing.link(alert, "acknowledge"))
        is_open = await tab.look(
            "document.querySelector('form[data-action=acknowledge]').closest('details').open"
        )
        drawn = await tab.look("document.querySelector('svg.gauge').getBoundingClientRect().width")
        color = await tab.look(
            "getComputedStyle(document.querySelector('.gauge rect.danger')).fill"
        )
        taken = await tab.submit("acknowledge", author="Kim", note="I call them")
        first = muted(webbing).snoozes[alert.id]
        await tab.open(webbing.link(alert, "snooze"))
        snoozed = await tab.submit("snooze", **{"for": "3d"})
        second = muted(webbing).snoozes[alert.id]
        await tab.open(webbing.link(alert, "close"))
        closed = await tab.submit("close", outcome="false_alarm", note="they moved")
        complaints = tab.said

    assert "Ac<b>me" in shown
    assert "Acme is in danger" in shown
    assert (is_open, drawn > 100, color) == (True, True, "rgb(201, 53, 43)")
    assert "You have taken it over." in taken
    assert (first.author, first.reason, first.until_ms) == ("Kim (by link)", "I call them", None)
    assert "Snoozed until" in snoozed
    assert second.until_ms is not None
    assert second.until_ms - time.time_ns() // 1_000_000 > 2 * DAY_MS
    assert "Closed as false alarm by somebody with the link" in closed
    (record,) = webbing.system.read("outcomes")
    assert decode_outcome(record.value).note == "they moved"
    assert complaints == []


async def test_signing_in_in_a_browser(webbing: Webbing, browser: Browser) -> None:
    async with ReadModel(webbing.redis["url"], webbing.redis["prefix"]) as accounts:
        await accounts.write([document("acme"), document("globex")])
    alert = webbing.raises("acme")
    async with browser.tab() as tab:
        await tab.ask("Page.navigate", url=f"{webbing.url}/accounts/acme")
        await tab.arrives(f"{webbing.url}/sign-in?next=%2Faccounts%2Facme")
        await tab.look(f"document.querySelector('[name=token]').value = {webbing.token!r}")
        await tab.look("document.querySelector('#sign-in button').click()")
        shown = await tab.arrives(f"{webbing.url}/accounts/acme")
        done = await tab.submit("acknowledge", note="mine")
        cookies = await tab.look("document.cookie")
        complaints = tab.said

    assert "kim, member" in shown
    assert "Taken over by kim: mine" in done
    assert cookies == ""  # out of reach of scripts
    assert muted(webbing).snoozes[alert.id].author == "kim"
    assert complaints == []


def muted(webbing: Webbing) -> Muted:
    found = Muted()
    for record in webbing.system.read("silences"):
        found.read(record.key.decode(), record.value)
    return found
