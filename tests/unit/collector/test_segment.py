"""Segment's calls, and what they mean."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.collector.dialects import segment
from pulse.collector.keys import key_of
from pulse.collector.links import Links
from pulse.collector.refusals import Refusal

if TYPE_CHECKING:
    from pulse.collector.meaning import Meant

NOW_MS = 1_729_798_381_000  # 2024-10-24T19:33:01Z


def meant(*calls: Any, links: Links | None = None) -> Meant:
    return segment.meaning_of(list(calls), "web", links or Links(), NOW_MS)


def lines(found: Meant) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line.data) for line in found.lines]


def track(**said: Any) -> dict[str, Any]:
    return {"type": "track", "event": "run", "userId": "ada", "context": {"groupId": "acme"}} | said


def test_a_track_call_is_a_usage_event() -> None:
    found = meant(track(messageId="m1", properties={"feature": "reports", "value": "2.5"}))

    assert lines(found) == [
        {
            "id": "m1",
            "account_id": "acme",
            "ts": NOW_MS,
            "event": "run",
            "user_id": "ada",
            "properties": {"feature": "reports", "value": 2.5},
            "source": "web",
        }
    ]
    assert found.lines[0].account_id == "acme"


@pytest.mark.parametrize(
    ("said", "ts"),
    [
        ({}, NOW_MS),
        ({"timestamp": "2024-10-24T19:00:00Z"}, 1_729_796_400_000),
        # Its clock is a day ahead; a minute lay between the event and the sending.
        (
            {"originalTimestamp": "2024-10-25T19:32:00Z", "sentAt": "2024-10-25T19:33:00Z"},
            NOW_MS - 60_000,
        ),
        # A clock that is years off says nothing of when it was sent.
        (
            {"timestamp": "2024-10-24T19:00:00Z", "sentAt": "1970-01-02T00:00:00Z"},
            1_729_796_400_000,
        ),
        ({"timestamp": "yesterday"}, NOW_MS),
    ],
)
def test_when_it_happened(said: dict[str, Any], ts: int) -> None:
    assert lines(meant(track(**said)))[0]["ts"] == ts


def test_a_group_call_says_whose_a_user_is_from_then_on() -> None:
    links, bare = Links(), track(context={})
    group = {"type": "group", "groupId": "acme", "userId": "ada", "traits": {"plan": "pro"}}
    before = meant(bare, links=links)
    found = meant(bare, group, bare, track(context={"groupId": "globex"}), links=links)

    assert [each.reason for each in before.letters] == ["unlinked"]
    assert len(found.letters) == 1
    assert [line["account_id"] for line in lines(found)] == ["acme", "acme", "globex"]
    assert lines(found)[0]["profile"] == {"plan": "pro"}
    # What one source calls ada is another person elsewhere.
    elsewhere = segment.meaning_of([bare], "mobile", links, NOW_MS)
    assert [each.reason for each in elsewhere.letters] == ["unlinked"]


def test_a_profile_is_made_of_the_traits_that_can_be_one() -> None:
    traits = {
        "name": "Acme",
        "monthlySpend": "99.5",
        "seats": 12.0,
        "createdAt": "2020-01-01T00:00:00Z",
        "plan": {"no": "text"},
        "employees": 7,
    }
    found = meant({"type": "group", "groupId": 7, "traits": traits})

    assert lines(found)[0]["account_id"] == "7"
    assert lines(found)[0]["profile"] == {
        "name": "Acme",
        "mrr": 99.5,
        "seats": 12,
        "started_at": 1_577_836_800_000,
    }


def test_without_a_message_id_a_retry_is_the_same() -> None:
    one, again = meant(track(sentAt="2024-10-24T19:33:00Z")), meant(track(sentAt=NOW_MS))
    other = meant(track(event="other"))

    ids = [lines(each)[0]["id"] for each in (one, again, other)]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("call", "reason", "field"),
    [
        ({"type": "dance"}, "invalid", "type"),
        ({"type": "group"}, "missing", "groupId"),
        (track(event=None), "invalid", "event"),
        (track(properties={"text": "x" * 40_000}), "too_large", ""),
        ("no object", "invalid", ""),
    ],
)
def test_what_cannot_be_counted(call: Any, reason: str, field: str) -> None:
    found = meant(track(), call)

    assert [(each.at, each.reason, each.field) for each in found.refused] == [(1, reason, field)]
    assert len(found.lines) == 1


def test_what_stands_around_a_batch_holds_for_each_call() -> None:
    body = {
        "batch": [{"type": "track"}, {"type": "track", "context": {"ip": "::1"}}],
        "context": {"groupId": "acme"},
        "sentAt": "2024-10-24T19:33:00Z",
    }
    calls = segment.calls_of("batch", body)

    assert [each["context"] for each in calls] == [
        {"groupId": "acme"},
        {"groupId": "acme", "ip": "::1"},
    ]
    assert all(each["sentAt"] for each in calls)
    for wrong in ([], {"batch": 1}):
        with pytest.raises(Refusal):
            segment.calls_of("batch", wrong)


def test_the_key_is_in_the_header_or_in_the_body() -> None:
    basic = base64.b64encode(b"pk_1:whatever").decode()
    assert key_of(f"Basic {basic}", {}) == "pk_1"
    assert key_of("bearer pk_2", {}) == "pk_2"
    assert key_of("", {"writeKey": "pk_3"}) == "pk_3"
    assert key_of("", {"writeKey": 3}) == ""
    with pytest.raises(Refusal):
        key_of("Basic %%%", {})
