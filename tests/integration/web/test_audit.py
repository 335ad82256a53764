"""The audit log: every route that changes something says so first, and admins read it."""

from __future__ import annotations

import base64
import codecs
import csv
import io
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from fastapi.routing import iter_route_contexts

from pulse.desk.audit import AuditBook, By, Entry, entry, record_of
from pulse.model import AuditEntry, Change, Way
from pulse.web.tokens import Role
from tests.integration.web.webbing import NOW_MS, Scene, alert, forms, plain, signed_in

if TYPE_CHECKING:
    import httpx


TOMORROW = "2026-03-03T12:00:00Z"
SILENCE = {"match": {"reasons": ["silence"]}, "reason": "holidays", "ends_at": TOMORROW}


class Case(NamedTuple):
    """A way to change something: what is sent, and what the audit log then says."""

    said: dict[str, Any] | None
    change: Change
    account_id: str | None
    details: dict[str, str]


ACT = "/alerts/{alert_id}/{action}"
LINK = "/l/{ticket}/{action}"
API = "/api/v1"
MATCHED = {"match": "reasons=silence", "starts_at": "2026-03-02T12:00:00Z", "ends_at": TOMORROW}

CHANGES: dict[tuple[str, str], list[Case]] = {
    ("PUT", f"{API}/alerts/{{alert_id}}/snooze"): [
        Case({"until": TOMORROW}, Change.alert_snoozed, "acme", {"until": TOMORROW})
    ],
    ("PUT", f"{API}/alerts/{{alert_id}}/acknowledgement"): [
        Case({"reason": "mine"}, Change.alert_acknowledged, "acme", {})
    ],
    ("DELETE", f"{API}/alerts/{{alert_id}}/snooze"): [Case(None, Change.alert_lifted, "acme", {})],
    ("DELETE", f"{API}/alerts/{{alert_id}}/acknowledgement"): [
        Case(None, Change.alert_lifted, "acme", {})
    ],
    ("POST", f"{API}/silences"): [Case(SILENCE, Change.silence_made, None, MATCHED)],
    ("DELETE", f"{API}/silences/{{silence_id}}"): [
        Case(None, Change.silence_ended, None, {**MATCHED, "ends_at": "2026-03-02T12:00:00Z"})
    ],
    ("POST", f"{API}/outcomes"): [
        Case({"outcome": "saved"}, Change.alert_closed, "acme", {"outcome": "saved"})
    ],
    ("POST", ACT): [
        Case({"action": "acknowledge"}, Change.alert_acknowledged, "acme", {}),
        Case({"action": "snooze", "for": "1d"}, Change.alert_snoozed, "acme", {"until": TOMORROW}),
        Case({"action": "lift"}, Change.alert_lifted, "acme", {}),
        Case(
            {"action": "close", "outcome": "churned"},
            Change.alert_closed,
            "acme",
            {"outcome": "churned"},
        ),
    ],
    ("POST", LINK): [
        Case({"action": "acknowledge", "author": "Kim"}, Change.alert_acknowledged, "acme", {}),
        Case(
            {"action": "close", "outcome": "ignored", "author": "Kim"},
            Change.alert_closed,
            "acme",
            {"outcome": "ignored"},
        ),
    ],
    ("POST", "/silences"): [
        Case(
            {"reasons": "silence", "reason": "holidays", "for": "1d"},
            Change.silence_made,
            None,
            MATCHED,
        )
    ],
    ("POST", "/silences/{silence_id}/end"): [
        Case({}, Change.silence_ended, None, {**MATCHED, "ends_at": "2026-03-02T12:00:00Z"})
    ],
    ("POST", f"{API}/notes"): [
        Case({"account_id": "acme", "text": "holidays"}, Change.note_written, "acme", {})
    ],
    ("DELETE", f"{API}/notes/{{note_id}}"): [Case(None, Change.note_erased, "acme", {})],
    ("POST", "/accounts/{account_id}/notes"): [
        Case({"text": "holidays"}, Change.note_written, "acme", {})
    ],
    ("POST", "/notes/{note_id}/erase"): [Case({}, Change.note_erased, "acme", {})],
}
UNSAID = {("POST", "/sign-in"), ("POST", "/sign-out")}
"""They change nothing that anybody else sees."""


