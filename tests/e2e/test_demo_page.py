"""One demo at a terminal: its page in a real browser, a real Prometheus, and at last Ctrl-C.

The tests are in the order in which things come: what is to be seen while it plays, what is there
when it has played, and how it ends.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
import urllib.request
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, ClassVar, NoReturn

import httpx
import pytest
from playwright.async_api import expect
from ruamel.yaml import YAML

from pulse import keyring
from pulse.cli.demo_parts import PulseProcess
from pulse.collector import keys
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.embedded import broker_program
from pulse.model.time import format_ms
from pulse.processes import MissingProgramError, free_port
from pulse.testing.process import runs
from pulse.testing.prometheus import PrometheusServer, program
from tests.browsing import WITHIN_MS, launched, looking
from tests.deploy.asking import PANELS, Asked
from tests.integration import scraped
from tests.integration.collecting import bearer, wait_for

from .demos import CHILDREN, LINK, TerminalDemo

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from pathlib import Path

    from playwright.async_api import Page

    from pulse.testing.prometheus import Series

pytestmark = [
    pytest.mark.embedded,
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at the demo's processes in /proc"),
    pytest.mark.timeout(300),
]

PLAYED_S = 45
"""The least that the play takes: the browser is to be there before it is over."""
ELSEWHERE = "pulse.test"
"""A name that leads to the same page, as a proxy's does."""
WITHIN_S = 200.0

NOT_IN_A_DEMO = {"alerts: Over the budget": "its configuration has no budget"}
"""Panels that have nothing to show in a demo, and why. `test_prometheus` has all of them."""


class CollectorProcess(PulseProcess):
    """`pulse collect`. It is no part of a demo: one is started beside it, on its broker."""

    name: ClassVar[str] = "collector"
    arguments: ClassVar[Sequence[str]] = ("collect",)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class Scene:
    """A demo that plays, with its files in a folder of its own, a collector, and a Prometheus.

    `opened`: where the browser writes what it is to open.
    """

    def __init__(self, demo: TerminalDemo, own: Path, opened: Path) -> None:
        self.demo, self.own, self.opened = demo, own, opened
        self.link = demo.read_until(LINK, WITHIN_S)[1]
        self.origin, _, self.token = self.link.partition("/sign-in#")
        said = demo.read_until(r"For Prometheus:((?: \S+/metrics)+)\s*\n", WITHIN_S)[1]
        self.ports = [int(port) for port in re.findall(r":(\d+)/metrics", said)]
        self.collector_url = self.key = ""
        self.prometheus: PrometheusServer
        self.jobs: tuple[str, ...] = ()
        self.answers: dict[str, list[Series]] = {}
        self._since_s = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the demo was ready."""
        return time.monotonic() - self._since_s

    def http(self) -> httpx.Client:
        """A client of the API."""
        return httpx.Client(base_url=self.origin, headers=bearer(self.token), timeout=30)

    def silence_something(self) -> None:
        """So that the notifier holds an alert back now and then."""
        said = {
            "match": {"reasons": ["approaching"]},
            "reason": "a sale",
            "ends_at": format_ms(round(time.time() + 86_400) * 1_000),
        }
        with self.http() as http:
            answer = http.post("/api/v1/silences", json=said)
            assert answer.status_code == 201, answer.text

    def add_collector(self, folder: Path) -> CollectorProcess:
        """A collector on the demo's broker, and a key for it."""
        (file,) = self.own.glob("pulse-demo-*/pulse.yaml")
        yaml = YAML(typ="safe")
        settings = yaml.load(file)
        settings["collector"] = {"port": free_port(), "metrics_port": free_port()}
        with (changed := folder / "collector.yaml").open("w") as out:
            yaml.dump(settings, out)
        kafka = Config.load(changed).kafka
        self.key, kept = keys.make("shop")
        made = keyring.write(
            for_aiokafka(kafka), kafka.topics.keys, keyring.hash_of(self.key), kept
        )
        asyncio.run(made)
        self.collector_url = f"http://127.0.0.1:{settings['collector']['port']}"
        port = settings["collector"]["metrics_port"]
        return CollectorProcess(folder, port, changed, {})


