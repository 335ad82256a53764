"""The page: what a link opens, what a form does, and what nobody can make it do."""

from __future__ import annotations

import codecs
import csv
import io
import re

import pytest
from prometheus_client import generate_latest

from pulse.alerting.people.links import Links
from pulse.alerting.people.silences import encode_snooze
from pulse.alerting.stages.muting import Snooze
from pulse.keyring import hash_of
from pulse.readmodel import ReadModel
from pulse.web.pages.views import KEPT
from pulse.web.tokens import Role
from tests.integration.web.webbing import (
    DAY_MS,
    KEY,
    NOW_MS,
    ORIGIN,
    SAME_ORIGIN,
    Scene,
    alert,
    document,
    forms,
    plain,
    signed_in,
)

EVIL = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
OUR_SCRIPT = f'<script src="/pulse.js?{KEPT}">'


async def test_who_watches_it_is_told_that_it_runs(scene: Scene) -> None:
    answered = await scene.client().get("/healthz")

    assert (answered.status_code, answered.json()) == (200, {"status": "ok"})


# -- links -----------------------------------------------------------------------------------------


async def test_a_link_shows_the_account_its_score_and_why(scene: Scene) -> None:
    danger, silent = alert(), alert(reason="silence")
    scene.knows(danger, silent, alert("globex"))

    page = await scene.browser().get(scene.link(danger))

    text = plain(page)
    assert page.status_code == 200
    for words in ("Acme", "danger below 40", "Acme is in danger", "Call the account's"):
        assert words.replace("'", "&#39;") in text, words
    assert 'aria-label="score 31.2, danger below 40, 28 days ago 60.0"' in page.text
    assert "silence" in text
    assert "Globex" not in page.text
    # It acts on its own alert alone, whatever else fires.
    assert silent.id in page.text
    assert {each.rpartition("/")[2] for each in forms(page)} == {"acknowledge", "snooze", "close"}
    assert all(each.startswith(scene.link(danger)) for each in forms(page))


@pytest.mark.parametrize("name", ["alert", "acknowledge", "snooze", "close"])
async def test_opening_a_link_changes_nothing_however_often(scene: Scene, name: str) -> None:
    danger = alert()
    scene.knows(danger)
    for _ in range(3):
        for method in ("GET", "HEAD", "OPTIONS"):
            await scene.client().request(method, scene.link(danger, name))

    assert scene.written == []


async def send(scene: Scene, name: str, **fields: str) -> tuple[int, str]:
    """Fill the form of a link in and send it; the status, and what the page then says."""
    danger = alert()
    scene.knows(danger)
    browser, path = scene.browser(), scene.link(danger, name)
    hidden = forms(await browser.get(path))[path]
    done = await browser.post(path, data={**hidden, **fields})
    if done.status_code == 303:
        return 303, plain(await browser.get(done.headers["location"]))
    return done.status_code, plain(done)


async def test_an_alert_is_taken_over_by_a_link(scene: Scene) -> None:
    status, text = await send(scene, "acknowledge", author="Kim", note="I call them")

    assert status == 303
    assert "You have taken it over." in text
    assert "Taken over by Kim (by link): I call them" in text
    ((key, said),) = scene.records("silences")
    assert (key, said["author"]) == (f"snooze/{alert().id}", "Kim (by link)")
    assert "until" not in said


async def test_an_alert_is_snoozed_for_a_while_or_through_a_day(scene: Scene) -> None:
    assert (await send(scene, "snooze", **{"for": "3d", "until": ""}))[0] == 303
    assert (await send(scene, "snooze", **{"for": "3d", "until": "2026-03-10"}))[0] == 303

    assert [said["until"] for _, said in scene.records("silences")] == [
        "2026-03-05T12:00:00Z",
        "2026-03-11T00:00:00Z",
    ]


