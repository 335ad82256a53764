"""A morning of somebody who looks after accounts: through real Kafka, Valkey, worker, notifier and
pages, in a real browser.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kafka import KafkaProducer
from playwright.async_api import expect

from pulse.history import History
from pulse.model.time import parse_ts
from pulse.placement import partition_of
from pulse.playback.emit import PlaySettings, play
from pulse.playback.lines import Lines
from pulse.testing.webhooks import EXAMPLE_SECRET, ReceiverThread, WebhookReceiver
from tests.browsing import WITHIN_MS, looking
from tests.integration.collecting import wait_for
from tests.integration.web import morning
from tests.integration.web.process import DAY_MS, Webbing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.async_api import Browser, Locator, Page

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(480)]

log = logging.getLogger(__name__)

MINUTE_MS = 60_000
"""An alert is due when the minute of its event is over."""
MOST_LATE_S = 30.0
"""From the moment that it was due to the page, on a machine that does much else. It is less than
the minute by which it would be late if it were noticed with what is due next.
"""
FALLEN = {name for name, (_, _, fell) in morning.ACCOUNTS.items() if fell}


class Morning:
    """All of pulse on the history until now, of which two alerts were right."""

    def __init__(self, webbing: Webbing, webhooks: WebhookReceiver) -> None:
        self.webbing, self.webhooks = webbing, webhooks

    def begins(self) -> None:
        """The history is played, the worker has come to its end, and all is on the page."""
        system = self.webbing.system
        past = system.folder / "past.ndjson"
        morning.write(past, now_ms())
        # Before a worker's ticks say that it is now.
        play(system.config, Lines([past]), PlaySettings(history=True))
        system.process("work", flush_interval_s=0.5, reread_s=0).start()
        system.process("notify").start()
        system.wait_until_applied()
        wait_for(lambda: set(self.of("danger")) == FALLEN, 90)
        # Redis and the history get it after Kafka, each at its own pace.
        wait_for(lambda: all(map(self.is_known, morning.ACCOUNTS)), 90)
        for account in ("acme", "soylent"):
            said = {"alert_id": self.of("danger")[account], "outcome": "saved"}
            assert self.webbing.http.post("/api/v1/outcomes", json=said).status_code == 201

    def of(self, reason: str) -> dict[str, str]:
        """The alerts of a reason that fire, by account."""
        asked = {"reason": reason, "status": "firing"}
        found = self.webbing.http.get("/api/v1/alerts", params=asked).json()["items"]
        return {each["alert"]["account_id"]: each["alert"]["id"] for each in found}

    def is_known(self, account_id: str) -> bool:
        """Whether the read model and the history have an account as it is now, or was yesterday."""
        asked = self.webbing.http.get(f"/api/v1/accounts/{account_id}")
        if asked.status_code != 200 or parse_ts(asked.json()["as_of"]) < now_ms() - 2 * DAY_MS:
            return False
        history = History(Path(self.webbing.system.config.history.file))
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        return bool(history.account(account_id, yesterday))

    def due_ms(self, account_id: str, reason: str) -> int:
        """When an alert was due."""
        path = f"/api/v1/alerts/{self.of(reason)[account_id]}"
        return parse_ts(self.webbing.http.get(path).json()["alert"]["at"])

    def happens(self, account_id: str) -> None:
        """A payment of an account fails, and Kafka has it."""
        topic = self.webbing.system.config.kafka.topics.events
        with closing(KafkaProducer(bootstrap_servers=self.webbing.system.bootstrap)) as producer:
            value = morning.payment_failed(account_id, now_ms())
            where = {"key": account_id.encode(), "partition": partition_of(account_id, 2)}
            producer.send(topic, value, **where).get(30)

    def told(self) -> list[str]:
        """The accounts of which a payment's failure was told by webhook."""
        return [
            each.body["data"]["account_id"]
            for each in self.webhooks.delivered
            if "payment_failed" in str(each.body)
        ]


@pytest.fixture
def a_morning(
    kafka: KafkaServer,
    valkey: ValkeyServer,
    tmp_path: Path,
    unique: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Morning]:
    monkeypatch.setenv("PULSE_TEST_SECRET", EXAMPLE_SECRET)
    webhooks = WebhookReceiver()
    with ReceiverThread(webhooks):
        receiver = {"name": "cs", "kind": "webhook", "url": webhooks.url, "allow_private": True,
                    "secret_env": "PULSE_TEST_SECRET"}  # fmt: skip
        webbing = Webbing(
            kafka.bootstrap, valkey, tmp_path, unique, clock="wall", receivers=[receiver]
        )
        try:
            found = Morning(webbing, webhooks)
            found.begins()
            yield found
        finally:
            webbing.http.close()
            webbing.system.stop()