@pytest.fixture(scope="module")
def scene(
    tmp_path_factory: pytest.TempPathFactory, without: Callable[[str], NoReturn]
) -> Iterator[Scene]:
    try:
        broker_program()
        program("prometheus")
    except MissingProgramError as error:
        without(str(error))
    folder = tmp_path_factory.mktemp("demo")
    browser, opened, own = (folder / name for name in ("browser", "opened", "own"))
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\nsleep 2\n')
    browser.chmod(0o755)
    own.mkdir()
    with ExitStack() as stack:
        demo = TerminalDemo(own, browser, "--seconds", str(PLAYED_S))
        stack.callback(demo.close)
        found = Scene(demo, own, opened)
        found.silence_something()
        collector = stack.enter_context(found.add_collector(folder))
        jobs = ("pulse-worker", "pulse-notifier", "pulse-web", "pulse-collector")
        ports = dict(zip(jobs, [*found.ports, collector.port], strict=True))
        found.jobs = jobs
        (made := folder / "prometheus").mkdir()
        found.prometheus = PrometheusServer(made, scraped.config(ports, made))
        stack.enter_context(found.prometheus)
        found.prometheus.wait_until_up(ports)
        yield found


@asynccontextmanager
async def browsing(scene: Scene, chromium: str) -> AsyncIterator[Page]:
    """A page of a browser that has opened the link, and complains of nothing."""
    elsewhere = f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"
    async with launched(chromium, elsewhere) as browser, looking(browser) as page:
        await page.goto(scene.link)
        await page.wait_for_url(f"{scene.origin}/")
        yield page


# -- while it plays --------------------------------------------------------------------------------


def test_the_link_is_opened_in_the_browser(scene: Scene) -> None:
    wait_for(lambda: scene.opened.exists() and scene.opened.read_text() == f"{scene.link}\n")
    # The browser is a child too, until it has ended.
    wait_for(lambda: len(scene.demo.children()) == CHILDREN)
    # Others can read a browser's arguments: the link is no admin's.
    with scene.http() as client:
        assert client.get("/api/v1/accounts").status_code == 200
        assert client.get("/api/v1/audit").status_code == 403


async def test_who_opens_the_link_sees_accounts_come_and_go(scene: Scene, chromium: str) -> None:
    async with browsing(scene, chromium) as page:
        await page.evaluate("window.isTheSame = true")
        await expect(page.locator("#live")).to_have_text("live")
        accounts = page.locator(".board h2")
        await expect(accounts.first).to_be_visible(timeout=WITHIN_MS)
        seen = await page.locator(".board").inner_text()
        await expect(page.locator(".board")).not_to_have_text(seen, timeout=WITHIN_MS)
        assert await page.evaluate("window.isTheSame")  # without being loaded again
        assert scene.token not in page.url

        # Elsewhere than on the reader's own machine a link could sign in as somebody else.
        other = await page.context.new_page()
        await other.goto(scene.link.replace("127.0.0.1", ELSEWHERE))
        assert await other.locator("[name=token]").input_value() == ""
        assert other.url.startswith(f"http://{ELSEWHERE}:")
        assert "/sign-in#pt_" in other.url


# -- when it has played ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def played(scene: Scene) -> Scene:
    """Everything has arrived, people have said something, and all panels were asked for."""
    scene.demo.read_until(r"Everything goes on running until Ctrl-C", WITHIN_S)
    for turn in range(2):  # a rate needs something before, and after
        send_some(scene, turn)
        judge_some(scene)
        scene.prometheus.wait_until_seen(scene.jobs)
    for each in PANELS:
        # Also what is of one instant: a demo has its alerts in the minute in which it plays.
        scene.answers[each.id] = scene.prometheus.ask_over(each.expression, scene.seconds)
    return scene


