"""The pages of the fleet and of the line, from a history that is known."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest
from ruamel.yaml import YAML

from pulse.alerting.people.outcomes import Outcome, encode_outcome
from pulse.config import Config
from pulse.history import History
from pulse.history.days import Day, Measures
from pulse.history.writing import Record
from pulse.web.tokens import Role
from tests.integration.web.webbing import NOW_MS, Scene, plain, signed_in

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from pulse.model.account import Zone

TODAY = date(2026, 3, 2)
DAYS = 120


def day_of(
    name: str, on: date, score: float, *, segment: str, has_left: bool = False, offset: int = 0,
    line: float = 40.0,
) -> Record:  # fmt: skip
    """A day of an account, as its record has it."""
    zone: Zone = "danger" if score < line else "approaching" if score < line + 15 else "healthy"
    said = Day(
        name, on.isoformat(), f"{on}T00:00:00Z", score, zone,
        "churned" if has_left else "current", line, line + 15, segment, 100.0,
        Measures(9, 0, 3, 2, 5),
    )  # fmt: skip
    return Record(0, offset, b"", msgspec.json.encode(said))


def story(history: History) -> None:
    """60 accounts: a third falls from 80 to 20 within the last 40 days, one leaves."""
    records = list[Record]()
    for number in range(60):
        for back in range(DAYS, -1, -1):
            score = 45.0 + number / 2
            if number % 3 == 0 and back < 40:
                score = 80.0 - 1.5 * (40 - back)
            has_left = number == 3 and back < 5
            segment = "enterprise" if number % 2 else "smb"
            on = TODAY - timedelta(back)
            records.append(
                day_of(f"a{number}", on, score, segment=segment, has_left=has_left,
                       offset=len(records))
            )  # fmt: skip
    history.take(records)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    made = History(tmp_path_factory.mktemp("history") / "history.sqlite3")
    made.prepare()
    story(made)
    return made


@pytest.fixture
def scene(history: History) -> Scene:
    return Scene(None, history=history)


async def viewer(scene: Scene) -> httpx.AsyncClient:
    return await signed_in(scene, Role.viewer)


async def test_the_fleet_in_numbers_that_are_compared(scene: Scene) -> None:
    shown = await (await viewer(scene)).get("/fleet")
    said = plain(shown)

    assert shown.status_code == 200
    # The last day that has begun everywhere is yesterday's, and nobody was in danger 28 days ago.
    # a3 would be in danger, and has left.
    assert "At the start of 1 March 2026" in said
    assert (
        "danger 19 28 days before: 0, now 19 more 32.2 % of 59 accounts they pay 1,900 a month, "
        "32.2 % of 5.9 k" in said
    )
    assert "healthy danger" not in said  # they came through the band
    assert "approaching danger 0 20" in said.replace("  ", " ")
    assert "Moves between stages of life from to in 7 days in 90 days current churned 1 1" in said
    assert shown.text.count("<polygon") == 2 * 9  # for a wide page, and for a narrow one
    assert "19 accounts with a score from 20 to 25" in shown.text


async def test_who_does_not_see_the_plots_has_them_in_words_and_as_tables(scene: Scene) -> None:
    kim = await viewer(scene)
    shown, whole = await kim.get("/fleet?span=28d"), plain(await kim.get("/fleet?span=1y"))
    labels = re.findall(r'<svg class="plot wide"[^>]* aria-label="([^"]*)"', shown.text)

    assert labels == [
        "Accounts by zone, from 2 February 2026 to 1 March 2026: danger from 0 to 19, "
        "approaching from 13 to 13, unknown 0 throughout, healthy from 47 to 27",
        "Accounts by stage of life, from 2 February 2026 to 1 March 2026: churned from 0 to 1, "
        "dormant 0 throughout, new 0 throughout, resurrected 0 throughout, current from 60 to 59",
        "59 accounts by their score, of which the most, 19, have one from 20 to 25; "
        "danger below 40",
    ]
    said = plain(shown)
    assert "day danger approaching unknown healthy 1 March 2026 19 13 0 27" in said
    assert "day churned dormant new resurrected current 1 March 2026 1 0 0 0 59 28 February" in said
    assert "1 March 2026 19 13 0 27 22 February 2026" in whole


async def test_of_a_segment_alone(scene: Scene) -> None:
    kim = await viewer(scene)
    said = plain(await kim.get("/fleet?segment=enterprise&span=28d"))
    assert "of the segment enterprise" in said
    assert (
        "danger 9 28 days before: 0, now 9 more 31.0 % of 29 accounts they pay 900 a month" in said
    )
    assert (await kim.get("/fleet?span=2y")).status_code == 400


async def test_all_segments_as_the_form_asks_for_them(scene: Scene) -> None:
    kim = await viewer(scene)
    shown = await kim.get("/fleet?span=1y&segment=")
    assert "32.2 % of 59 accounts" in plain(shown)
    assert shown.text == (await kim.get("/fleet?span=1y")).text


async def test_which_reasons_are_right(scene: Scene) -> None:
    for number in range(30):
        outcome = Outcome(
            alert_id=f"al_{number}", account_id="acme", reason="usage_drop",
            outcome="saved" if number < 3 else "false_alarm", author="kim", at_ms=NOW_MS,
            started_ms=NOW_MS,
        )  # fmt: skip
        key, value = encode_outcome(outcome)
        scene.books.outcomes.take(key.encode(), value)
    said = plain(await (await viewer(scene)).get("/fleet"))
    assert "usage drop noisy 10 % 3 of 30 27 0" in said


async def test_another_line_is_tried_before_it_is_saved(scene: Scene) -> None:
    kim = await viewer(scene)
    held, tried = plain(await kim.get("/line")), plain(await kim.get("/line?enter=60"))

    assert "are in danger at the end 19 19" in held
    assert "line.yaml" not in held
    # a3 has left, and was told of before by both.
    assert "of 60 accounts in 28 days line 40 line 60" in tried
    assert "so many alerts 20 20" in tried
    assert "of 1 that left, told of before 1 1" in tried
    assert "are in danger at the end 19 39" in tried
    assert "In danger by the other line alone a1 score 45.5 a2 score 46" in tried


async def test_the_file_is_one_that_the_configuration_takes(scene: Scene, tmp_path: Path) -> None:
    kim = await viewer(scene)
    answered = await kim.get("/line.yaml?enter=32.5&segment=enterprise")
    (tmp_path / "line.yaml").write_bytes(answered.content)
    (tmp_path / "pulse.yaml").write_text(
        f"line_file: {tmp_path / 'line.yaml'}\nsegments: {{enterprise: {{}}}}\n"
    )
    config = Config.load(tmp_path / "pulse.yaml")

    assert "attachment" in answered.headers["content-disposition"]
    assert YAML(typ="safe").load(answered.text)["made"]["by"] == "kim"
    assert (config.line.enter, config.line_for("enterprise").enter) == (40, 32.5)


@pytest.mark.parametrize(("segment", "enter"), [("enterprise", 32.5), (None, 30)])
async def test_the_file_keeps_the_lines_of_the_other_segments(
    history: History, tmp_path: Path, segment: str | None, enter: float
) -> None:
    segments = {
        "enterprise": {"line": {"dwell": "48h"}},
        "smb": {"line": {"enter": 20, "dwell": "36h"}},
        "trial": {},
    }
    scene = Scene(None, {"line": {"enter": 41}, "segments": segments}, history=history)
    kim, before = await viewer(scene), scene.config
    answered = await kim.get("/line.yaml", params={"enter": enter, "segment": segment or ""})
    (tmp_path / "line.yaml").write_bytes(answered.content)
    (tmp_path / "pulse.yaml").write_text("line_file: line.yaml\n")  # as if another one had said all
    after = Config.load(tmp_path / "pulse.yaml")

    assert after.line_for(segment).enter == enter
    assert after.line_for("smb").enter == 20
    for name in ("smb", "enterprise"):
        assert after.line_for(name).dwell_ms == before.line_for(name).dwell_ms
    assert "trial" not in after.segments


async def test_the_file_keeps_what_the_one_before_said_of_the_line_of_all(
    history: History, tmp_path: Path
) -> None:
    # As a file was read: which of the two said what is not known any more.
    line = {"enter": 41, "exit": 52, "dwell": "72h", "min_active_days": 3}
    scene = Scene(None, {"line_file": "before.yaml", "line": line}, history=history)
    answered = await (await viewer(scene)).get("/line.yaml", params={"enter": 30})
    (tmp_path / "line.yaml").write_bytes(answered.content)
    (tmp_path / "pulse.yaml").write_text("line_file: line.yaml\n")
    after = Config.load(tmp_path / "pulse.yaml")

    assert after.line == scene.config.line.model_copy(
        update={"enter": 30.0, "exit": 41.0, "approach": 44.0}
    )


def held(folder: Path, **lines: float) -> History:
    """Ten accounts of each segment with scores from 18 to 63, by the lines of their segments."""
    made = History(folder / "history.sqlite3")
    made.prepare()
    records = list[Record]()
    for segment, line in lines.items():
        for number in range(10):
            for back in range(30, -1, -1):
                records.append(
                    day_of(f"{segment}{number}", TODAY - timedelta(back), 18.0 + 5 * number,
                           segment=segment, offset=len(records), line=line)
                )  # fmt: skip
    made.take(records)
    return made


async def test_a_line_of_the_fleet_is_shown_as_it_is(tmp_path: Path) -> None:
    # Danger begins below 25, for all but the accounts of smb, which have a quantile of their own.
    config = {
        "line": {"from": "fleet"},
        "segments": {"smb": {"line": {"quantile": 0.05}}, "trial": {"line": {"dwell": "36h"}}},
    }
    scene = Scene(None, config, history=held(tmp_path, enterprise=25.0, smb=20.5, trial=30.0))
    kim = await viewer(scene)
    fleet, line = plain(await kim.get("/fleet")), plain(await kim.get("/line"))
    of_smb = plain(await kim.get("/line?segment=smb"))
    tried = plain(await kim.get("/line?enter=50"))
    answered = await kim.get("/line.yaml?enter=50")
    (tmp_path / "line.yaml").write_bytes(answered.content)
    (tmp_path / "pulse.yaml").write_text("line: {from: fleet}\nline_file: line.yaml\n")
    after = Config.load(tmp_path / "pulse.yaml")

    own = "Danger begins elsewhere in smb (below 20.5), trial (below 30)."
    assert "danger 6 " in fleet
    assert "line 25" in fleet
    assert own in fleet
    assert "Danger begins below 25 and is over at 35; below 40 an account approaches it." in line
    assert own in line
    assert "holds until then" not in line
    assert "line 25 line 25 are in danger at the end 6 6" in line
    assert "Danger begins below 20.5 and is over at 30.5" in of_smb
    assert "line 20.5 line 20.5 are in danger at the end 1 1" in of_smb
    # Of enterprise and of trial seven are below 50; smb goes on following the fleet.
    assert "line 25 line 50 are in danger at the end 6 15" in tried
    assert own in tried
    assert "The other line is not that of smb (below 20.5)." in tried
    assert (after.line.source, after.line.enter) == ("fixed", 50)
    assert after.line_for("smb").source == "fleet"
    assert after.line_for("trial").source == "fixed"


async def test_a_segment_is_tried_by_its_own_line(tmp_path: Path) -> None:
    config = {"segments": {"smb": {"line": {"enter": 20}}}}
    history = held(tmp_path, enterprise=40.0, smb=20.0)
    kim = await viewer(Scene(None, config, history=history))
    line, tried = plain(await kim.get("/line")), plain(await kim.get("/line?enter=50"))
    of_smb = plain(await kim.get("/line?enter=30&segment=smb"))
    fleet = plain(await kim.get("/fleet"))

    own = "Danger begins elsewhere in smb (below 20)."
    assert "danger 6 " in fleet
    assert own in fleet
    assert own in line
    assert "of 20 accounts in 28 days line 40 line 40 are in danger at the end 6 6" in line
    assert "line 40 line 50 are in danger at the end 6 8" in tried
    assert "smb5" not in tried
    assert own in tried
    assert "The other line is not that of smb (below 20)." in tried
    assert "line 20 line 30 are in danger at the end 1 3" in of_smb


async def test_a_line_that_is_configured_and_not_in_force_is_not_said_to_hold(
    tmp_path: Path,
) -> None:
    config = {"line": {"enter": 30, "exit": 40}, "segments": {"smb": {"line": {"enter": 20}}}}
    history = held(tmp_path, enterprise=40.0, smb=40.0)
    kim = await viewer(Scene(None, config, history=history))
    line, tried = plain(await kim.get("/line")), plain(await kim.get("/line?enter=50"))

    assert "Danger begins below 40 and is over at 50" in line
    assert "elsewhere" not in line
    assert "are in danger at the end 10 10" in line
    assert "are in danger at the end 10 8" in tried  # what is saved has that of smb in it
    assert "The other line is not that of smb (below 20)." in tried


async def test_the_report_is_shown_without_what_it_could_do(scene: Scene, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<h1>The line</h1>")
    with_report = Scene(
        None,
        {"web": {"calibration_report": str(tmp_path / "report.html")}},
        history=scene.history,
    )
    kim = await viewer(with_report)
    assert 'href="/line/report"' in (await kim.get("/line")).text
    shown = await kim.get("/line/report")
    assert "<h1>The line</h1>" in shown.text
    # Browsers obey every policy that is said: a second one would take its style.
    (policy,) = shown.headers.get_list("content-security-policy")
    assert "sandbox" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert (await (await viewer(scene)).get("/line/report")).status_code == 404


@pytest.mark.parametrize("path", ["/fleet", "/line", "/line/report", "/line.yaml"])
async def test_only_who_is_signed_in_sees_it(scene: Scene, path: str) -> None:
    assert (await scene.client().get(path)).headers["location"].startswith("/sign-in?next=")


@pytest.mark.parametrize("path", ["/fleet", "/line"])
async def test_without_a_day_it_says_so(tmp_path: Path, path: str) -> None:
    empty = History(tmp_path / "empty.sqlite3")
    empty.prepare()
    shown = (await (await viewer(Scene(None, history=empty))).get(path)).text
    assert "No day of an account is known yet" in shown


@pytest.mark.parametrize("path", ["/fleet", "/line"])
async def test_without_a_history_it_promises_none(path: str) -> None:
    shown = plain(await (await viewer(Scene(None, history=None))).get(path))
    assert "No history is kept, which this is shown from: history.enabled is false." in shown
    assert "No day of an account is known yet" not in shown


@pytest.mark.parametrize("path", ["/fleet", "/line"])
async def test_lists_do_not_wait_for_the_history(tmp_path: Path, path: str) -> None:
    history = History(tmp_path / "history.sqlite3")
    history.prepare()
    story(history)
    scene = Scene(None, history=history)
    kim = await viewer(scene)
    with closing(sqlite3.connect(tmp_path / "history.sqlite3", isolation_level=None)) as db:
        # Else readers do not wait for who writes.
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("BEGIN EXCLUSIVE")
        asked = asyncio.create_task(kim.get(path))
        await asyncio.sleep(0.5)
        async with asyncio.timeout(25):  # a history waits for thirty seconds
            assert (await scene.api[Role.viewer].get("/api/v1/alerts")).status_code == 200
        assert not asked.done()
        db.execute("ROLLBACK")
    assert "1 March 2026" in plain(await asked)


@pytest.mark.parametrize("path", ["/fleet", "/line"])
async def test_a_history_that_cannot_be_read_is_said(tmp_path: Path, path: str) -> None:
    gone = History(tmp_path / "gone" / "history.sqlite3")
    shown = await (await viewer(Scene(None, history=gone))).get(path)
    assert shown.status_code == 200
    assert "The history cannot be read now" in plain(shown)
    assert "No day of an account" not in plain(shown)


async def test_a_segment_whose_days_are_older_than_what_is_shown(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite3")
    history.prepare()
    # 28 days before the last one, which is what it is compared with, and not among the 28 shown.
    old = TODAY - timedelta(29)
    history.take(
        [
            day_of("new", TODAY, 80.0, segment="smb"),
            day_of("old", old, 80.0, segment="trial", offset=1),
        ]
    )
    kim = await viewer(Scene(None, history=history))
    for path in ("/fleet?span=28d&segment=trial", "/line?segment=trial"):
        shown = await kim.get(path)
        assert shown.status_code == 200
        assert "No day of an account in the segment trial is known" in plain(shown)