async def test_from_the_worst_account_to_what_fires_while_somebody_looks(
    a_morning: Morning, browser: Browser
) -> None:
    url = a_morning.webbing.url
    async with looking(browser) as page:
        board = page.locator(".board li")

        async def row(name: str) -> str:
            return await board.filter(has=page.locator(f"h2 a:text-is('{name}')")).inner_text()

        # Who signs in sees whom to call, the worst first, and why.
        await page.goto(url)
        await page.fill("[name=token]", a_morning.webbing.token)
        await page.click("#sign-in button")
        await page.wait_for_url(f"{url}/")
        # The page has the board's accounts as the board gets them.
        await expect(page.locator(".board h2")).to_have_text(
            ["Northwind", "Soylent", "Acme", "Globex"]
        )
        worst = await row("Northwind")
        assert "line 40" in worst
        assert re.search(r"▼\s[\d.]+\s+down\s+in 28 days", worst)
        before = await precision(page, url)
        assert before == ("2 of 2", "100 %")

        # The account says why: its picture, sentences, points.
        await page.click("text=Today")
        await page.click("text=Northwind")
        await page.wait_for_url("**/accounts/northwind")
        assert await page.locator("svg.chart.wide .trace").count() > 0
        label = await page.locator("svg.chart.wide").get_attribute("aria-label") or ""
        assert "in danger on" in label
        why = await page.locator("section.why").inner_text()
        assert "below the danger line at 40" in why
        assert re.search(r"28 days ago it was [\d.]+: it fell by [\d.]+", why)
        assert re.search(r"[A-Z][a-z ]+ brings? [\d.]+ of [\d.]+ points", why)
        assert await page.locator("table.measures tbody tr, table.measures tr").count() > 3
        assert "u1@northwind.test" in await page.locator("section.active_users").inner_text()

        # One alert can wait.
        async with acting(page, "danger", "snooze") as form:
            await form.locator("[name=note]").fill("on leave")
        await page.click("nav >> text=Today")
        assert re.search(r"snoozed until [^\n]+ by kim", await row("Northwind"))

        # Another one was nothing, and somebody should know more.
        await page.click("text=Globex")
        await page.wait_for_url("**/accounts/globex")
        async with acting(page, "danger", "close") as form:
            await form.locator("[value=false_alarm]").check()
            await form.locator("[name=note]").fill("their office moved")
        await page.fill("[name=text]", "New admin from May: Ada.\nCall her first.")
        await page.click("text=Write it down")
        await page.wait_for_url("**/accounts/globex?done=note")
        happened = await page.locator("section.happened").inner_text()
        assert "kim closed danger as false alarm\ntheir office moved" in happened
        assert "kim noted\nNew admin from May: Ada.\nCall her first." in happened
        assert await precision(page, url) == ("2 of 3", "67 %")

        # What fires while Today is open is there without reloading.
        await page.click("nav >> text=Today")
        await expect(page.locator("#live")).to_have_text("live", timeout=WITHIN_MS)
        await page.evaluate("document.body.dataset.sentinel = 'the same page'")
        assert "payment failed" not in await row("Acme")
        await asyncio.to_thread(a_morning.happens, "acme")
        acme = board.filter(has=page.locator("h2 a:text-is('Acme')"))
        await expect(acme).to_contain_text(
            re.compile("payment failed", re.I), timeout=WITHIN_MS + MINUTE_MS
        )
        late_s = (now_ms() - a_morning.due_ms("acme", "payment_failed")) / 1000
        log.info("from the moment that it was due to the page: %.1f s", late_s)
        assert late_s < MOST_LATE_S
        assert await page.evaluate("document.body.dataset.sentinel") == "the same page"
        await asyncio.to_thread(wait_for, lambda: a_morning.told() == ["acme"], 90)


@asynccontextmanager
async def acting(page: Page, reason: str, action: str) -> AsyncIterator[Locator]:
    """The form of an action of an alert, opened; afterwards it is sent."""
    alert = page.locator("section.alerts section.alert").filter(
        has=page.locator("h3", has_text=re.compile(rf"^{reason}", re.I))
    )
    details = alert.locator(f"details:has(form[data-action={action}])")
    await details.locator("summary").click()
    yield details.locator("form")
    await details.locator("form button").click()
    await page.wait_for_url(f"**?done={action}")


async def precision(page: Page, url: str) -> tuple[str, str]:
    """What the page of the fleet says of alerts of the danger line: how many were right, of 100."""
    await page.goto(f"{url}/fleet")
    row = page.locator("#precision ~ .scrolls tbody tr").filter(has_text=re.compile("^danger"))
    cells = await row.locator("td").all_inner_texts()
    return cells[2], cells[1]


def now_ms() -> int:
    return time.time_ns() // 1_000_000