def send_some(scene: Scene, turn: int) -> None:
    """Events of each kind: taken, of the future, none, of nobody knows whom, with a wrong key."""
    event = {"id": f"h-{turn}", "account_id": "shop", "event": "used", "ts": "2024-10-24T10:00:00Z"}
    with httpx.Client(base_url=scene.collector_url, headers=bearer(scene.key), timeout=30) as http:
        wait_for(lambda: http.post("/v1/events", json=[event]).status_code == 200)
        http.post("/v1/events", json=[{**event, "ts": "2099-01-01T00:00:00Z"}])
        http.post("/v1/events", json=[{**event, "ts": "yesterday"}])
        http.post("/v1/track", json={"event": "used", "userId": "nobody", "messageId": "h-3"})
        http.post("/v1/events", json=[event], headers=bearer("wrong"))


def judge_some(scene: Scene) -> None:
    """Some alerts that fire are closed, not all as right; somebody comes with a wrong token."""
    with scene.http() as http:
        some = {"status": "firing", "limit": 40}
        found = http.get("/api/v1/alerts", params=some).json()["items"]
        open_ = [each for each in found if each["outcome"] is None]
        for number, each in enumerate(open_[:8]):
            said = {
                "alert_id": each["alert"]["id"],
                "outcome": "false_alarm" if number % 4 else "saved",
            }
            answer = http.post("/api/v1/outcomes", json=said)
            assert answer.status_code == 201, answer.text
        assert http.get("/api/v1/alerts", headers=bearer("wrong")).status_code == 401


async def test_the_pages_show_the_year_before_the_last_day(played: Scene, chromium: str) -> None:
    async with browsing(played, chromium) as page:
        # The clock of the accounts is that of the history: nothing is old, and nothing amiss.
        assert await page.locator("main .note").all_inner_texts() == []
        drawn = page.locator(".board li svg.spark").first
        label = await drawn.get_attribute("aria-label")
        said = r"score from [\d.]+ to [\d.]+ in \d+ days, danger below 20"
        assert re.fullmatch(said, label or "")
        assert "than a week ago" in await page.locator(".cards").inner_text()
        name = await page.locator(".board h2").first.inner_text()

        await page.locator(".board h2 a").first.click()
        await expect(page.locator("h1")).to_contain_text(name)
        await expect(page.locator(".history svg.chart.wide")).to_be_visible()
        assert await page.locator(".why li").count() > 2
        happened = await page.locator(".timeline").first.inner_text()
        assert "was sent: customer-success" in happened
        years = set(re.findall(r"\b20\d\d\b", happened))
        assert "2024" in years
        assert max(years) == "2024"

        for path, words in (
            ("/fleet?span=1y", "At the start of 23 October 2024"),
            ("/line?enter=30", "score at the start of 23 October 2024"),
        ):
            answer = await page.goto(f"{played.origin}{path}")
            assert answer is not None
            assert answer.status == 200
            assert words in await page.locator("main").inner_text()
            assert await page.locator("main svg").count() > 0


@pytest.mark.parametrize("query", PANELS, ids=lambda each: each.id)
def test_a_panel_gets_what_it_shows(played: Scene, query: Asked) -> None:
    if query.name in NOT_IN_A_DEMO:
        return
    query.assert_gets(played.answers[query.id])


def test_what_is_not_in_a_demo_is_not_there(played: Scene) -> None:
    """Else it need not be named."""
    assert set(NOT_IN_A_DEMO) <= {each.name for each in PANELS}
    for each in PANELS:
        if each.name in NOT_IN_A_DEMO:
            assert not any(one.has_numbers for one in played.answers[each.id]), each.id


def test_every_rule_can_be_evaluated(played: Scene) -> None:
    rules = played.prometheus.rules()
    assert rules
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


# -- how it ends -----------------------------------------------------------------------------------


def test_ctrl_c_at_the_terminal_ends_it_and_leaves_nothing(played: Scene) -> None:
    children = played.demo.children()
    assert len(children) == CHILDREN
    played.demo.press_ctrl_c()
    assert played.demo.ends_with() == 0
    assert "Traceback" not in played.demo.said
    assert not any(map(runs, children))
    assert list(played.own.iterdir()) == []
