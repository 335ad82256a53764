"""The page of silences: made, seen and ended by people, and by nobody else."""

from __future__ import annotations

import pytest

from pulse.alerting.stages.matching import Matcher
from pulse.web.tokens import Role
from tests.integration.web.webbing import (
    DAY_MS,
    NOW_MS,
    SAME_ORIGIN,
    Scene,
    forms,
    plain,
    signed_in,
)

SAID = {"segments": "free*, trial", "reasons": "usage_drop", "reason": "a sale", "for": "1d"}


@pytest.fixture
def scene() -> Scene:
    return Scene(None)


async def test_one_is_made_seen_and_ended(scene: Scene) -> None:
    kim = await signed_in(scene)
    form = forms(await kim.get("/silences"))["/silences"]
    made = await kim.post("/silences", data={**form, **SAID}, headers=SAME_ORIGIN)
    assert (made.status_code, made.headers["location"]) == (303, "/silences?done=made")
    (silence,) = scene.service.books.muted.silences.values()
    assert silence.match == Matcher(segments=("free*", "trial"), reasons=("usage_drop",))
    assert (silence.author, silence.reason) == ("kim", "a sale")
    assert (silence.starts_ms, silence.ends_ms) == (NOW_MS, NOW_MS + DAY_MS)
    assert len(scene.records("silences")) == 1

    shown = await kim.get("/silences?done=made")
    assert "Segment free* or trial; reason usage drop" in plain(shown)
    path = f"/silences/{silence.id}/end"
    scene.now_ms += 60_000
    ended = await kim.post(path, data=forms(shown)[path], headers=SAME_ORIGIN)
    assert ended.status_code == 303
    assert "Nothing is silenced." in plain(await kim.get("/silences"))


async def test_who_may_not_cannot(scene: Scene) -> None:
    kim, lee = await signed_in(scene), await signed_in(scene, Role.viewer, "lee")
    everything = {**SAID, "segments": "?*", "reasons": ""}
    form = forms(await kim.get("/silences"))["/silences"]
    unseen = forms(await lee.get("/silences"))
    by_viewer = {"form": next(iter(unseen.values()))["form"], **SAID}

    assert "/silences" not in unseen
    assert (await lee.post("/silences", data=by_viewer, headers=SAME_ORIGIN)).status_code == 403
    assert (
        await kim.post("/silences", data={**form, **everything}, headers=SAME_ORIGIN)
    ).status_code == 403
    # Without the page's own word, or from another site.
    assert (await kim.post("/silences", data=SAID, headers=SAME_ORIGIN)).status_code == 403
    other = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert (await kim.post("/silences", data={**form, **SAID}, headers=other)).status_code == 403
    assert (await scene.client().get("/silences")).status_code == 303
    assert scene.records("silences") == []


async def test_another_s_ends_only_an_admin(scene: Scene) -> None:
    kim, lee = await signed_in(scene), await signed_in(scene, Role.member, "lee")
    form = forms(await kim.get("/silences"))["/silences"]
    await kim.post("/silences", data={**form, **SAID}, headers=SAME_ORIGIN)
    (silence,) = scene.service.books.muted.silences.values()
    path = f"/silences/{silence.id}/end"
    seen = forms(await lee.get("/silences"))
    assert path not in seen
    refused = await lee.post(path, data={"form": seen["/silences"]["form"]}, headers=SAME_ORIGIN)
    root = await signed_in(scene, Role.admin, "ada")
    shown = forms(await root.get("/silences"))
    ended = await root.post(path, data=shown[path], headers=SAME_ORIGIN)
    none = await root.post("/silences/si_0/end", data=shown[path], headers=SAME_ORIGIN)
    assert (refused.status_code, ended.status_code, none.status_code) == (403, 303, 404)


@pytest.mark.parametrize(
    "change", [{"reason": " "}, {"reason": "x" * 1_001}, {"for": "", "until": ""},
               {"until": "2020-01-01"}, {"accounts": "a," * 101}, {"accounts": "x" * 257}],
)  # fmt: skip
async def test_what_cannot_be_is_told(scene: Scene, change: dict[str, str]) -> None:
    kim = await signed_in(scene)
    form = forms(await kim.get("/silences"))["/silences"]
    answered = await kim.post("/silences", data={**form, **SAID, **change}, headers=SAME_ORIGIN)
    assert answered.status_code == 400
    assert scene.records("silences") == []


async def test_names_are_escaped(scene: Scene) -> None:
    kim = await signed_in(scene)
    form = forms(await kim.get("/silences"))["/silences"]
    evil = '"><script>alert(1)</script>'
    await kim.post(
        "/silences", data={**form, **SAID, "accounts": evil, "reason": evil}, headers=SAME_ORIGIN
    )
    assert "<script>" not in (await kim.get("/silences")).text