def routes(scene: Scene) -> set[tuple[str, str]]:
    """What may change something."""
    return {
        (method, (route.path or "").replace(":path}", "}"))
        for route in iter_route_contexts(scene.app.routes)
        for method in (route.methods or set()) - {"GET", "HEAD"}
    }


def test_no_route_that_changes_something_is_left_out(scene: Scene) -> None:
    assert routes(scene) == set(CHANGES) | UNSAID


class Setting(NamedTuple):
    """An alert that is snoozed, as a step needs it; a silence and a note of the member's own."""

    alert_id: str
    silence_id: str
    note_id: str
    link: str

    def path(self, route: str, action: str) -> str:
        """Where a route leads."""
        path = route.replace("/l/{ticket}", self.link).replace("{account_id}", "acme")
        ids = {"alert_id": self.alert_id, "silence_id": self.silence_id, "note_id": self.note_id}
        return path.format(action=action, **ids)


async def setting(scene: Scene, case: Case, path: str, way: Way, name: str) -> Setting:
    danger = alert()
    scene.knows(danger)
    client = scene.client(scene.token(Role.member, name))
    made = (await client.post(f"{API}/silences", json=SILENCE)).json()
    noted = (await client.post(f"{API}/notes", json={"account_id": "acme", "text": "a"})).json()
    if case.change is Change.alert_lifted:
        word = "acknowledgement" if path.endswith("acknowledgement") else "snooze"
        body = {} if word == "acknowledgement" else {"until": TOMORROW}
        await client.put(f"{API}/alerts/{danger.id}/{word}", json=body)
    scene.written.clear()
    return Setting(danger.id, made["id"], noted["id"], scene.link(danger))


async def send(
    scene: Scene, key: tuple[str, str], case: Case, there: Setting, role: Role, name: str
) -> httpx.Response:
    """Send what a case says, by a token or a browser of that role."""
    method, route = key
    said = dict(case.said or {})
    path = there.path(route, said.pop("action", ""))
    if route.startswith(API):
        if route.endswith("/outcomes"):
            said["alert_id"] = there.alert_id
        body = None if case.said is None else said
        return await scene.client(scene.token(role, name)).request(method, path, json=body)
    if route == LINK:
        browser = scene.browser()
        hidden = forms(await browser.get(there.link))[f"{there.link}/acknowledge"]
    else:
        browser = await signed_in(scene, role, name)
        hidden = {"form": forms(await browser.get("/silences"))["/sign-out"]["form"]}
    return await browser.post(path, data={"form": hidden["form"], **said})


EACH = [(key, case) for key, cases in CHANGES.items() for case in cases]
NAMES = [f"{method} {path} {case.change}" for (method, path), case in EACH]


@pytest.mark.parametrize(("key", "case"), EACH, ids=NAMES)
async def test_a_change_is_in_the_audit_log_before_it_is_made(
    scene: Scene, key: tuple[str, str], case: Case
) -> None:
    way = Way.link if key[1] == LINK else Way.token
    there = await setting(scene, case, key[1], way, "kim")
    if case.change is Change.alert_lifted and key[1] == ACT:
        assert scene.books.muted.snoozes
    done = await send(scene, key, case, there, Role.member, "kim")

    assert done.status_code in (200, 201, 303), done.text
    ((name, said),) = scene.records("audit")
    assert scene.written[0].topic == scene.config.kafka.topics.audit
    assert len(scene.written) > 1
    audited = AuditEntry.model_validate(said)
    assert (audited.id, audited.at, audited.change) == (name, NOW_MS, case.change)
    assert (audited.who, audited.way) == ("Kim (by link)" if way is Way.link else "kim", way)
    assert (audited.account_id, audited.details) == (case.account_id, case.details)
    subjects = {
        Change.silence_made: audited.subject,
        Change.silence_ended: there.silence_id,
        Change.note_written: audited.subject,
        Change.note_erased: there.note_id,
    }
    assert audited.subject == subjects.get(case.change, there.alert_id)
    assert "holidays" not in str(said)  # what people write, they may want to have erased


@pytest.mark.parametrize(("key", "case"), EACH, ids=NAMES)
async def test_where_the_audit_log_cannot_be_written_nothing_changes(
    scene: Scene, key: tuple[str, str], case: Case
) -> None:
    there = await setting(scene, case, key[1], Way.token, "kim")
    scene.away = True
    done = await send(scene, key, case, there, Role.member, "kim")

    assert (done.status_code, scene.written) == (503, [])


