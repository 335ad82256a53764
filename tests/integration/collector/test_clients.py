"""Events from other products' clients as they are, through Kafka, to a worker's accounts."""

from __future__ import annotations

import base64
import gzip
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest

from tests.integration.collecting import bearer, states
from tests.integration.collector.losing import losing_the_first_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from cloudevents.core.bindings.http import HTTPMessage

    from tests.integration.collecting import Collecting

pytestmark = pytest.mark.kafka


def test_segments_own_client(collecting: Collecting) -> None:
    from segment.analytics.client import Client

    collecting.system.process("work").start()
    for use_gzip in (False, True):
        client = Client(collecting.key, host=collecting.url, gzip=use_gzip, on_error=fail)
        client.group("ada", "acme", {"name": "Acme", "plan": "pro", "employees": 30})
        client.track("ada", "Report Run", {"feature": "reports", "value": "2.5"})
        client.track("bob", "Report Run", context={"groupId": "globex"})
        client.identify("ada", {"email": "ada@example.com"})
        client.page("ada", "docs", "Pricing")
        client.track("nobody", "Report Run")
        client.shutdown()

    accounts = states(collecting, ["acme", "globex"])
    assert accounts["acme"]["measures"]["events"]["7d"] == 4
    assert collecting.profiles() == [{"name": "Acme", "plan": "pro"}] * 2
    assert accounts["globex"]["measures"]["events"]["7d"] == 2
    assert [reason for reason, _ in collecting.letters()] == ["unlinked", "unlinked"]
    kept = msgspec.json.encode([collecting.lines(), collecting.letters()])
    assert collecting.key.encode() not in kept


def test_what_segments_client_in_a_browser_sends(collecting: Collecting) -> None:
    plain = {"Authorization": "", "content-type": "text/plain"}

    def post(path: str, said: Any) -> httpx.Response:
        return collecting.http.post(path, headers=plain, content=msgspec.json.encode(said))

    def clicked(number: int, **said: Any) -> dict[str, Any]:
        call = {
            "type": "track",
            "event": "clicked",
            "anonymousId": "anon1",
            "messageId": f"m{number}",
        }
        return call | {"writeKey": collecting.key} | said

    group = {"groupId": "acme", "anonymousId": "anon1", "writeKey": collecting.key}
    identify = {"userId": "ada", "anonymousId": "anon1", "writeKey": collecting.key}
    batch = [clicked(2, userId="ada", anonymousId="anon2"), clicked(3, event=None), clicked(4)]
    answers = [
        post("/v1/t", clicked(0)),
        post("/v1/g", group),
        post("/v1/t", clicked(1)),
        post("/v1/i", identify),
        post("/v1/b", {"batch": batch, "writeKey": collecting.key}),
    ]
    assert [(each.status_code, each.json()) for each in answers] == [(200, {"success": True})] * 5
    assert sorted(line["id"] for line in collecting.lines()) == ["m1", "m2", "m4"]
    assert sorted(reason for reason, _ in collecting.letters()) == ["invalid", "unlinked"]
    kept = msgspec.json.encode([collecting.lines(), collecting.letters()])
    assert collecting.key.encode() not in kept

    for wrong in ([], {"writeKey": "pk_wrong"}, {"batch": [{}] * 10_001}):
        assert post("/v1/b", wrong).status_code == 401
    many = {"batch": [{}] * 10_001, "writeKey": collecting.key}
    assert post("/v1/b", many).status_code == 413
    asked = collecting.http.get(f"/v1/projects/{collecting.key}/settings").json()
    own = asked["integrations"]["Segment.io"]
    assert f"{own['protocol']}://{own['apiHost']}" == f"{collecting.url}/v1"


def test_rudderstacks_client(collecting: Collecting) -> None:
    from rudderstack.analytics.client import Client

    collecting.system.process("work").start()
    client = Client(collecting.key, host=collecting.url, on_error=fail)
    client.group("ada", "acme", {"name": "Acme"})
    client.track("ada", "Report Run")
    client.track("bob", "Report Run", context={"groupId": "globex"})
    client.shutdown()

    accounts = states(collecting, ["acme", "globex"])
    assert [accounts[name]["measures"]["events"]["7d"] for name in ("acme", "globex")] == [1, 1]


