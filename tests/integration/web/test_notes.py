"""Notes on an account: written, seen and erased, on its page and by the API, by whom they are."""

from __future__ import annotations

import pytest

from pulse.alerting.people.account_notes import LONGEST
from pulse.web.tokens import Role
from tests.integration.web.webbing import (
    SAME_ORIGIN,
    Scene,
    alert,
    forms,
    plain,
    signed_in,
)

EVIL = '"><script>alert(1)</script>'
HERE = "/accounts/acme/notes"


async def test_one_is_written_seen_by_all_and_erased(scene: Scene) -> None:
    kim, lee = await signed_in(scene), await signed_in(scene, Role.viewer, "lee")
    form = {**forms(await kim.get("/accounts/acme"))[HERE], "text": f" {EVIL}\r\nin May "}
    done = await kim.post(HERE, data=form, headers=SAME_ORIGIN)
    await kim.post(HERE, data=form, headers=SAME_ORIGIN)  # by a finger that trembles
    ((key, said),) = scene.records("notes")
    shown = await kim.get(done.headers["location"])
    seen, elsewhere = await lee.get("/accounts/acme"), await lee.get("/accounts/globex")
    erase = f"/notes/{key}/erase"

    assert (done.status_code, done.headers["location"]) == (303, "/accounts/acme?done=note")
    assert said == {
        "v": 1, "id": key, "account_id": "acme", "author": "kim", "at": "2026-03-02T12:00:00Z",
        "text": f"{EVIL}\nin May",
    }  # fmt: skip
    assert "kim noted" in plain(shown)
    assert "<script>" not in shown.text
    assert "kim noted" in plain(seen)
    assert not {HERE, erase} & set(forms(seen))
    assert "kim noted" not in plain(elsewhere)
    erased = await kim.post(erase, data=forms(shown)[erase], headers=SAME_ORIGIN)
    assert erased.headers["location"] == "/accounts/acme?done=erase"
    assert scene.records("notes")[-1] == (key, None)
    assert "kim noted" not in plain(await lee.get("/accounts/acme"))
    assert (await kim.post(erase, data=forms(shown)[erase], headers=SAME_ORIGIN)).status_code == 404


async def test_who_may_not_cannot(scene: Scene) -> None:
    kim, lee = await signed_in(scene), await signed_in(scene, Role.viewer, "lee")
    mo = await signed_in(scene, Role.member, "mo")
    said = {**forms(await kim.get("/accounts/acme"))[HERE], "text": "they move"}
    other = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    unseen = {**forms(await lee.get("/accounts/acme"))["/sign-out"], "text": "they move"}

    for browser, data, headers in (
        (kim, {"text": "without the page's own word"}, SAME_ORIGIN),
        (kim, said, other),
        (mo, said, SAME_ORIGIN),  # a form that another one was shown
        (lee, unseen, SAME_ORIGIN),
    ):
        assert (await browser.post(HERE, data=data, headers=headers)).status_code == 403
    assert (await scene.client().post(HERE, data=said)).headers["location"].startswith("/sign-in")
    assert scene.written == []
    await kim.post(HERE, data=said, headers=SAME_ORIGIN)
    ((key, _),) = scene.records("notes")
    erase = f"/notes/{key}/erase"
    mine = forms(await mo.get("/accounts/acme"))
    assert erase not in mine
    refused = await mo.post(erase, data=mine[HERE], headers=SAME_ORIGIN)
    ada = await signed_in(scene, Role.admin, "ada")
    erased = await ada.post(
        erase, data=forms(await ada.get("/accounts/acme"))[erase], headers=SAME_ORIGIN
    )
    assert (refused.status_code, erased.status_code) == (403, 303)


@pytest.mark.parametrize("text", ["", "  \n ", "x" * (LONGEST + 1), "a\x00b", "a\x1b[2Jb"])
async def test_what_is_no_note_is_told(scene: Scene, text: str) -> None:
    kim = await signed_in(scene)
    form = {**forms(await kim.get("/accounts/acme"))[HERE], "text": text}
    assert (await kim.post(HERE, data=form, headers=SAME_ORIGIN)).status_code == 400
    by_api = await scene.api[Role.member].post(
        "/api/v1/notes", json={"account_id": "acme", "text": text}
    )
    assert by_api.status_code == 400
    assert scene.written == []


async def test_by_the_api(scene: Scene) -> None:
    client = scene.api[Role.member]
    said = {"account_id": "acme", "text": "they move"}
    header = {"Idempotency-Key": "tuesday"}
    first = await client.post("/api/v1/notes", json=said, headers=header)
    again = await client.post("/api/v1/notes", json=said, headers=header)
    changed = await client.post("/api/v1/notes", json={**said, "text": "no"}, headers=header)
    scene.now_ms += 60_000
    second = await scene.api[Role.admin].post("/api/v1/notes", json=said)
    page = (await client.get("/api/v1/notes?account=acme&limit=1")).json()
    rest = (await client.get(f"/api/v1/notes?account=acme&cursor={page['cursor']}")).json()

    assert (first.status_code, again.json()) == (201, first.json())
    assert changed.status_code == 409
    assert (page["items"], rest) == ([second.json()], {"items": [first.json()], "cursor": None})
    path = f"/api/v1/notes/{second.json()['id']}"
    assert (await client.delete(path)).status_code == 403
    assert (await scene.api[Role.admin].delete(path)).json() == second.json()
    assert (await scene.api[Role.admin].delete(path)).status_code == 404
    assert (await client.delete(f"/api/v1/notes/{first.json()['id']}")).status_code == 200
    assert (await client.get("/api/v1/notes?account=acme")).json()["items"] == []


async def test_of_an_account_that_is_not_known_nothing_is_written(scene: Scene) -> None:
    client = scene.api[Role.member]
    scene.knows(alert("forgotten", status="resolved", resolution="forgotten"))
    for account_id in ("nobody", "forgotten"):
        none = await client.post("/api/v1/notes", json={"account_id": account_id, "text": "?"})
        assert (none.status_code, none.json()["error"]["reason"]) == (404, "no_such_account")
    assert scene.written == []
    scene.away = True
    kafka_away = await client.post("/api/v1/notes", json={"account_id": "acme", "text": "!"})
    assert (kafka_away.status_code, kafka_away.json()["error"]["reason"]) == (503, "kafka_away")
    assert (await client.get("/api/v1/notes?account=acme")).json()["items"] == []


async def test_while_redis_is_away_an_account_is_known_by_an_alert_that_fires() -> None:
    scene = Scene(None)
    scene.knows(
        alert("initech"),
        alert("forgotten", reason="usage_drop"),
        alert("forgotten", reason="usage_drop", status="resolved", resolution="forgotten"),
    )
    client, told = scene.api[Role.member], {}
    for account_id in ("initech", "forgotten", "nobody"):
        said = {"account_id": account_id, "text": "!"}
        told[account_id] = (await client.post("/api/v1/notes", json=said)).status_code
    assert told == {"initech": 201, "forgotten": 503, "nobody": 503}
    assert [said["account_id"] for _, said in scene.records("notes")] == ["initech"]


async def test_whoever_has_a_link_reads_and_writes_none(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    await scene.api[Role.member].post(
        "/api/v1/notes", json={"account_id": "acme", "text": "they move"}
    )
    shown = await scene.browser().get(scene.link(danger))
    assert "they move" in (await (await signed_in(scene)).get("/accounts/acme")).text
    assert shown.status_code == 200
    assert "they move" not in shown.text
    assert all("note" not in each.rpartition("/")[2] for each in forms(shown))
