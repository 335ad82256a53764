"""An account's page: its year against the line, and why its score is what it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pulse.history import History
from pulse.readmodel import ReadModel
from pulse.web.tokens import Role
from tests.browsing import looking, violations
from tests.integration.web import showroom, year
from tests.integration.web.webbing import Scene, document, forms, plain, signed_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser

    from pulse.testing.valkey import ValkeyServer

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
async def accounts(valkey: ValkeyServer, unique: str) -> AsyncIterator[ReadModel]:
    async with ReadModel(valkey.url, f"{unique}:") as model:
        await model.write([year.acme(), document("globex")])
        yield model


@pytest.fixture
def scene(accounts: ReadModel, tmp_path: Path) -> Scene:
    found = Scene(accounts, history=year.history(tmp_path))
    year.tell(found)
    return found


async def test_it_shows_the_year_the_reasons_the_measures_and_what_happened(scene: Scene) -> None:
    page = await (await signed_in(scene)).get("/accounts/acme")
    text = plain(page)

    assert page.status_code == 200
    in_this_order = (
        "Engagement against the danger line",
        "Nobody has come for 2.4 days.",  # an alert
        "8.8 below the danger line at 40",
        "28 days ago it was 50.3: it fell by 19.1.",
        "Active users bring 6.6 of 30.0 points",
        "What it is made of",
        "Users who left and who came",
        "kai@acme.test",
        "Features abandoned and used",
        "export.csv",
        "What happened",
        "Danger was sent: slack-cs",
        "kim closed usage drop as saved",
        "From approaching to danger",
        "The danger line went from 35 to 40",
    )
    at = 0
    for words in in_this_order:
        at = text.index(words, at)
    # The same picture for a wide page and a narrow one, and the same as a table.
    wide, narrow = re.findall(
        r'<svg class="chart (?:wide|narrow)".*? aria-label="([^"]*)"', page.text
    )
    assert wide == narrow
    assert "in danger on 16 of 365 days" in wide
    assert len(re.findall(r'<th scope="row">[^<]*20\d\d<', page.text)) == 53


async def test_a_link_shows_the_same_with_the_form_of_its_alert_alone(scene: Scene) -> None:
    firing = next(each for each in scene.books.alerts if each.reason == "danger")
    path = scene.links.of(firing.id, "acme", scene.now_ms)["alert"].removeprefix(scene.origin)
    by_link = await scene.browser().get(path)
    by_session = await (await signed_in(scene)).get("/accounts/acme")

    for words in ("Why this score", "What it is made of", "export.csv", "What happened"):
        assert words in by_link.text
    assert {each.rpartition("/")[0] for each in forms(by_link)} == {path}
    assert len(forms(by_session)) > len(forms(by_link)) == 3
    # How much is drawn may be chosen there, too, and what it leads to is the link's.
    for days in ("365", "90", "28"):
        assert f'href="{path}?days={days}"' in by_link.text
        assert (await scene.browser().get(f"{path}?days={days}")).status_code == 200


@pytest.mark.parametrize(("days", "rows"), [("365", 53), ("90", 90), ("28", 28)])
async def test_a_year_90_days_or_28_are_drawn(scene: Scene, days: str, rows: int) -> None:
    page = await (await signed_in(scene)).get(f"/accounts/acme?days={days}")

    assert len(re.findall(r'<th scope="row">[^<]*20\d\d<', page.text)) == rows
    assert f'?days={days}" aria-current="true"' in page.text


@pytest.mark.parametrize("days", ["7", "-1", "x", "365 ", "1e9"])
async def test_no_other_number_of_days_is_drawn(scene: Scene, days: str) -> None:
    page = await (await signed_in(scene)).get("/accounts/acme", params={"days": days})

    assert page.status_code == 400
    assert "365, 90 or 28 days" in page.text


async def test_where_it_approaches_its_crossing_is_drawn_and_said(
    accounts: ReadModel, tmp_path: Path
) -> None:
    await accounts.write([year.acme(47.4)])
    scene = Scene(accounts, history=year.history(tmp_path, 47.4))
    page = await (await signed_in(scene)).get("/accounts/acme")

    (said,) = re.findall(r'<p class="crosses">([^<]*)</p>', page.text)
    assert re.fullmatch(
        r"If it goes on falling by \d\.\d points a day it is below the line in \d+ days, on \d+ "
        r"March \(90 % sure: between \d+ March and \d+ March\)\.",
        said,
    )
    assert page.text.count('<path class="ahead"') == 2  # of the wide and of the narrow picture


async def test_where_it_is_in_danger_already_no_crossing_is_projected(scene: Scene) -> None:
    page = await (await signed_in(scene)).get("/accounts/acme")

    assert 'class="crosses"' not in page.text
    assert 'class="ahead"' not in page.text


async def test_without_a_history_the_page_says_so_and_the_rest_is_there(
    accounts: ReadModel, tmp_path: Path
) -> None:
    empty = History(tmp_path / "empty.sqlite3")
    empty.prepare()
    broken = tmp_path / "broken.sqlite3"
    broken.write_text("this is no database, whatever its name says " * 100)
    for history, words in (
        (None, "No history is kept, or it cannot be read now"),
        (empty, "Its history begins with its next day start"),
        (History(broken), "No history is kept, or it cannot be read now"),
    ):
        scene = Scene(accounts, history=history)
        year.tell(scene)
        page = await (await signed_in(scene)).get("/accounts/acme")

        assert (page.status_code, words in page.text) == (200, True)
        assert 'class="gauge"' in page.text
        assert "<path" not in page.text.partition("What it is made of")[0]
        assert "kim closed usage drop as saved" in plain(page)


async def test_what_an_older_worker_wrote_is_shown_without_who_left(
    accounts: ReadModel, tmp_path: Path
) -> None:
    said = year.acme()
    del said["turnover"]
    await accounts.write([said])
    page = await (await signed_in(Scene(accounts, history=year.history(tmp_path)))).get(
        "/accounts/acme"
    )

    assert page.status_code == 200
    assert "who left" not in page.text


async def test_names_of_users_and_features_are_text(accounts: ReadModel, tmp_path: Path) -> None:
    evil = year.named((EVIL, "2026-01-29", 0.1))
    of = {"here": 1, "left": 1, "came": 0, "here_names": evil, "left_names": evil}
    await accounts.write([year.acme(turnover={"active_users": of, "features": of})])
    scene = Scene(accounts, history=year.history(tmp_path))
    page = await (await signed_in(scene, Role.viewer)).get("/accounts/acme")

    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>" not in page.text


# -- in a browser ----------------------------------------------------------------------------------


@pytest.mark.timeout(240)
async def test_it_is_readable_in_both_themes_and_on_a_phone_and_axe_finds_nothing(
    accounts: ReadModel, tmp_path: Path, browser: Browser
) -> None:
    await accounts.write([year.acme(47.4)])
    async with showroom.serving(accounts, year.history(tmp_path, 47.4)) as scene:
        firing, *_ = year.tell(scene, 47.4)
        link = scene.links.of(firing, "acme", scene.now_ms)["snooze"]
        for theme, width in (("light", 1_280), ("dark", 1_280), ("dark", 390)):
            size = {"width": width, "height": 900}
            async with looking(browser, color_scheme=theme, viewport=size) as page:
                await page.goto(link)
                wide, narrow = page.locator("svg.chart.wide"), page.locator("svg.chart.narrow")
                assert (await wide.is_visible(), await narrow.is_visible()) == (
                    width > 640, width < 640,
                )  # fmt: skip
                # Nothing is beside the page, whatever is wide scrolls within itself.
                assert await page.evaluate("document.documentElement.scrollWidth") == width
                await page.evaluate(
                    "document.querySelectorAll('details').forEach((each) => { each.open = true; })"
                )
                assert await page.locator("button", has_text="Snooze").first.is_visible()
                assert await violations(page) == [], (theme, width)
