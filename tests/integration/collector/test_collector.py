"""Events in over HTTP, through Kafka, to a worker's accounts."""

from __future__ import annotations

import gzip
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.integration.collecting import bearer, states, wait_for

if TYPE_CHECKING:
    from tests.integration.collecting import Collecting

pytestmark = pytest.mark.kafka


def event(number: int, account: str = "acme", **said: Any) -> dict[str, Any]:
    now_ms = time.time_ns() // 1_000_000
    return {"id": f"e{number}", "account_id": account, "event": "report.run", "ts": now_ms, **said}


def test_events_come_to_the_accounts_they_are_of(collecting: Collecting) -> None:
    collecting.system.process("work").start()
    events = [event(n, "acme" if n % 3 else "globex", user_id=f"u{n % 2}") for n in range(30)]

    for _ in range(2):  # a client that has not heard the answer sends again
        answer = collecting.http.post("/v1/events", json=events)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 30, "refused": []})
    lines = b"\n".join(map(msgspec.json.encode, [event(100), event(101, "globex")]))
    body = gzip.compress(lines)
    answer = collecting.http.post("/v1/events", content=body, headers={"content-encoding": "gzip"})
    assert answer.json()["accepted"] == 2
    profile = {"id": "p1", "account_id": "acme", "ts": event(0)["ts"], "profile": {"seats": 9}}
    assert collecting.http.post("/v1/profiles", json=profile).json()["accepted"] == 1

    accounts = states(collecting, ["acme", "globex"])
    assert {name: each["measures"]["events"]["7d"] for name, each in accounts.items()} == {
        "acme": 21,
        "globex": 11,
    }
    assert collecting.profiles() == [{"seats": 9}]
    assert accounts["acme"]["measures"]["active_users"]["7d"] == 2
    assert {line["source"] for line in collecting.lines()} == {"web"}


def test_a_bad_event_does_not_cost_the_others(collecting: Collecting) -> None:
    bad = event(1) | {"ts": "yesterday"}
    answer = collecting.http.post("/v1/events", json=[event(0), bad, "no object", event(2)])

    assert answer.status_code == 200
    assert answer.json()["accepted"] == 2
    assert [(each["index"], each["field"]) for each in answer.json()["refused"]] == [
        (1, "ts"),
        (2, ""),
    ]
    assert collecting.http.post("/v1/events", json=[bad]).status_code == 400
    assert [line["id"] for line in collecting.lines()] == ["e0", "e2"]


def test_nothing_comes_in_without_a_key(collecting: Collecting) -> None:
    other = collecting.keys("make", "mobile").strip()
    post = collecting.http.post
    assert post("/v1/events", json=event(1), headers={"Authorization": ""}).status_code == 401
    assert post("/v1/events", json=event(1), headers=bearer("pk_wrong")).status_code == 401
    wait_for(lambda: post("/v1/events", json=event(2), headers=bearer(other)).status_code == 200)
    assert f"{other[:9]}…" in collecting.keys("list")

    collecting.keys("revoke", other)
    wait_for(lambda: post("/v1/events", json=event(3), headers=bearer(other)).status_code == 401)
    assert other[:9] not in collecting.keys("list")
    # The hash is kept, the key nowhere.
    kept = [(record.key, record.value) for record in collecting.system.read("keys")]
    assert other.encode() not in msgspec.json.encode(kept, enc_hook=bytes.decode)
    assert {line["source"] for line in collecting.lines()} == {"mobile"}
    assert "name another one" in collecting.system.command("keys", "make", "pulse", fails=True)


def test_gzip_may_be_several_one_behind_the_other(collecting: Collecting) -> None:
    first, second = (gzip.compress(msgspec.json.encode(event(n)) + b"\n") for n in (1, 2))
    zipped = {"content-encoding": "gzip"}
    answer = collecting.http.post("/v1/events", content=first + second, headers=zipped)
    assert answer.json() == {"accepted": 2, "refused": []}
    answer = collecting.http.post("/v1/events", content=first + b"more", headers=zipped)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "not_gzip")
    assert [line["id"] for line in collecting.lines()] == ["e1", "e2"]


def test_a_browser_of_another_site_may_ask_and_read_the_answer(collecting: Collecting) -> None:
    asks = {
        "Origin": "https://app.example.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = collecting.http.options("/v1/events", headers=asks)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "authorization" in answer.headers["access-control-allow-headers"]
    for key, status in ((collecting.key, 200), ("pk_wrong", 401)):
        headers = {"Origin": asks["Origin"]} | bearer(key)
        answer = collecting.http.post("/v1/events", json=event(1), headers=headers)
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["access-control-expose-headers"] == "Retry-After"


def test_what_is_not_there_is_told_as_all_else(collecting: Collecting) -> None:
    for method, path, status in (("GET", "/v2/events", 404), ("GET", "/v1/events", 405)):
        answer = collecting.http.request(method, path)
        assert (answer.status_code, answer.json()["error"]["reason"]) == (status, "no_such_path")
        assert path in answer.json()["error"]["detail"]


def test_a_signal_ends_it_in_order(collecting: Collecting) -> None:
    assert collecting.http.post("/v1/events", json=event(1)).status_code == 200
    os.kill(collecting.process.pid, signal.SIGTERM)
    assert collecting.process.exit_code() == 0
    assert [line["id"] for line in collecting.lines()] == ["e1"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "reason"),
    [
        (b"", {}, 400, "empty"),
        (b"{", {}, 400, "not_json"),
        (b"[" * 65 + b"]" * 65, {}, 400, "too_deep"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, {}, 400, "too_deep"),
        (
            b'{"id":"e","account_id":"a","event":"x","ts":1,"properties":%b1%b}'
            % (b'{"a":' * 100, b"}" * 100),
            {},
            400,
            "too_deep",
        ),
        (b"[" * (1 << 20), {}, 400, "too_deep"),
        (b"nothing", {"content-encoding": "gzip"}, 400, "not_gzip"),
        (gzip.compress(b"{}", mtime=0)[:-9], {"content-encoding": "gzip"}, 400, "not_gzip"),
        (b"{}", {"content-encoding": "br"}, 415, "unsupported_encoding"),
        (gzip.compress(b" " * (64 << 20)), {"content-encoding": "gzip"}, 413, "too_large"),
        (b" " * ((20 << 20) + 1), {}, 413, "too_large"),
    ],
)
def test_what_is_refused_is_said_why(
    collecting: Collecting, content: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = collecting.http.post("/v1/events", content=content, headers=headers)

    assert (answer.status_code, answer.json()["error"]["reason"]) == (status, reason)
    assert collecting.http.post("/v1/events", json=event(1)).status_code == 200