@pytest.mark.parametrize(
    ("key", "case"), [each for each in EACH if each[0][1] != LINK],
    ids=[name for name in NAMES if LINK not in name],
)  # fmt: skip
async def test_a_viewer_changes_nothing(scene: Scene, key: tuple[str, str], case: Case) -> None:
    there = await setting(scene, case, key[1], Way.token, "kim")
    done = await send(scene, key, case, there, Role.viewer, "kim")

    assert (done.status_code, scene.written) == (403, [])


@pytest.mark.parametrize(
    "route",
    [
        f"{API}/silences/{{silence_id}}", "/silences/{silence_id}/end",
        f"{API}/notes/{{note_id}}", "/notes/{note_id}/erase",
    ],
)  # fmt: skip
async def test_a_member_ends_nothing_of_others_and_an_admin_does(scene: Scene, route: str) -> None:
    key = next(each for each in CHANGES if each[1] == route)
    case = CHANGES[key][0]
    there = await setting(scene, case, route, Way.token, "kim")
    refused = await send(scene, key, case, there, Role.member, "lee")
    assert (refused.status_code, scene.written) == (403, [])
    done = await send(scene, key, case, there, Role.admin, "lee")

    assert done.status_code in (200, 303)
    assert scene.records("audit")[0][1]["who"] == "lee"


FORMS = [each for each in EACH if not each[0][1].startswith(API)]


@pytest.mark.parametrize(
    ("key", "case"), FORMS, ids=[f"{path} {case.change}" for (_, path), case in FORMS]
)
@pytest.mark.parametrize("wrong", ["token", "origin"])
async def test_a_form_that_is_not_ours_changes_nothing(
    scene: Scene, key: tuple[str, str], case: Case, wrong: str
) -> None:
    there = await setting(scene, case, key[1], Way.token, "kim")
    browser = await signed_in(scene, Role.admin, "kim")
    form = forms(await browser.get("/silences"))["/sign-out"]["form"]
    if key[1] == LINK:
        form = forms(await browser.get(there.link))[f"{there.link}/acknowledge"]["form"]
    others = forms(await (await signed_in(scene, name="lee")).get("/silences"))["/sign-out"]["form"]
    said = {**(case.said or {}), "form": others if wrong == "token" else form}
    path = there.path(key[1], said.pop("action", ""))
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    done = await browser.post(path, data=said, headers=headers if wrong == "origin" else {})

    assert (done.status_code, scene.written) == (403, [])


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
async def test_nobody_is_let_in_or_out_from_another_site(scene: Scene, path: str) -> None:
    browser = await signed_in(scene)
    form = forms(await browser.get("/sign-in" if path == "/sign-in" else "/silences"))[path]["form"]
    cross = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    said = {"form": form, "token": scene.token(Role.admin)}
    refused = await browser.post(path, data=said, headers=cross)

    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers


# -- reading it ------------------------------------------------------------------------------------


def knows(scene: Scene, *entries: Entry) -> None:
    for each in entries:
        record = record_of(each, "audit")
        scene.books.audit.take(record.key or b"", record.value)


def some(count: int) -> list[Entry]:
    """Entries a minute apart, the last one now; every third of globex, every second of lee."""
    return [
        entry(
            By("lee" if number % 2 else "kim", Way.user),
            Change.alert_snoozed if number % 3 else Change.alert_closed,
            NOW_MS - (count - 1 - number) * 60_000,
            account_id="acme" if number % 3 else "globex",
            subject=f"al_{number}",
        )
        for number in range(count)
    ]


def subjects_of(page: httpx.Response) -> list[str]:
    return re.findall(r"\bal_[0-9]+\b", plain(page))