async def test_an_alert_is_closed_with_an_outcome(scene: Scene) -> None:
    status, text = await send(scene, "close", outcome="false_alarm", author="", note="moved")

    assert status == 303
    assert "Closed as false alarm by by link" not in text
    assert "Closed as false alarm by somebody with the link" in text
    ((_, said),) = scene.records("outcomes")
    assert (said["outcome"], said["note"]) == ("false_alarm", "moved")


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("snooze", {"for": "2y"}),
        ("snooze", {}),
        ("snooze", {"until": "tomorrow"}),
        ("snooze", {"until": "2026-03-10", "offset": "an hour"}),
        ("snooze", {"until": "2026-03-10", "offset": "٣"}),
        ("snooze", {"until": "2026-03-01"}),
        ("snooze", {"until": "2030-01-01"}),
        ("close", {}),
        ("close", {"outcome": "lost"}),
        ("close", {"outcome": "saved", "note": "x" * 1_001}),
        ("acknowledge", {"author": "x" * 101}),
    ],
)
async def test_a_form_that_says_nothing_sensible_does_nothing(
    scene: Scene, name: str, fields: dict[str, str]
) -> None:
    assert (await send(scene, name, **fields))[0] == 400
    assert scene.written == []


async def test_expired_forged_and_other_links_open_nothing(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    path = scene.link(danger)
    browser = scene.browser()
    hidden = forms(await browser.get(path))[f"{path}/acknowledge"]
    forged = Links(ORIGIN, b"another key of thirty-two letters", 14 * DAY_MS)
    other = forged.of(danger.id, "acme", NOW_MS)["alert"].removeprefix(ORIGIN)
    for wrong in (other, path[:-1], f"{path}x", "/l/", "/l/x", f"{path}/lift", f"{path}/delete"):
        assert (await browser.get(wrong)).status_code == 404, wrong
        assert (await browser.post(f"{wrong}/acknowledge", data=hidden)).status_code in (404, 405)

    scene.now_ms += 15 * DAY_MS
    expired = await browser.get(path)
    assert (expired.status_code, "has expired" in expired.text) == (410, True)
    assert (await browser.post(f"{path}/acknowledge", data=hidden)).status_code == 410
    assert scene.written == []


async def test_without_a_key_there_are_no_links(accounts: ReadModel) -> None:
    scene = Scene(accounts, has_links=False)

    assert (await scene.browser().get(scene.link(alert()))).status_code == 404


async def test_a_link_opens_also_while_redis_is_away_and_for_an_alert_not_known_here(
    unique: str,
) -> None:
    async with ReadModel("redis://127.0.0.1:1", unique) as away:
        scene = Scene(away)
        danger = alert()
        unknown = await scene.browser().get(scene.link(danger))
        scene.knows(danger)
        known = await scene.browser().get(scene.link(danger, "snooze"))

    assert "not known here any more" in unknown.text
    assert "Acme is in danger" in known.text
    assert "Redis does not answer" in known.text
    assert f"{scene.link(danger)}/snooze" in forms(known)


# -- CSRF ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.example.com"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://pulse.example.com.evil.example"},
        {},
    ],
)
async def test_a_form_from_elsewhere_does_nothing(scene: Scene, headers: dict[str, str]) -> None:
    danger = alert()
    scene.knows(danger)
    path = f"{scene.link(danger)}/acknowledge"
    hidden = forms(await scene.browser().get(path))[path]

    refused = await scene.client(None, **headers).post(path, data=hidden)

    assert (refused.status_code, scene.written) == (403, [])


