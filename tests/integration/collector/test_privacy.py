"""Nothing of what is hidden stands anywhere in the topics, byte by byte."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.integration.collecting import states
from tests.integration.collector.test_limits import another

if TYPE_CHECKING:
    from tests.integration.collecting import Collecting

pytestmark = pytest.mark.kafka

HIDDEN = ("ada@acme.com", "anon-77", "+49-30-1234", "ada.lovelace")


def test_the_topics_have_no_trace_of_a_user(collecting: Collecting) -> None:
    collecting.system.process("work").start()
    key = collecting.system.folder / "user-key"
    key.write_text("a key of enough letters")
    settings: dict[str, Any] = {"user_ids": "hashed", "user_key_file": str(key)}
    http = another(collecting, **settings, deny_properties=["phone", "contact.*"])
    ada, anonymous, phone, contact = HIDDEN
    now_ms = time.time_ns() // 1_000_000
    about = {"feature": "reports", "user_id": ada, "phone": phone, "contact": {"name": contact}}

    def post(path: str, said: Any) -> None:
        assert http.post(path, json=said).status_code == 200

    event = {"event": "run", "ts": now_ms, "user_id": ada, "properties": about}
    post(
        "/v1/events",
        [
            event | {"id": f"{ada}/{account}", "account_id": account, "phone": phone}
            for account in ("acme", "acme", "globex")
        ],
    )
    call = {"event": "run", "userId": ada, "anonymousId": anonymous, "properties": about}
    call["context"] = {"traits": {"email": ada, "name": contact}}
    post("/v1/track", call)  # nobody has said whose it is yet
    post("/v1/group", {"groupId": "acme", "userId": ada, "traits": {"plan": "pro", "email": ada}})
    post("/v1/track", call)
    post(
        "/v1/batch",
        {"batch": [call | {"type": "track", "properties": {"n": "x" * 40_000} | about}]},
    )
    post("/batch", {
        "api_key": collecting.key,
        "batch": [
            {"event": "run", "distinct_id": "7", "properties": about | {"$set": {"mail": ada}}},
            {"event": "run", "distinct_id": ada, "properties": about},
        ],
    })  # fmt: skip

    accounts = states(collecting, ["acme", "globex"])
    assert accounts["acme"]["measures"]["active_users"]["7d"] == 1
    assert accounts["acme"]["measures"]["events"]["7d"] == 3
    reasons = sorted(reason for reason, _ in collecting.letters())
    assert reasons == ["too_large", "unlinked", "unlinked"]
    users = {
        line["account_id"]: line.get("user_id") for line in collecting.lines() if "event" in line
    }
    assert len(set(users.values())) == 2
    assert [each.value for each in collecting.system.read("links")].count(b"acme") == 1
    for topic in ("events", "deadletter", "links", "changelog", "alerts"):
        for record in collecting.system.read(topic):
            found = (record.key or b"") + (record.value or b"") + headers(record)
            assert not [each for each in HIDDEN if each.encode() in found], (topic, found[:500])


def headers(record: Any) -> bytes:
    return msgspec.json.encode([(name, value.decode()) for name, value in record.headers])