async def test_admins_read_it_and_nobody_else(scene: Scene) -> None:
    knows(scene, *some(1))
    for role in (Role.viewer, Role.member):
        browser = await signed_in(scene, role)
        assert 'href="/audit"' not in (await browser.get("/")).text
        for path in ("/audit", "/audit.csv"):
            assert (await browser.get(path)).status_code == 403
        assert (await scene.api[role].get(f"{API}/audit")).status_code == 403
    for path in ("/audit", "/audit.csv?who=kim"):
        assert (await scene.browser().get(path)).headers["location"].startswith("/sign-in?next=")
    assert (await scene.client().get(f"{API}/audit")).status_code == 401
    browser = await signed_in(scene, Role.admin)
    assert 'href="/audit"' in (await browser.get("/")).text
    assert (await browser.get("/audit")).status_code == 200


async def test_the_page_has_the_newest_first_and_finds_by_who_what_and_account(
    scene: Scene,
) -> None:
    knows(scene, *some(120))
    browser = await signed_in(scene, Role.admin)
    first = await browser.get("/audit")
    assert subjects_of(first) == [f"al_{number}" for number in range(119, 69, -1)]
    rest = first.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = await browser.get(rest)
    assert subjects_of(second) == [f"al_{number}" for number in range(69, 19, -1)]
    assert subjects_of(await browser.get("/audit")) == subjects_of(first)
    oldest = base64.urlsafe_b64encode(b'[0,""]').decode()
    assert "Nothing older is here." in (await browser.get(f"/audit?cursor={oldest}")).text

    found = await browser.get("/audit?who=lee&change=alert_closed&account=globex")
    assert subjects_of(found) == [f"al_{number}" for number in range(117, 0, -6)]
    assert 'href="/audit.csv?who=lee&amp;change=alert_closed&amp;account=globex"' in found.text
    assert "Nothing fits." in (await browser.get("/audit?who=nobody")).text


async def test_the_csv_has_all_of_it_and_no_formula(scene: Scene) -> None:
    evil = entry(By("=cmd()", Way.proxy), Change.user_added, NOW_MS, subject="@x", name="<script>")
    knows(scene, *some(120), evil)
    browser = await signed_in(scene, Role.admin)
    answered = await browser.get("/audit.csv")
    rows = list(csv.DictReader(io.StringIO(answered.content.decode("utf-8-sig"))))

    assert answered.content.startswith(codecs.BOM_UTF8)  # else Excel reads it as something older
    assert len(rows) == 121
    assert {row["who"] for row in rows} == {"kim", "lee", "'=cmd()"}
    (told,) = [row for row in rows if row["way"] == "proxy"]
    assert (told["subject"], told["details"]) == ("'@x", "name: <script>")
    assert "pulse-audit-2026-03-02.csv" in answered.headers["content-disposition"]
    assert len((await browser.get("/audit.csv?who=lee")).text.splitlines()) == 61
    page = await browser.get("/audit")
    assert "<script>" not in page.text.split("<main")[1]
    assert "=cmd()" in plain(page)


async def test_the_api_gives_it_in_pages(scene: Scene) -> None:
    knows(scene, *some(5))
    api = scene.api[Role.admin]
    first = (await api.get(f"{API}/audit?limit=3")).json()
    second = (await api.get(f"{API}/audit?limit=3&cursor={first['cursor']}")).json()
    found = [AuditEntry.model_validate(each) for each in (*first["items"], *second["items"])]
    assert [each.subject for each in found] == ["al_4", "al_3", "al_2", "al_1", "al_0"]
    assert second["cursor"] is None

    async def subjects(query: str) -> list[str]:
        answered = await api.get(f"{API}/audit?{query}")
        return [each["subject"] for each in answered.json()["items"]]

    assert await subjects("who=lee") == ["al_3", "al_1"]
    assert await subjects("change=alert_closed") == ["al_3", "al_0"]
    assert await subjects("account=globex") == ["al_3", "al_0"]
    assert await subjects("since=2026-03-02T11:59:00Z") == ["al_4", "al_3"]
    for wrong in ("since=yesterday", "change=everything", "cursor=x"):
        assert (await api.get(f"{API}/audit?{wrong}")).status_code == 400


def test_the_book_is_bounded_and_takes_a_repeat_once() -> None:
    book, entries = AuditBook(10), some(25)
    for each in entries:
        record = record_of(each, "audit")
        book.take(record.key or b"", record.value)
        book.take(record.key or b"", record.value)
    book.take(b"x", b"{")
    book.take(b"x", None)

    assert [each.subject for each in book] == [f"al_{number}" for number in range(15, 25)]
    assert (len(book), book.is_full) == (10, True)