def _segment(url: str, key: str) -> None:
    from segment.analytics.client import Client

    client = Client(key, host=url, on_error=fail)
    client.track("ada", "Report Run", context={"groupId": "acme"})
    client.shutdown()


def _rudderstack(url: str, key: str) -> None:
    from rudderstack.analytics.client import Client

    client = Client(key, host=url, on_error=fail)
    client.track("ada", "Report Run", context={"groupId": "acme"})
    client.shutdown()


def _posthog(url: str, key: str) -> None:
    from posthog import Posthog
    from posthog.request import reset_sessions

    client = Posthog(key, host=url, on_error=fail)
    client.capture("report run", distinct_id="ada", groups={"company": "acme"})
    client.shutdown()
    reset_sessions()


@pytest.mark.parametrize("tracks", [_segment, _rudderstack, _posthog])
def test_what_a_client_sends_again_counts_once(
    collecting: Collecting, tracks: Callable[[str, str], None]
) -> None:
    collecting.system.process("work").start()
    with losing_the_first_answer(collecting.url) as proxy:
        tracks(proxy.url, collecting.key)

    accounts = states(collecting, ["acme"])
    assert accounts["acme"]["measures"]["events"]["7d"] == 1
    assert len(proxy.taken) == 2
    first, second = (line["id"] for line in collecting.lines())
    assert first == second


def test_posthogs_client(collecting: Collecting) -> None:
    from posthog import Posthog
    from posthog.request import reset_sessions

    collecting.system.process("work").start()
    acme = {"groups": {"company": "acme"}}
    for use_gzip in (False, True):
        client = Posthog(
            collecting.key,
            host=collecting.url,
            gzip=use_gzip,
            on_error=fail,
            feature_flags_request_timeout_seconds=60,
        )
        client.group_identify("company", "acme", {"name": "Acme", "plan": "pro", "employees": 30})
        properties = {"feature": "reports", "value": "2.5"}
        client.capture("report run", distinct_id="ada", properties=properties, **acme)
        client.capture("report run", distinct_id="ada")
        client.capture("report run", **acme)  # of nobody in particular
        client.capture("report run", distinct_id="bob", groups={"company": "globex"})
        client.capture("report run", distinct_id="nobody")
        client.set(distinct_id="ada", properties={"email": "ada@example.com"})
        assert client.evaluate_flags("ada").get_flag("beta") is None
        for _ in range(2):  # the client has not heard the answer
            client.capture("report run", distinct_id="ada", uuid=str(UUID(int=use_gzip)), **acme)
        client.shutdown()
        reset_sessions()

    accounts = states(collecting, ["acme", "globex"])
    assert accounts["acme"]["measures"]["events"]["7d"] == 8
    assert accounts["acme"]["measures"]["active_users"]["7d"] == 1
    assert accounts["globex"]["measures"]["events"]["7d"] == 2
    assert collecting.profiles() == [{"name": "Acme", "plan": "pro"}] * 2
    assert [reason for reason, _ in collecting.letters()] == ["unlinked", "unlinked"]


