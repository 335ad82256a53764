"""Who people are: users with passwords, a trusted proxy, and what nobody gets in with."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import argon2
import httpx
import msgspec
import pytest

from pulse.web.people.users import User, kept, new_user, removed
from pulse.web.tokens import Role
from tests.integration.web.webbing import (
    ORIGIN,
    SAME_ORIGIN,
    Scene,
    alert,
    forms,
    plain,
    signed_in,
)

if TYPE_CHECKING:
    from pulse.readmodel import ReadModel

PASSWORD = "a horse and a staple"
PROXY = "10.1.2.3"
BEHIND_A_PROXY = {
    "web": {
        "proxy_auth": {
            "header": "X-Forwarded-User",
            "trusted": ["10.1.2.0/24", "fd00::/64"],
            "groups_header": "X-Forwarded-Groups",
            "roles": {"cs": "member", "ops": "admin"},
        }
    }
}


@pytest.fixture
def scene(accounts: ReadModel) -> Scene:
    found = Scene(accounts)
    found.user("kim", PASSWORD)
    return found


async def come(
    scene: Scene, name: str, password: str, address: str = "203.0.113.7"
) -> tuple[httpx.AsyncClient, httpx.Response]:
    """A browser at an address, and what it is told when it has sent the form."""
    await scene.looks()
    transport = httpx.ASGITransport(app=scene.app, client=(address, 1))
    browser = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=SAME_ORIGIN)
    hidden = forms(await browser.get("/sign-in"))["/sign-in"]
    said = {**hidden, "name": name, "password": password}
    return browser, await browser.post("/sign-in", data=said)


async def test_with_name_and_password_somebody_is_let_in_and_acts_under_the_name(
    scene: Scene,
) -> None:
    danger = alert()
    scene.knows(danger)
    browser, told = await come(scene, "kim", PASSWORD)
    assert (told.status_code, told.headers["location"]) == (303, "/")
    path = f"/alerts/{danger.id}/acknowledge"
    page = await browser.get("/accounts/acme")
    await browser.post(path, data={**forms(page)[path], "note": ""})

    assert "kim, member" in plain(page)
    ((_, said),) = scene.records("audit")
    assert (said["who"], said["way"], said["account_id"]) == ("kim", "user", "acme")
    ((_, snooze),) = scene.records("silences")
    assert snooze["author"] == "kim"
    count = scene.metrics.registry.get_sample_value("pulse_web_signed_in_total", {"way": "user"})
    assert count == 1


async def test_what_was_wrong_is_not_told(scene: Scene) -> None:
    told = [
        (await come(scene, name, password))[1]
        for name, password in (
            ("kim", "a horse and a stapler"),
            ("lee", PASSWORD),
            ("", PASSWORD),
            ("kim", ""),
            ("kim", "x" * 1_001),
            ("x" * 300, PASSWORD),
            ("kim", "\u0000" * 12),
        )
    ]

    assert {each.status_code for each in told} == {401}
    notes = {plain(each).split("Sign in")[1].split("Name")[0] for each in told}
    assert len(notes) == 1
    assert "the name or the password is wrong" in notes.pop()
    assert not any("pulse_session" in each.headers.get("set-cookie", "") for each in told)
    assert scene.metrics.registry.get_sample_value("pulse_web_wrong_passwords_total") == 7


async def test_another_keyboard_makes_the_same_password(scene: Scene) -> None:
    scene.user("mo", "p\u00e4sseword f\u00fcr mo")

    assert (await come(scene, "mo", "pa\u0308sseword fu\u0308r mo"))[1].status_code == 303


async def test_who_guesses_waits_and_who_knows_does_not(scene: Scene) -> None:
    for number in range(10):
        assert (await come(scene, "kim", f"guess number {number}"))[1].status_code == 401
    told = (await come(scene, "kim", PASSWORD))[1]
    assert (told.status_code, int(told.headers["retry-after"])) == (429, 30)
    assert "too many wrong passwords; wait 30 seconds" in plain(told)
    # From other addresses each has one try, and then waits for the name.
    assert (await come(scene, "kim", "guess again and again", "203.0.113.8"))[1].status_code == 401
    assert (await come(scene, "kim", "guess again and again", "203.0.113.8"))[1].status_code == 429
    # Also when it comes a moment later.
    assert (await come(scene, "kim", "guess again and again", "203.0.113.9"))[1].status_code == 401
    scene.now_s += 1
    assert (await come(scene, "kim", "guess again and again", "203.0.113.9"))[1].status_code == 429
    # Who knows it comes in from elsewhere meanwhile, also under another name from there.
    assert (await come(scene, "kim", PASSWORD, "198.51.100.1"))[1].status_code == 303
    assert (await come(scene, "kim", PASSWORD, "198.51.100.1"))[1].status_code == 303
    scene.now_s += 90
    assert (await come(scene, "kim", PASSWORD))[1].status_code == 303


async def test_many_guesses_at_once_are_counted_before_they_are_looked_at(scene: Scene) -> None:
    told = await asyncio.gather(*(come(scene, "kim", f"guess number {n}") for n in range(15)))

    assert sorted(each.status_code for _, each in told) == [401] * 10 + [429] * 5


async def test_a_session_ends_with_its_user_its_password_and_its_role(scene: Scene) -> None:
    def take(user: User) -> None:
        record = kept("", user)
        scene.users.take(record.key or b"", record.value)

    danger = alert()
    scene.knows(danger)
    browser = (await come(scene, "kim", PASSWORD))[0]
    known = scene.users.get("kim")
    assert known is not None
    form = forms(await browser.get("/accounts/acme"))[f"/alerts/{danger.id}/acknowledge"]
    take(msgspec.structs.replace(known, role=Role.viewer))
    refused = await browser.post(f"/alerts/{danger.id}/acknowledge", data=form)
    assert (refused.status_code, scene.written) == (403, [])
    assert "pulse users role kim member" in plain(refused)
    assert (await browser.get("/")).status_code == 200

    scene.user("kim", "another horse and staple")
    assert (await browser.get("/")).status_code == 303
    browser, told = await come(scene, "kim", "another horse and staple")
    assert told.status_code == 303
    for record in removed("", "kim"):
        scene.users.take(record.key or b"", record.value)
    assert (await browser.get("/")).status_code == 303
    # The same name again is somebody else.
    scene.user("kim", "another horse and staple")
    assert (await browser.get("/")).status_code == 303


async def test_a_password_is_kept_as_it_is_kept_now_the_next_time_that_it_comes(
    scene: Scene,
) -> None:
    old = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    made = new_user("mo", Role.member, "", old.hash(PASSWORD))
    record = kept("", made)
    scene.users.take(record.key or b"", record.value)
    browser = (await come(scene, "mo", PASSWORD))[0]
    now = scene.users.get("mo")
    assert now is not None
    assert now.password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert (await browser.get("/")).status_code == 200
    assert (await come(scene, "mo", PASSWORD))[1].status_code == 303
    # What was kept anew of a password is nothing, once there is another one.
    scene.user("mo", "another horse and staple")
    assert (await come(scene, "mo", PASSWORD))[1].status_code == 401


async def test_where_there_is_no_user_the_page_says_how_to_make_one(accounts: ReadModel) -> None:
    scene = Scene(accounts)
    nobody = await scene.browser().get("/sign-in")
    scene.user("kim", PASSWORD)
    somebody = await scene.browser().get("/sign-in")

    assert "pulse users add NAME" in nobody.text
    assert 'name="password"' not in nobody.text
    assert "There is no user" not in somebody.text
    assert 'name="password"' in somebody.text
    assert (await (await signed_in(scene)).get("/")).status_code == 200  # with a token


async def test_the_form_is_ours(scene: Scene) -> None:
    browser = scene.browser()
    hidden = forms(await browser.get("/sign-in"))["/sign-in"]
    said = {"name": "kim", "password": PASSWORD, "next": "/"}
    for fields in (said, {**said, "form": ""}, {**said, "form": hidden["form"][:-1]}):
        assert (await browser.post("/sign-in", data=fields)).status_code == 403
    other = await scene.browser().post("/sign-in", data={**said, "form": hidden["form"]})
    assert other.status_code == 403


# -- a trusted proxy -------------------------------------------------------------------------------


def behind(scene: Scene, peer: str = PROXY, **headers: str) -> httpx.AsyncClient:
    """A browser whose requests come from an address, with headers."""
    transport = httpx.ASGITransport(app=scene.app, client=(peer, 1))
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers={**SAME_ORIGIN, **said})


def untrusted(scene: Scene) -> float | None:
    return scene.metrics.registry.get_sample_value("pulse_web_untrusted_headers_total")


@pytest.fixture
async def proxied(accounts: ReadModel) -> Scene:
    scene = Scene(accounts, BEHIND_A_PROXY)
    await scene.looks()
    return scene


@pytest.mark.parametrize("peer", [PROXY, "::ffff:10.1.2.3", "fd00::7"])
async def test_whom_the_proxy_lets_in_is_in(proxied: Scene, peer: str) -> None:
    shown = await behind(proxied, peer, X_Forwarded_User="kim").get("/")

    assert shown.status_code == 200
    assert "kim, viewer" in plain(shown)
    assert "Sign out" not in plain(shown)
    asked = await behind(proxied, peer, X_Forwarded_User="kim").get("/sign-in?next=%2Ffleet")
    assert (asked.status_code, asked.headers["location"]) == (303, "/fleet")
    assert untrusted(proxied) == 0


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("203.0.113.7", {"X_Forwarded_User": "kim"}),
        ("10.1.3.3", {"X_Forwarded_User": "kim", "X_Forwarded_For": PROXY}),
        # A near proxy may say who asks, and that alone does not make it one that lets people in.
        ("127.0.0.1", {"X_Forwarded_User": "kim", "X_Forwarded_For": PROXY}),
        ("", {"X_Forwarded_User": "kim"}),
        (PROXY, {"X_Forwarded_User": "x" * 101}),
    ],
)
async def test_the_header_is_believed_of_nobody_else(
    proxied: Scene, peer: str, headers: dict[str, str]
) -> None:
    shown = await behind(proxied, peer, **headers).get("/")

    assert shown.headers["location"].startswith("/sign-in")
    assert untrusted(proxied) == 1


async def test_a_header_that_came_twice_is_of_whoever_asked(proxied: Scene) -> None:
    twice = [("X-Forwarded-User", "admin"), ("X-Forwarded-User", "kim")]
    groups = [("X-Forwarded-User", "kim"), ("X-Forwarded-Groups", "ops")]
    for headers in (twice, [*groups, ("X-Forwarded-Groups", "cs")]):
        shown = await behind(proxied).get("/", headers=headers)
        assert shown.status_code == 303
    assert untrusted(proxied) == 2


async def test_without_the_header_nobody_is_in(proxied: Scene) -> None:
    assert (await behind(proxied).get("/")).status_code == 303
    assert (await behind(proxied, X_Forwarded_User="").get("/")).status_code == 303
    assert untrusted(proxied) == 0


@pytest.mark.parametrize(
    ("groups", "role"), [("cs", "member"), ("x, ops ,cs", "admin"), ("opsy", "viewer")]
)
async def test_groups_have_roles_and_the_highest_counts(
    proxied: Scene, groups: str, role: str
) -> None:
    browser = behind(proxied, X_Forwarded_User="kim", X_Forwarded_Groups=groups)

    assert f"kim, {role}" in plain(await browser.get("/"))


async def test_who_is_in_no_group_may_be_kept_out(accounts: ReadModel) -> None:
    settings: dict[str, Any] = {"proxy_auth": {**BEHIND_A_PROXY["web"]["proxy_auth"]}}
    settings["proxy_auth"]["default_role"] = "none"
    scene = Scene(accounts, {"web": settings})
    await scene.looks()
    kim, lee = (
        behind(scene, X_Forwarded_User=name, X_Forwarded_Groups=groups)
        for name, groups in (("kim", "cs"), ("lee", "sales"))
    )

    assert (await kim.get("/")).status_code == 200
    assert (await lee.get("/")).status_code == 303


async def test_forms_of_whom_the_proxy_lets_in_are_theirs(proxied: Scene) -> None:
    danger = alert()
    proxied.knows(danger)
    kim, lee = (
        behind(proxied, X_Forwarded_User=name, X_Forwarded_Groups="cs") for name in ("kim", "lee")
    )
    path = f"/alerts/{danger.id}/acknowledge"
    kims = forms(await kim.get("/accounts/acme"))[path]
    lees = forms(await lee.get("/accounts/acme"))[path]
    for fields in ({"note": ""}, {"form": ""}, lees):
        assert (await kim.post(path, data=fields)).status_code == 403
    for site in ("cross-site", "same-site", "none"):
        headers = {"Sec-Fetch-Site": site, "Origin": "https://evil.example"}
        assert (await kim.post(path, data=kims, headers=headers)).status_code == 403
    assert proxied.written == []

    assert (await kim.post(path, data=kims)).status_code == 303
    ((_, said),) = proxied.records("audit")
    assert (said["who"], said["way"]) == ("kim", "proxy")


async def test_the_api_asks_for_a_token_also_behind_a_proxy(proxied: Scene) -> None:
    asked = await behind(proxied, X_Forwarded_User="kim").get("/api/v1/alerts")

    assert asked.status_code == 401


async def test_where_no_proxy_lets_people_in_its_header_is_nothing(scene: Scene) -> None:
    assert (await behind(scene, X_Forwarded_User="kim").get("/")).status_code == 303
    assert untrusted(scene) == 0