async def test_browsers_that_say_only_the_origin_may_send_forms(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    path = f"{scene.link(danger)}/acknowledge"
    hidden = forms(await scene.browser().get(path))[path]

    odd = [await scene.client(None, Origin=each).post(path, data=hidden)
           for each in ("http://[", "http://[::1", "null", "")]  # fmt: skip
    assert {each.status_code for each in odd} == {403}
    assert scene.written == []
    assert (await scene.client(None, Origin=ORIGIN).post(path, data=hidden)).status_code == 303


async def test_a_form_without_its_token_or_with_anothers_does_nothing(scene: Scene) -> None:
    danger, other = alert(), alert("globex")
    scene.knows(danger, other)
    path = f"{scene.link(danger)}/acknowledge"
    browser = scene.browser()
    others = forms(await browser.get(scene.link(other)))[f"{scene.link(other)}/acknowledge"]
    mine = forms(await browser.get(path))[path]
    session = await signed_in(scene)
    of_session = forms(await session.get("/accounts/acme"))[f"/alerts/{danger.id}/acknowledge"]
    for fields in ({"note": "x"}, {"form": ""}, {"form": "x.y"}, {"form": "ü"}, others, of_session):
        assert (await browser.post(path, data=fields)).status_code == 403, fields
    scene.now_ms += 13 * 3_600_000  # it was open for too long
    assert (await browser.post(path, data=mine)).status_code == 403

    assert scene.written == []


async def test_a_form_is_a_form(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    path = f"{scene.link(danger)}/acknowledge"
    hidden = forms(await scene.browser().get(path))[path]

    as_json = await scene.browser().post(path, json=hidden)
    as_bytes = await scene.browser().post(
        path, content=b"\xff", headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    many = await scene.browser().post(path, data={f"f{n}": "x" for n in range(50)} | hidden)

    assert {as_json.status_code, as_bytes.status_code, many.status_code} == {400}


# -- sessions --------------------------------------------------------------------------------------


async def test_without_signing_in_there_is_a_form_to_do_so(scene: Scene) -> None:
    for path in ("/", "/accounts/acme"):
        sent = await scene.browser().get(path)
        assert sent.status_code == 303
        assert sent.headers["location"].startswith("/sign-in?next=%2F")
    posted = await scene.browser().post(f"/alerts/{alert().id}/acknowledge", data={})
    assert posted.headers["location"].startswith("/sign-in")
    assert scene.written == []


async def test_who_signs_in_sees_all_accounts_and_acts_on_their_alerts(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    browser = await signed_in(scene)
    listed = await browser.get("/")
    page = await browser.get("/accounts/acme")
    path = f"/alerts/{danger.id}/acknowledge"
    done = await browser.post(path, data={**forms(page)[path], "note": ""})
    after = await browser.get(done.headers["location"])
    lift = f"/alerts/{danger.id}/lift"
    lifted = await browser.post(lift, data=forms(after)[lift])

    assert "Globex" in listed.text
    assert done.headers["location"] == "/accounts/acme?done=acknowledge"
    assert "Taken over by kim" in plain(after)
    assert lifted.status_code == 303
    assert [value and value["author"] for _, value in scene.records("silences")] == ["kim", None]


async def test_the_cookie_is_out_of_reach_of_scripts_other_sites_and_plain_http(
    scene: Scene,
) -> None:
    browser = await signed_in(scene)
    (cookie,) = [each for each in browser.cookies.jar if "session" in each.name]

    assert cookie.name == "__Host-pulse_session"
    assert (cookie.secure, cookie.path, cookie.domain_specified) == (True, "/", False)
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "strict"


async def test_a_viewer_sees_no_forms_and_sends_none(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    browser = await signed_in(scene, Role.viewer)
    page = await browser.get("/accounts/acme")
    token = forms(page)["/sign-out"]["form"]

    refused = await browser.post(f"/alerts/{danger.id}/acknowledge", data={"form": token})

    assert list(forms(page)) == ["/sign-out"]
    assert (refused.status_code, scene.written) == (403, [])


async def test_a_session_ends_with_its_token_its_time_and_its_sign_out(scene: Scene) -> None:
    browser, other, third = [await signed_in(scene, name=name) for name in ("kim", "lee", "mo")]
    kims = next(hashed for hashed, each in scene.tokens if each.name == "kim")
    scene.tokens.take(kims.encode(), None)
    assert (await browser.get("/")).status_code == 303
    assert (await other.get("/")).status_code == 200

    out = await third.post("/sign-out", data=forms(await third.get("/"))["/sign-out"])
    assert out.status_code == 303
    assert (await third.get("/")).status_code == 303

    scene.now_ms += 13 * 3_600_000
    assert (await other.get("/")).status_code == 303


@pytest.mark.parametrize("has_key", [True, False])
async def test_who_signs_in_at_one_process_is_at_all_that_have_the_key(
    accounts: ReadModel, *, has_key: bool
) -> None:
    one, another = (Scene(accounts, has_links=has_key) for _ in range(2))
    browser = await signed_in(one)
    another.tokens = another.service.access.tokens = one.tokens
    there = another.browser()
    there.cookies = browser.cookies

    assert (await there.get("/")).status_code == (200 if has_key else 303)
    assert (await browser.get("/")).status_code == 200


async def test_a_session_that_somebody_made_up_is_none(scene: Scene) -> None:
    token = scene.token(Role.admin)
    for value in (hash_of(token), f"{hash_of(token)}.x", "x.y", "ü.ü", "." * 5_000):
        browser = scene.browser()
        browser.cookies.set("__Host-pulse_session", value.encode().decode("latin-1"))
        try:
            answered = await browser.get("/")
        except UnicodeEncodeError:
            continue  # no browser sends it
        assert answered.status_code == 303


async def test_nobody_is_signed_in_by_another_site(scene: Scene) -> None:
    fields = {**forms(await scene.browser().get("/sign-in"))["/sign-in"], "token": "pt_x"}
    without_cookie = await scene.browser().post("/sign-in", data=fields)
    browser = scene.client()
    shown = forms(await browser.get("/sign-in"))["/sign-in"]
    elsewhere = await browser.post(
        "/sign-in",
        data={**shown, "token": scene.token(Role.admin)},
        headers={"Sec-Fetch-Site": "cross-site"},
    )

    assert (without_cookie.status_code, elsewhere.status_code) == (403, 403)
    assert not any("session" in each.name for each in browser.cookies.jar)


async def test_a_form_holds_though_another_tab_has_one_too(scene: Scene) -> None:
    browser = scene.browser()
    first = forms(await browser.get("/sign-in"))["/sign-in"]
    await browser.get("/sign-in")
    done = await browser.post("/sign-in", data={**first, "token": scene.token(Role.viewer)})
    assert done.status_code == 303


async def test_a_mark_that_is_none_of_ours_is_not_kept(scene: Scene) -> None:
    for mark in ("", "x", "0" * 33, "\u0660" * 32):
        browser = scene.browser()
        shown = await browser.get("/sign-in", headers={"Cookie": f"pulse_visitor={mark}".encode()})
        assert re.search("visitor=[0-9a-f]{32};", shown.headers["set-cookie"])


async def test_wrong_tokens_are_told_so_and_slowed_down(scene: Scene) -> None:
    browser = scene.browser()
    statuses = []
    for _ in range(21):
        fields = {**forms(await browser.get("/sign-in"))["/sign-in"], "token": "pt_wrong"}
        statuses.append((await browser.post("/sign-in", data=fields)).status_code)

    assert statuses == [401] * 20 + [429]


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\/evil",
        "/\tevil",
        "javascript:x",
        "/a//../..//evil.example\n",
        "http:evil",
        "",
    ],
)
async def test_signing_in_leads_nowhere_else(scene: Scene, to: str) -> None:
    browser = scene.browser()
    shown = await browser.get("/sign-in", params={"next": to})
    fields = {**forms(shown)["/sign-in"], "next": to, "token": scene.token(Role.viewer)}

    sent = await browser.post("/sign-in", data=fields)

    assert sent.headers["location"] == "/"


async def test_signing_in_leads_where_one_was_going(scene: Scene) -> None:
    browser = scene.browser()
    sent = await browser.get("/accounts/acme")
    fields = forms(await browser.get(sent.headers["location"]))["/sign-in"]

    done = await browser.post("/sign-in", data={**fields, "token": scene.token(Role.viewer)})

    assert done.headers["location"] == "/accounts/acme"


# -- Today -----------------------------------------------------------------------------------------


async def test_today_says_why_who_has_it_and_what_numbers_are_compared_with(
    scene: Scene, accounts: ReadModel
) -> None:
    await accounts.write(
        [
            document("quiet", alerts=[], then=None, profile={}),
            document("near", zone="approaching", score=48.0, alerts=[]),
            document("fine", zone="healthy", score=90.0),
        ]
    )
    danger, silent = alert(), alert(reason="silence", severity="warning")
    scene.knows(danger, silent)
    key, value = encode_snooze(
        Snooze(alert_id=danger.id, author="kim", until_ms=NOW_MS + 3 * DAY_MS)
    )
    scene.books.muted.take(key.encode(), value)
    browser = await signed_in(scene)
    text = plain(await browser.get("/"))

    assert "1\u20134 of 4" in text
    for words in (
        "In danger 3 60 % of 5 accounts",
        "Is in danger: its score fell to 31. silence snoozed until 2026-03-05 12:00 UTC by kim",
        "31.2 of 100, line 40",
        "Lacks most on active users: 12.5 of 50 points. No alert fires.",
        "no past yet",
        "renewal not known",
    ):
        assert words in text, words
    assert "Fine" not in text
    assert "1 of 4 accounts: an alert fires that nobody took over" in text
    assert plain(await browser.get("/?waiting=1")).count("renewal not known") == 4

    for each in (danger, silent):
        key, value = encode_snooze(Snooze(alert_id=each.id, author="kim"))
        scene.books.muted.take(key.encode(), value)
    taken = plain(await browser.get("/"))
    assert "taken over by kim" in taken
    assert "0 of 4 accounts: an alert fires" in taken
    assert plain(await browser.get("/?waiting=1")).count("renewal not known") == 3
    table = await browser.get("/today.csv")
    assert table.content.startswith(codecs.BOM_UTF8)
    assert "taken over by kim" in table.text


async def test_a_page_that_became_empty_shows_the_last_one(
    scene: Scene, accounts: ReadModel
) -> None:
    await accounts.write(document(f"a{number}") for number in range(24))
    browser = await signed_in(scene)
    assert "26\u201326 of 26" in plain(await browser.get("/?page=2"))

    await accounts.write([document("a0", zone="healthy", score=90.0)])
    await scene.looks()
    shown = plain(await browser.get("/?page=2"))
    assert "1\u201325 of 25" in shown
    assert "No account is in danger" not in shown
    assert "Those before" not in shown
    assert "1\u201325 of 25 that fit" in plain(await browser.get("/?zone=danger&page=9"))
    assert "No account fits" in plain(await browser.get("/?zone=approaching&page=2"))


async def test_today_marks_accounts_that_are_held_out(accounts: ReadModel) -> None:
    await accounts.write([document("acme"), document("beta")])
    scene = Scene(accounts, {"holdout": {"share": 0.5, "salt": "spring", "since": "2026-01-01"}})
    browser = await signed_in(scene)
    rows = {
        part.partition('"')[0]: ">held out<" in part
        for part in (await browser.get("/")).text.split('data-key="')[1:]
    }
    text = (await browser.get("/today.csv")).text.removeprefix("\ufeff")
    listed = csv.DictReader(io.StringIO(text, newline=""))

    assert (rows["acme"], rows["beta"]) == (False, True)
    told = {each["account_id"]: each["held_out"] for each in listed}
    assert (told["acme"], told["beta"]) == ("no", "yes")


async def test_today_says_where_accounts_are_old_or_not_all_read_yet(scene: Scene) -> None:
    browser = await signed_in(scene)
    assert "worker" not in plain(await browser.get("/"))
    scene.now_ms += 2 * DAY_MS
    other = await signed_in(scene)
    assert "since 2026-03-02 11:59 UTC : is the worker running?" in plain(await other.get("/"))

    new = Scene(scene.accounts)
    new.tokens = new.service.access.tokens = scene.tokens
    there = new.browser()
    there.cookies = other.cookies
    new.now_ms = scene.now_ms
    assert "still being read" in plain(await there.get("/"))
    assert "so far: they are still being read" in plain(await there.get("/search?q=acme"))


async def test_an_account_is_found_by_a_part_of_its_name_and_its_id_leads_to_it(
    scene: Scene, accounts: ReadModel
) -> None:
    await accounts.write([document("a/b", lifecycle="churned"), document("100")])
    browser = await signed_in(scene)

    assert (await browser.get("/search?q=a/b")).headers["location"] == "/accounts/a%2Fb"
    listed = await browser.get("/search?q=GLO")
    assert 'href="/accounts/globex"' in listed.text
    assert "churned" in plain(await browser.get("/search?q=a/"))
    assert "No account has" in plain(await browser.get(f"/search?q={EVIL}"))
    assert "By its id" in plain(await browser.get("/search"))


@pytest.mark.parametrize("path", ["/", "/today.csv", "/search?q=acme"])
async def test_there_is_no_today_without_a_read_model(path: str) -> None:
    scene = Scene(None)
    answered = await (await signed_in(scene)).get(path)

    assert answered.status_code == 503
    assert "redis.enabled" in answered.text


@pytest.mark.parametrize("path", ["/?zone=danger", "/today.csv?owner=kim", "/search?q=a"])
async def test_who_is_not_signed_in_comes_back_to_what_was_asked_for(
    scene: Scene, path: str
) -> None:
    browser = scene.browser()
    sent = await browser.get(path)
    fields = forms(await browser.get(sent.headers["location"]))["/sign-in"]
    done = await browser.post("/sign-in", data={**fields, "token": scene.token(Role.viewer)})

    assert done.headers["location"] == path


@pytest.mark.parametrize("query", ["zone=healthy", "page=0", "page=x", f"owner={'x' * 300}"])
async def test_a_list_that_is_none_is_refused(scene: Scene, query: str) -> None:
    assert (await (await signed_in(scene)).get(f"/?{query}")).status_code == 400


# -- XSS, headers ----------------------------------------------------------------------------------


async def test_whatever_product_apps_say_is_text(scene: Scene, accounts: ReadModel) -> None:
    name = EVIL[:200]
    evil = document(name, profile={"name": EVIL, "segment": EVIL, "owner": EVIL, "plan": EVIL})
    await accounts.write([evil | {"contributions": {EVIL: 1.0}, "out_of": {EVIL: 2.0}}])
    danger = alert(
        name, reason=EVIL, summary=EVIL, play=EVIL, profile={"name": EVIL, "segment": EVIL}
    )
    scene.knows(danger)
    browser = await signed_in(scene, name=EVIL)
    path = f"/alerts/{danger.id}/acknowledge"
    by_link = await browser.get(scene.link(danger))
    account = await browser.get(f"/accounts/{scene.link(danger)}", follow_redirects=True)
    listed = await browser.get("/")
    import urllib.parse

    account = await browser.get(f"/accounts/{urllib.parse.quote(name, safe='')}")
    await browser.post(path, data={**forms(account)[path], "note": EVIL})
    after = await browser.get(f"/accounts/{urllib.parse.quote(name, safe='')}")
    missing = await browser.get(f"/accounts/{urllib.parse.quote('<script>', safe='')}")

    assert "Taken over by" in after.text
    for page in (by_link, account, listed, after, missing):
        assert re.findall(r"<script[^>]*>", page.text) == [OUR_SCRIPT]
        assert re.findall(r"<img[^>]*>", page.text) == ['<img src="/icon.svg" alt="">']
        assert "onerror=alert(1)>" not in page.text


async def test_links_in_the_list_lead_to_accounts_whatever_they_are_called(
    scene: Scene, accounts: ReadModel
) -> None:
    names = ["a/b", "a?b#c", "50%", "javascript:alert(1)", "//evil.example", "Ünï cødé"]
    await accounts.write([document(name, profile={}) for name in names])
    browser = await signed_in(scene)
    listed = await browser.get("/")

    for name in names:
        (path,) = re.findall(rf'<a href="(/accounts/[^"]*)">{re.escape(name)}<', listed.text)
        assert f"<h1>{name} <span" in (await browser.get(path)).text


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/api/v1/alerts", "/nothing", "/style.css", "/docs", "/l/x"]
)
async def test_every_answer_says_what_browsers_may_do_with_it(scene: Scene, path: str) -> None:
    headers = (await scene.client().get(path)).headers

    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == ("max-age=3600" if path == "/style.css" else "no-store")
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/broken", "/api/v1/broken"])
async def test_a_bug_is_answered_as_all_else_is_and_counted(scene: Scene, path: str) -> None:
    async def broken() -> None:
        raise RuntimeError("a bug")

    scene.app.add_api_route(path, broken)
    answer = await scene.client().get(path)
    assert (answer.status_code, "its log says more" in answer.text) == (500, True)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"
    assert 'pulse_web_requests_total{status="500"} 1.0' in (
        generate_latest(scene.metrics.registry).decode()
    )


async def test_no_page_needs_what_the_policy_forbids(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    browser = await signed_in(scene)
    for path in ("/", "/accounts/acme", scene.link(danger, "snooze"), "/docs", "/sign-in"):
        text = (await browser.get(path)).text
        assert text.count("<script") == text.count(OUR_SCRIPT) == 1, path
        for word in (" style=", "onclick", "http-equiv", "<iframe"):
            assert word not in text, (path, word)


async def test_a_refusal_is_a_page_and_its_headers_are_kept(scene: Scene) -> None:
    refused = await scene.browser().get("/l/x")

    assert refused.headers["content-type"].startswith("text/html")
    assert "was it copied whole?" in refused.text


async def test_the_key_of_the_links_makes_no_session(scene: Scene) -> None:
    # Who can forge neither is not helped by having seen many of both.
    ticket = scene.link(alert()).rpartition("/")[2]
    browser = scene.browser()
    browser.cookies.set("__Host-pulse_session", ticket)

    assert (await browser.get("/")).status_code == 303
    assert KEY.decode() not in (await browser.get("/sign-in")).text
    assert SAME_ORIGIN["Origin"] == ORIGIN