def test_what_posthogs_client_in_a_browser_sends(collecting: Collecting) -> None:
    plain = {"Authorization": "", "content-type": "text/plain"}
    form = plain | {"content-type": "application/x-www-form-urlencoded"}

    def viewed(number: int) -> dict[str, Any]:
        groups = {"$groups": {"company": "acme"}, "token": collecting.key}
        properties = groups | {"distinct_id": "ada", "$current_url": "https://app/?secret"}
        return {"event": "$pageview", "uuid": f"u{number}", "properties": properties, "offset": 5}

    def post(path: str, **sent: Any) -> httpx.Response:
        return collecting.http.post(path, headers=plain, **sent)

    zipped = gzip.compress(msgspec.json.encode([viewed(0), viewed(1)]))
    answers = [
        post("/e/?compression=gzip-js&ip=0&_=1729798381000", content=zipped),
        post("/i/v0/e/", content=zipped),
        post(
            "/capture?compression=base64", content=base64.b64encode(msgspec.json.encode(viewed(2)))
        ),
        post("/batch", json={"api_key": collecting.key, "batch": [viewed(3), {"no": "event"}]}),
    ]
    data = {"data": base64.b64encode(msgspec.json.encode(viewed(4))).decode()}
    answers.append(collecting.http.post("/e", data=data, headers=form))
    assert [(each.status_code, each.json()) for each in answers] == [(200, {"status": 1})] * 5
    assert sorted({line["id"] for line in collecting.lines()}) == [f"u{n}" for n in range(5)]
    assert [reason for reason, _ in collecting.letters()] == ["missing"]
    kept = msgspec.json.encode([collecting.lines(), collecting.letters()])
    assert collecting.key.encode() not in kept
    assert b"secret" not in kept

    for path in ("/e/", "/batch"):
        assert post(path, json={"event": "run"}).status_code == 401
        assert post(path, content=b"{").status_code == 400
    for path in ("/flags/?v=2", "/decide/?v=3", "/flags", "/decide"):
        assert post(path, json={"token": collecting.key}).json()["featureFlags"] == {}
    config = collecting.http.get(f"/array/{collecting.key}/config").json()
    assert config["sessionRecording"] is False
    script = collecting.http.get(f"/array/{collecting.key}/config.js")
    assert script.headers["content-type"].startswith("application/javascript")
    assert collecting.key in script.text


def test_cloudevents_as_their_own_package_writes_them(collecting: Collecting) -> None:
    from cloudevents.core.bindings.http import to_binary_event, to_structured_event
    from cloudevents.core.v1.event import CloudEvent

    collecting.system.process("work").start()

    def run(number: int, account: str = "acme", data: Any = None, **said: Any) -> CloudEvent:
        attributes = {"id": f"e{number}", "source": "/app", "type": "report.run"}
        attributes |= {"subject": account, "time": datetime.now(UTC)} | said
        return CloudEvent(attributes, data)

    def post(message: HTTPMessage) -> dict[str, Any]:
        answer = collecting.http.post(
            "/v1/cloudevents", content=message.body, headers=message.headers
        )
        return {"status": answer.status_code} | answer.json()

    taken = {"status": 200, "accepted": 1, "refused": []}
    ways: list[Callable[[CloudEvent], HTTPMessage]] = [to_structured_event, to_binary_event]
    for way in ways:  # the same ones: each is counted once
        assert post(way(run(1, data={"user_id": "ada", "value": 2}))) == taken
        assert post(way(run(2, data=b'{"user_id": "bob"}', datacontenttype="text/json"))) == taken
        assert post(way(run(3, userid="ada"))) == taken
        assert post(way(run(1, source="/other", userid="ada"))) == taken
        assert post(way(run(1, "globex ü"))) == taken
    batch = [msgspec.json.decode(to_structured_event(run(n)).body) for n in (4, 5)]
    batch.insert(1, {"specversion": "1.0"})
    answer = collecting.http.post(
        "/v1/cloudevents",
        content=msgspec.json.encode(batch),
        headers={"content-type": "application/cloudevents-batch+json"},
    )
    assert answer.json()["accepted"] == 2
    assert [(bad["index"], bad["field"]) for bad in answer.json()["refused"]] == [(1, "id")]

    accounts = states(collecting, ["acme", "globex ü"])
    assert accounts["acme"]["measures"]["events"]["7d"] == 6
    assert accounts["acme"]["measures"]["active_users"]["7d"] == 2
    assert accounts["globex ü"]["measures"]["events"]["7d"] == 1
    assert {line["source"] for line in collecting.lines()} == {"web"}

    bad = CloudEvent({"id": "e9", "source": "/app", "type": "report.run"})
    refused = post(to_binary_event(bad))
    assert (refused["status"], refused["refused"][0]["field"]) == (400, "subject")
    assert collecting.http.post("/v1/cloudevents", json={}).status_code == 415
    nobody = collecting.http.post("/v1/cloudevents", json={}, headers=bearer("pk_wrong"))
    assert nobody.status_code == 401


def fail(error: Exception, items: Any) -> None:
    raise AssertionError(f"{error!r}: {items}")
