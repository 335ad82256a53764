"""The API: who may ask what, in which form, and what is written before it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.alerting.brief import brief_of
from pulse.alerting.people.outcomes import outcome_of
from pulse.alerting.people.silences import Muted
from pulse.alerting.records.delivery import Beside, Delivery, State, Step
from pulse.alerting.records.envelope import wrap
from pulse.alerting.stages.grouping import Entry
from pulse.placement import partition_of
from pulse.readmodel import ReadModel
from pulse.web.tokens import Role
from tests.integration.web.webbing import DAY_MS, NOW_MS, Scene, alert, document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from pulse.testing.valkey import ValkeyServer

TOMORROW = "2026-03-03T12:00:00Z"


@pytest.fixture
async def accounts(valkey: ValkeyServer, unique: str) -> AsyncIterator[ReadModel]:
    async with ReadModel(valkey.url, f"{unique}:") as model:
        yield model


# -- roles -----------------------------------------------------------------------------------------

SNOOZE = {"until": TOMORROW}
SILENCE = {"match": {"reasons": ["silence"]}, "reason": "holidays", "ends_at": TOMORROW}
READS = ["accounts", "alerts", "silences", "outcomes", "outcomes/precision", "deliveries",
         "notes?account=acme"]  # fmt: skip


def writes(alert_id: str) -> list[tuple[str, str, dict[str, Any] | None]]:
    return [
        ("PUT", f"alerts/{alert_id}/snooze", SNOOZE),
        ("PUT", f"alerts/{alert_id}/acknowledgement", {}),
        ("DELETE", f"alerts/{alert_id}/snooze", None),
        ("DELETE", f"alerts/{alert_id}/acknowledgement", None),
        ("POST", "silences", SILENCE),
        ("POST", "outcomes", {"alert_id": alert_id, "outcome": "saved"}),
        ("POST", "notes", {"account_id": "acme", "text": "they move house"}),
    ]


@pytest.mark.parametrize("path", READS)
async def test_everybody_with_a_token_may_look_and_nobody_without(scene: Scene, path: str) -> None:
    for role in Role:
        assert (await scene.api[role].get(f"/api/v1/{path}")).status_code == 200
    refused = await scene.client().get(f"/api/v1/{path}")

    assert (refused.status_code, refused.json()["error"]["reason"]) == (401, "no_token")
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_viewer_says_nothing(scene: Scene, accounts: ReadModel) -> None:
    await accounts.write([document("acme")])
    danger = alert()
    scene.knows(danger)
    for method, path, body in writes(danger.id):
        refused = await scene.api[Role.viewer].request(method, f"/api/v1/{path}", json=body)
        assert (refused.status_code, refused.json()["error"]["reason"]) == (403, "role"), path
        nobody = await scene.client().request(method, f"/api/v1/{path}", json=body)
        assert nobody.status_code == 401
    assert scene.written == []

    for method, path, body in writes(danger.id):
        done = await scene.api[Role.member].request(method, f"/api/v1/{path}", json=body)
        assert done.status_code in (200, 201), done.text


async def test_a_token_is_good_until_it_is_revoked_and_from_then_on_for_nothing(
    scene: Scene,
) -> None:
    from pulse.keyring import hash_of

    token = scene.token(Role.admin, "lee")
    client = scene.client(token)
    assert (await client.get("/api/v1/alerts")).status_code == 200
    scene.tokens.take(hash_of(token).encode(), None)

    refused = await client.get("/api/v1/alerts")

    assert (refused.status_code, refused.json()["error"]["reason"]) == (401, "bad_token")


async def test_who_comes_with_wrong_tokens_again_and_again_has_to_wait(scene: Scene) -> None:
    wrong, right = scene.client("pt_wrong"), scene.api[Role.viewer]
    for _ in range(20):
        assert (await wrong.get("/api/v1/alerts")).status_code == 401

    refused = await wrong.get("/api/v1/alerts")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert (await right.get("/api/v1/alerts")).status_code == 200  # from the same address
    scene.now_s += 1
    assert (await wrong.get("/api/v1/alerts")).status_code == 401
    assert scene.metrics.registry.get_sample_value("pulse_web_wrong_tokens_total") == 21


# -- accounts --------------------------------------------------------------------------------------


async def test_accounts_come_worst_first_in_pages(scene: Scene, accounts: ReadModel) -> None:
    await accounts.write(
        [
            document(f"a-{n}", score=float(n), zone="danger" if n < 3 else "healthy")
            for n in range(7)
        ]
    )
    found: list[str] = []
    cursor = None
    while True:
        params = {"limit": 2, **({} if cursor is None else {"cursor": cursor})}
        page = (await scene.api[Role.viewer].get("/api/v1/accounts", params=params)).json()
        assert len(page["items"]) <= 2
        found += [each["account_id"] for each in page["items"]]
        cursor = page["cursor"]
        if cursor is None:
            break

    assert found == [f"a-{n}" for n in range(7)]


async def test_accounts_are_found_by_zone_segment_and_owner(
    scene: Scene, accounts: ReadModel
) -> None:
    await accounts.write(
        [
            document("a", profile={"segment": "smb", "owner": "kim"}),
            document("b", profile={"segment": "smb", "owner": "lee"}),
            document("c", zone="healthy", profile={"segment": "pro", "owner": "kim"}),
        ]
    )

    async def named(**params: str) -> list[str]:
        page = await scene.api[Role.viewer].get("/api/v1/accounts", params=params)
        return [each["account_id"] for each in page.json()["items"]]

    assert await named(zone="danger") == ["a", "b"]
    assert await named(owner="kim") == ["a", "c"]
    assert await named(segment="smb", owner="lee") == ["b"]
    assert await named(plan="pro") == []


async def test_with_a_filter_pages_are_followed_to_the_end(
    scene: Scene, accounts: ReadModel
) -> None:
    owners = {f"a-{n:04}": "kim" if n % 100 == 0 else "lee" for n in range(500)}
    await accounts.write(
        [document(name, profile={"owner": owner}) for name, owner in owners.items()]
    )
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        params = {"limit": 2, "owner": "kim", **({"cursor": cursor} if cursor else {})}
        page = (await scene.api[Role.viewer].get("/api/v1/accounts", params=params)).json()
        found += [each["account_id"] for each in page["items"]]
        cursor = page["cursor"]

    assert found == [name for name, owner in owners.items() if owner == "kim"]


@pytest.mark.parametrize("name", ["acme", "a/b", "Ünïcødé 東京", "50% ?&#", "..", "x" * 256])
async def test_one_account_whatever_it_is_called(
    scene: Scene, accounts: ReadModel, name: str
) -> None:
    from urllib.parse import quote

    await accounts.write([document(name)])

    # As a raw path: httpx would take `..` for the folder above.
    import httpx

    url = httpx.URL("https://pulse.example.com").copy_with(
        raw_path=b"/api/v1/accounts/" + quote(name, safe="").replace(".", "%2E").encode()
    )
    found = await scene.api[Role.viewer].get(url)

    assert (found.status_code, found.json()["account_id"]) == (200, name)
    assert (await scene.api[Role.viewer].get("/api/v1/accounts/nobody")).status_code == 404


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("accounts?cursor=danger:x", "bad_cursor"),
        ("accounts?cursor=danger:99999999999999999999", "bad_cursor"),
        ("accounts?zone=healthy&cursor=danger:1", "bad_cursor"),
        ("accounts?limit=0", "invalid"),
        ("accounts?limit=501", "invalid"),
        ("accounts?zone=red", "invalid"),
        ("alerts?cursor=%FF", "bad_cursor"),
        ("alerts?cursor=W10=", "bad_cursor"),
        ("alerts?status=open", "invalid"),
        ("alerts/al_1", "invalid"),
        ("silences?state=old", "invalid"),
        ("silences/si_1", "invalid"),
    ],
)
async def test_what_is_not_as_described_is_refused_with_a_reason(
    scene: Scene, path: str, reason: str
) -> None:
    refused = await scene.api[Role.viewer].get(f"/api/v1/{path}")

    assert (refused.status_code, refused.json()["error"]["reason"]) == (400, reason)
    assert refused.json()["error"]["detail"]


async def test_without_redis_what_the_topics_say_is_there(unique: str) -> None:
    async with ReadModel("redis://127.0.0.1:1", unique) as away:
        scene = Scene(away)
        danger = alert()
        scene.knows(danger)
        refused = await scene.api[Role.viewer].get("/api/v1/accounts/acme")
        found = await scene.api[Role.viewer].get(f"/api/v1/alerts/{danger.id}")

    assert (refused.status_code, refused.json()["error"]["reason"]) == (503, "redis_away")
    assert found.status_code == 200


# -- alerts ----------------------------------------------------------------------------------------


async def test_alerts_come_newest_first_in_pages_and_by_what_they_are(scene: Scene) -> None:
    made = [
        alert(f"a-{n}", at_ms=NOW_MS - n * 1_000, reason="silence" if n % 2 else "danger")
        for n in range(5)
    ]
    scene.knows(*made)
    viewer = scene.api[Role.viewer]
    first = (await viewer.get("/api/v1/alerts?limit=3")).json()
    rest = (await viewer.get("/api/v1/alerts", params={"cursor": first["cursor"]})).json()
    silent = (await viewer.get("/api/v1/alerts?reason=silence&account=a-3")).json()

    names = [each["alert"]["account_id"] for each in first["items"] + rest["items"]]
    assert names == [f"a-{n}" for n in range(5)]
    assert rest["cursor"] is None
    assert [each["alert"]["id"] for each in silent["items"]] == [made[3].id]


async def test_an_alert_that_has_ended_does_not_begin_again_by_a_repeat(scene: Scene) -> None:
    fires, ends = alert(), alert(status="resolved", at_ms=NOW_MS)
    scene.knows(fires, ends, fires)

    found = (await scene.api[Role.viewer].get(f"/api/v1/alerts/{fires.id}")).json()

    assert found["alert"]["status"] == "resolved"


async def test_what_is_older_than_was_said_is_not_shown(scene: Scene) -> None:
    scene.settings["web"] = {}
    at_ms = NOW_MS - 91 * DAY_MS
    assert scene.config.web.alert_days < 91
    old, fires = alert("gone", at_ms=at_ms, status="resolved"), alert("acme", at_ms=at_ms)
    scene.knows(old, fires)

    assert (await scene.api[Role.viewer].get(f"/api/v1/alerts/{old.id}")).status_code == 404
    listed = (await scene.api[Role.viewer].get("/api/v1/alerts")).json()["items"]
    # What fires is told again after so long, and its links must open.
    assert [each["alert"]["id"] for each in listed] == [fires.id]
    said = {"alert_id": fires.id, "outcome": "saved"}
    answer = await scene.api[Role.member].post("/api/v1/outcomes", json=said)
    assert answer.status_code == 201


async def test_memory_is_bounded_and_those_that_ended_go_first(accounts: ReadModel) -> None:
    scene = Scene(accounts, {"web": {"most_alerts": 100}})
    fires = [alert(f"f-{n}") for n in range(60)]
    scene.knows(*fires)
    scene.knows(*(alert(f"e-{n}", status="resolved") for n in range(100)))

    assert len(scene.books.alerts) == 100
    assert all(scene.books.alerts.get(each.id) for each in fires)


async def test_a_snooze_is_written_before_it_is_answered(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)

    done = await scene.api[Role.member].put(
        f"/api/v1/alerts/{danger.id}/snooze", json={**SNOOZE, "reason": "they are on leave"}
    )

    assert done.json()["muted"] == {
        "kind": "snoozed", "author": "a member", "reason": "they are on leave",
        "until": "2026-03-03T12:00:00Z",
    }  # fmt: skip
    ((key, _),) = scene.records("silences")
    said = Muted()
    said.read(key, scene.written[1].value)
    assert said.snoozes[danger.id].until_ms == NOW_MS + DAY_MS
    assert scene.written[1].partition == 0


async def test_an_acknowledgement_is_given_back_and_a_snooze_is_not_by_that(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    client, path = scene.api[Role.member], f"/api/v1/alerts/{danger.id}"
    taken = (await client.put(f"{path}/acknowledgement", json={})).json()
    kept = (await client.delete(f"{path}/snooze")).json()
    given = (await client.delete(f"{path}/acknowledgement")).json()

    assert taken["muted"]["kind"] == kept["muted"]["kind"] == "acknowledged"
    assert given["muted"] is None
    assert scene.records("silences")[-1] == (f"snooze/{danger.id}", None)


@pytest.mark.parametrize(
    "until", ["2026-03-02T12:00:00Z", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]
)
async def test_nothing_is_snoozed_until_before_now_or_for_ever(scene: Scene, until: str) -> None:
    danger = alert()
    scene.knows(danger)

    refused = await scene.api[Role.member].put(
        f"/api/v1/alerts/{danger.id}/snooze", json={"until": until}
    )

    assert (refused.status_code, scene.written) == (400, [])


async def test_held_out_accounts_are_named(accounts: ReadModel) -> None:
    scene = Scene(accounts, {"holdout": {"share": 0.5, "salt": "spring", "since": "2026-01-01"}})
    scene.knows(alert("acme"), alert("beta"))

    found = (await scene.api[Role.viewer].get("/api/v1/alerts")).json()["items"]

    assert {each["alert"]["account_id"]: each["held_out"] for each in found} == {
        "acme": False,
        "beta": True,
    }

    # What began before accounts were held out was sent.
    later = Scene(accounts, {"holdout": {"share": 0.5, "salt": "spring", "since": "2026-03-02"}})
    later.knows(alert("acme"), alert("beta"))
    found = (await later.api[Role.viewer].get("/api/v1/alerts")).json()["items"]
    assert {each["held_out"] for each in found} == {False}


# -- Kafka -----------------------------------------------------------------------------------------


async def test_while_kafka_is_away_nothing_is_said_to_be_done(
    scene: Scene, accounts: ReadModel
) -> None:
    await accounts.write([document("acme")])
    danger = alert()
    scene.knows(danger)
    scene.away = True
    for method, path, body in writes(danger.id):
        if method == "DELETE":
            continue
        refused = await scene.api[Role.member].request(method, f"/api/v1/{path}", json=body)
        assert (refused.status_code, refused.json()["error"]["reason"]) == (503, "kafka_away")
        assert refused.headers["retry-after"] == "5"
    assert scene.books.muted.snoozes == {}
    assert scene.books.muted.silences == {}
    assert list(scene.books.outcomes) == []


# -- silences --------------------------------------------------------------------------------------


async def test_a_silence_has_an_author_a_reason_and_an_end(scene: Scene) -> None:
    match = {"segments": ["smb"], "reasons": ["usage_drop", "silence"], "mrr_below": 500.0}
    made = await scene.api[Role.member].post("/api/v1/silences", json={**SILENCE, "match": match})

    said = made.json()
    assert made.status_code == 201
    assert said == {
        "id": said["id"], "match": match, "author": "a member", "reason": "holidays",
        "starts_at": "2026-03-02T12:00:00Z", "ends_at": TOMORROW, "state": "active",
    }  # fmt: skip
    read = Muted()
    read.read(f"silence/{said['id']}", scene.written[1].value)
    assert read.silences[said["id"]].match.mrr_below == 500.0
    again = await scene.api[Role.viewer].get(f"/api/v1/silences/{said['id']}")
    assert again.json() == said


async def test_said_again_with_the_same_key_a_silence_is_one(scene: Scene) -> None:
    client, header = scene.api[Role.member], {"Idempotency-Key": "tuesday"}
    first = await client.post("/api/v1/silences", json=SILENCE, headers=header)
    scene.now_ms += 5_000
    again = await client.post("/api/v1/silences", json=SILENCE, headers=header)
    other = await client.post(
        "/api/v1/silences", json={**SILENCE, "reason": "another"}, headers=header
    )
    mine = await scene.api[Role.admin].post("/api/v1/silences", json=SILENCE, headers=header)

    assert again.json() == first.json()
    assert other.status_code == 409
    assert mine.json()["id"] != first.json()["id"]
    assert len(scene.records("silences")) == len(scene.records("audit")) == 2


async def test_only_an_admin_silences_everything_and_ends_what_others_made(scene: Scene) -> None:
    everything = {**SILENCE, "match": {}}
    member, admin = scene.api[Role.member], scene.api[Role.admin]
    refused = await member.post("/api/v1/silences", json=everything)
    made = (await admin.post("/api/v1/silences", json=everything)).json()
    not_mine = await member.delete(f"/api/v1/silences/{made['id']}")
    scene.now_ms += 60_000
    ended = await admin.delete(f"/api/v1/silences/{made['id']}")
    own = (await member.post("/api/v1/silences", json=SILENCE)).json()

    assert (refused.status_code, not_mine.status_code) == (403, 403)
    assert (ended.json()["state"], ended.json()["ends_at"]) == ("expired", "2026-03-02T12:01:00Z")
    assert (await member.delete(f"/api/v1/silences/{own['id']}")).status_code == 200
    states = (await admin.get("/api/v1/silences?state=active")).json()["items"]
    assert states == []


@pytest.mark.parametrize(
    ("match", "status"),
    [
        ({"accounts": ["*"]}, 403),
        ({"accounts": ["acme", "**"], "reasons": ["*"]}, 403),
        ({"mrr_from": 0}, 403),
        ({"segments": ["smb"], "accounts": ["*"]}, 201),
        ({"mrr_below": 1e12}, 403),
        ({"mrr_below": 500, "reasons": ["usage_drop"]}, 201),
        ({"accounts": ["?*"]}, 403),
        ({"reasons": ["[!~]*"]}, 403),
        ({"severities": ["critical", "warning", "info"]}, 403),
        ({"severities": ["*i*"], "lifecycles": ["?*"]}, 403),
        ({"severities": ["critical", "warning"]}, 201),
        ({"segments": ["[!a-z]*"]}, 201),
    ],
)
async def test_what_leaves_nothing_out_is_everything(
    scene: Scene, match: dict[str, Any], status: int
) -> None:
    body = {**SILENCE, "match": match}

    by_role = {
        role: (await scene.api[role].post("/api/v1/silences", json=body)).status_code
        for role in (Role.member, Role.admin)
    }

    assert by_role == {Role.member: status, Role.admin: 201}


@pytest.mark.parametrize(
    "body",
    [
        {**SILENCE, "reason": ""},
        {**SILENCE, "match": {"reason": ["x"]}},  # it would mute more than was meant
        {**SILENCE, "match": {"reasons": [""]}},
        {**SILENCE, "ends_at": "2026-03-02T11:00:00Z"},
        {**SILENCE, "starts_at": "2026-03-04T00:00:00Z"},
        {"match": {}},
    ],
)
async def test_a_silence_that_makes_no_sense_is_refused(scene: Scene, body: Any) -> None:
    refused = await scene.api[Role.admin].post("/api/v1/silences", json=body)

    assert (refused.status_code, scene.written) == (400, [])


async def test_silences_that_ended_long_ago_are_taken_out_of_the_topic(scene: Scene) -> None:
    client = scene.api[Role.member]
    old = (await client.post("/api/v1/silences", json=SILENCE)).json()["id"]
    scene.now_ms += 92 * DAY_MS
    await client.post("/api/v1/silences", json={**SILENCE, "ends_at": "2026-07-01T00:00:00Z"})

    assert (f"silence/{old}", None) in scene.records("silences")
    assert (await client.get(f"/api/v1/silences/{old}")).status_code == 404


async def test_snoozes_of_alerts_that_have_ended_are_taken_out_too(scene: Scene) -> None:
    first, second = alert("acme"), alert("globex")
    scene.knows(first, second)
    client = scene.api[Role.member]
    await client.put(f"/api/v1/alerts/{first.id}/acknowledgement", json={})
    scene.knows(alert("acme", status="resolved", at_ms=NOW_MS))
    await client.put(f"/api/v1/alerts/{second.id}/acknowledgement", json={})

    assert (f"snooze/{first.id}", None) in scene.records("silences")


# -- outcomes --------------------------------------------------------------------------------------


async def test_closing_an_alert_is_an_event_of_its_account_and_a_record(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)

    made = await scene.api[Role.member].post(
        "/api/v1/outcomes",
        json={"alert_id": danger.id, "outcome": "false_alarm", "note": "they moved"},
    )

    assert made.status_code == 201
    topics = scene.config.kafka.topics
    event = next(each for each in scene.written if each.topic == topics.events)
    assert event.key == b"acme"
    assert event.partition == partition_of("acme", scene.config.kafka.partitions)
    said = outcome_of(event.value or b"")
    assert said is not None
    assert (said.alert_id, said.outcome, said.segment) == (danger.id, "false_alarm", "enterprise")
    ((key, record),) = scene.records("outcomes")
    assert (key, record["note"], record["author"]) == (danger.id, "they moved", "a member")
    # Nobody need hear of it again.
    ((muted, snooze),) = scene.records("silences")
    assert (muted, "until" in snooze) == (f"snooze/{danger.id}", False)
    shown = (await scene.api[Role.viewer].get(f"/api/v1/alerts/{danger.id}")).json()
    assert shown["outcome"]["outcome"] == "false_alarm"


async def test_closing_what_has_ended_holds_nothing_back(scene: Scene) -> None:
    ended = alert(status="resolved")
    scene.knows(ended)
    await scene.api[Role.member].post(
        "/api/v1/outcomes", json={"alert_id": ended.id, "outcome": "saved"}
    )

    assert scene.records("silences") == []
    assert len(scene.records("outcomes")) == 1


async def test_what_is_about_no_account_has_no_outcome(scene: Scene) -> None:
    fleet = alert("*")
    scene.knows(fleet)

    refused = await scene.api[Role.member].post(
        "/api/v1/outcomes", json={"alert_id": fleet.id, "outcome": "saved"}
    )

    assert (refused.status_code, scene.written) == (409, [])


async def test_precision_by_reason_and_what_to_do_about_a_noisy_one(scene: Scene) -> None:
    client = scene.api[Role.member]
    for n in range(20):
        each = alert(f"a-{n}", reason="usage_drop")
        scene.knows(each)
        word = "saved" if n < 3 else "false_alarm"
        await client.post("/api/v1/outcomes", json={"alert_id": each.id, "outcome": word})
    # Said again, the newest word counts.
    await client.post("/api/v1/outcomes", json={"alert_id": alert("a-0", reason="usage_drop").id,
                                                "outcome": "churned"})  # fmt: skip

    found = (await client.get("/api/v1/outcomes/precision")).json()

    assert found == {
        "reasons": [
            {"reason": "usage_drop", "saved": 2, "churned": 1, "false_alarm": 17, "ignored": 0,
             "precision": 0.15, "is_noisy": True}
        ],
        "proposals": [
            "usage_drop: 3 of 20 were right: raise signals.usage_drop.share, or silence it"
        ],
    }  # fmt: skip
    value = scene.metrics.registry.get_sample_value
    assert value("pulse_alert_precision_ratio", {"reason": "usage_drop"}) == 0.15
    assert value("pulse_alert_noisy", {"reason": "usage_drop"}) == 1
    assert value("pulse_alert_outcomes", {"reason": "usage_drop", "outcome": "saved"}) == 2
    newest = (await client.get("/api/v1/outcomes?limit=1&outcome=churned")).json()
    assert [each["account_id"] for each in newest["items"]] == ["a-0"]


# -- deliveries ------------------------------------------------------------------------------------


async def test_deliveries_and_the_way_of_an_alert_are_shown(scene: Scene) -> None:
    danger = alert()
    scene.knows(danger)
    for name, state in (("cs", State.SUCCEEDED), ("crm", State.RETRYING)):
        sent = Delivery(
            id=f"{danger.id}_{name}_firing", group=f"gr_{name}", receiver=name,
            alerts=((danger.id, "firing"),), labels=(), state=state, at_ms=NOW_MS,
            created_ms=NOW_MS, due_ms=NOW_MS, attempts=2, next_ms=NOW_MS + 5_000, http_status=503,
        )  # fmt: skip
        value = wrap(1, msgspec.json.encode(sent))
        scene.books.deliveries.take(f"notification/{sent.id}".encode(), value)
    beside = Beside(
        origin="alerts/0/1", due_ms=NOW_MS,
        path=(Step(NOW_MS, "cs", "hours", "night", NOW_MS + 60_000),
              Step(NOW_MS, "cs", "deduplicate", "told")),
    )  # fmt: skip
    entry = Entry(brief=brief_of(danger), arrived_ms=NOW_MS)
    value = wrap(1, msgspec.json.encode(entry), msgspec.json.encode(beside))
    scene.books.deliveries.take(f"alert/{danger.id}".encode(), value)
    viewer = scene.api[Role.viewer]

    listed = (await viewer.get("/api/v1/deliveries?state=retrying")).json()
    of_alert = (await viewer.get(f"/api/v1/deliveries?alert={danger.id}&limit=1")).json()
    shown = (await viewer.get(f"/api/v1/alerts/{danger.id}")).json()

    (found,) = listed["items"]
    assert (found["receiver"], found["attempts"], found["http_status"]) == ("crm", 2, 503)
    assert found["replay_of"] is None
    assert found["alerts"] == [{"id": danger.id, "status": "firing"}]
    assert (len(of_alert["items"]), of_alert["cursor"] is None) == (1, False)
    assert [(each["stage"], each["reason"], each["until"]) for each in shown["path"]] == [
        ("hours", "night", "2026-03-02T12:01:00Z"),
        ("deduplicate", "told", None),
    ]


async def test_what_is_sent_again_says_what_it_repeats(scene: Scene) -> None:
    again = Delivery(
        id="rp_1", group="gr_1", receiver="cs", alerts=(("al_1", "firing"),), labels=(),
        state=State.SUCCEEDED, at_ms=NOW_MS, created_ms=NOW_MS, due_ms=NOW_MS,
        replay_of="al_1_cs_firing",
    )  # fmt: skip
    scene.books.deliveries.take(b"notification/rp_1", wrap(1, msgspec.json.encode(again)))

    (found,) = (await scene.api[Role.viewer].get("/api/v1/deliveries")).json()["items"]

    assert (found["id"], found["replay_of"]) == ("rp_1", "al_1_cs_firing")


# -- as a whole ------------------------------------------------------------------------------------


async def test_bodies_are_bounded_however_they_come(scene: Scene) -> None:
    large = msgspec.json.encode({**SILENCE, "reason": "x" * 100_000})

    async def in_pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 10_000):
            yield large[start : start + 10_000]

    for body in (large, in_pieces()):
        refused = await scene.api[Role.member].post(
            "/api/v1/silences", content=body, headers={"Content-Type": "application/json"}
        )
        assert refused.status_code == 413


async def test_every_path_says_who_may_and_how_it_is_refused(scene: Scene) -> None:
    described = (await scene.client().get("/api/v1/openapi.json")).json()

    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["security"] == [{"token": []}], path
            assert {"400", "401", "403", "503"} <= set(operation["responses"]), path
            assert "422" not in operation["responses"]
    assert len(described["paths"]) >= 9
    missing = await scene.client().get("/api/v1/nothing")
    assert (missing.status_code, missing.json()["error"]["reason"]) == (404, "no_such_path")
