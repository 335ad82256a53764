"""Segment's calls, and what they mean."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.collector.dialects import segment
from pulse.collector.endpoints.segment import protocol_of
from pulse.collector.keys import key_of
from pulse.collector.links import Links
from pulse.collector.refusals import Refusal

if TYPE_CHECKING:
    from pulse.collector.meaning import Meant

NOW_MS = 1_729_798_381_000  # 2024-10-24T19:33:01Z


def meant(*calls: Any, links: Links | None = None, now_ms: int = NOW_MS) -> Meant:
    return segment.meaning_of(list(calls), "web", Links() if links is None else links, now_ms)


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
        # Without an offset it is UTC.
        ({"timestamp": "2024-10-24T19:00:00.5"}, 1_729_796_400_500),
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
    assert before.letters[0].detail == (
        "nobody has said whose it is: a group call of the user, or context.groupId, does"
    )
    assert len(found.letters) == 1
    assert [line["account_id"] for line in lines(found)] == ["acme", "acme", "globex"]
    assert lines(found)[0]["profile"] == {"plan": "pro"}
    # What one source calls ada is another person elsewhere.
    elsewhere = segment.meaning_of([bare], "mobile", links, NOW_MS)
    assert [each.reason for each in elsewhere.letters] == ["unlinked"]


@pytest.mark.parametrize(
    "call",
    [
        {"type": "alias", "previousId": "anon1", "userId": "ada"},
        {"type": "identify", "anonymousId": "anon1", "userId": "ada"},
    ],
)
def test_who_was_known_by_another_id_is_of_the_same_account(call: dict[str, Any]) -> None:
    links, bare = Links(), track(context={})
    group = {"type": "group", "groupId": "acme", "anonymousId": "anon1"}
    found = meant(group, call, bare, links=links)

    assert [line["account_id"] for line in lines(found)] == ["acme"]
    assert (found.passed_over, found.letters) == (2, [])
    assert [each.user for each in links.take_news()] == ["anon1", "ada"]
    # Whoever has an account keeps it.
    links.learn("web", "ada", "globex")
    assert lines(meant(call, bare, links=links))[0]["account_id"] == "globex"
    # Nothing is learnt of somebody whom nobody knows.
    assert len(meant(call, bare).letters) == 1
    assert meant({"type": call["type"]}, {"type": call["type"], "userId": "ada"}).passed_over == 2


@pytest.mark.parametrize("wrong", ["x" * 1_200_000, "a\x00b"])
def test_what_is_no_id_is_not_learnt(wrong: str) -> None:
    links = Links()
    links.learn("web", "anon1", "acme")
    links.take_news()
    group = {"type": "group", "groupId": "acme", "traits": {"plan": "pro"}}
    found = meant(
        group | {"userId": wrong},
        group | {"anonymousId": wrong},
        group | {"groupId": wrong, "userId": "bob"},
        {"type": "identify", "userId": wrong, "anonymousId": "anon1"},
        track(userId=wrong, context={}),
        links=links,
    )

    assert links.take_news() == []
    assert len(links) == 1
    assert len(found.lines) == 2
    assert [each.at for each in found.refused] == [2]
    assert [each.reason for each in found.letters] == ["unlinked"]


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
    def id_of(now_ms: int = NOW_MS, **said: Any) -> str:
        return str(lines(meant(track(**said), now_ms=now_ms))[0]["id"])

    at = "2024-10-24T19:33:00Z"
    assert id_of(timestamp=at) == id_of(NOW_MS + 9, timestamp=at, sentAt=NOW_MS)
    assert id_of(timestamp=at) != id_of(timestamp=NOW_MS)
    assert id_of(originalTimestamp=at) == id_of(NOW_MS + 9, originalTimestamp=at)
    assert id_of(messageId="m1") == id_of(NOW_MS + 9, messageId="m1") == "m1"
    # Without any time there is nothing that tells it from the next one.
    assert id_of() != id_of(NOW_MS + 9)
    assert len({line["id"] for line in lines(meant(track(), track(timestamp=None)))}) == 2


@pytest.mark.parametrize(
    ("call", "reason", "field"),
    [
        ({"type": "dance" * 1_000}, "invalid", "type"),
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
    assert all(len(each.detail) < 100 for each in found.refused)


def test_what_stands_around_a_batch_holds_for_each_call() -> None:
    body = {
        "batch": [
            {"type": "track"},
            {"type": "track", "context": {"ip": "::1"}},
            {"type": "track", "context": {"groupId": "globex"}, "sentAt": "today"},
        ],
        "context": {"groupId": "acme", "library": {"name": "web"}},
        "integrations": {"All": True},
        "sentAt": "2024-10-24T19:33:01Z",
    }
    calls = segment.calls_of("batch", body)

    assert calls == [
        {"type": "track", "sentAt": NOW_MS, "context": {"groupId": "acme"}},
        {"type": "track", "sentAt": NOW_MS, "context": {"groupId": "acme", "ip": "::1"}},
        {"type": "track", "sentAt": "today", "context": {"groupId": "globex"}},
    ]
    wide = {"context": {"groupId": "x" * 1_000} | dict.fromkeys(map(str, range(2_000)))}
    assert segment.calls_of("batch", wide | {"batch": [{}, 1], "sentAt": "x" * 1_000}) == [{}, 1]
    for wrong in ([], {"batch": 1}):
        with pytest.raises(Refusal):
            segment.calls_of("batch", wrong)
    with pytest.raises(Refusal) as refused:
        segment.calls_of("batch", {"batch": [{}] * 10_001})
    assert refused.value.status == 413


@pytest.mark.parametrize("user", ["ada", "x" * 300])
def test_the_key_is_kept_nowhere(user: str) -> None:
    call = track(userId=user, writeKey="pk_1")
    for context in ({"groupId": "acme"}, {}):
        body = call | {"context": context}
        calls = segment.calls_of("track", body)
        calls += segment.calls_of("batch", {"batch": [body], "writeKey": "pk_1"})
        found = meant(*calls)
        for bad in found.refused:
            found.keep(calls[bad.at], bad.reason, bad.detail)

        kept = [each.data for each in (*found.lines, *found.letters)]
        assert len(kept) == 2
        assert not any(b"pk_1" in each for each in kept)


@pytest.mark.parametrize(
    ("host", "forwarded", "protocol"),
    [
        ("pulse.example.com", "", "https"),
        ("10.0.0.7:8100", "", "https"),
        ("pulse.example.com", "http", "http"),
        ("pulse.example.com", "HTTPS, http", "https"),
        ("pulse.example.com", "gopher", "https"),
        ("localhost:8100", "", "http"),
        ("Localhost", "", "http"),
        ("127.1.2.3:8100", "", "http"),
        ("[::1]:8100", "", "http"),
        ("[2001:db8::1]", "", "https"),
        ("localhost", "https", "https"),
        ("[", "", "https"),
        ("", "", "https"),
    ],
)
def test_what_a_browser_shall_speak(host: str, forwarded: str, protocol: str) -> None:
    assert protocol_of(host, forwarded) == protocol


def test_the_key_is_in_the_header_or_in_the_body() -> None:
    basic = base64.b64encode(b"pk_1:whatever").decode()
    assert key_of(f"Basic {basic}", {}) == "pk_1"
    assert key_of("bearer pk_2", {}) == "pk_2"
    assert key_of("", {"writeKey": "pk_3"}) == "pk_3"
    assert key_of("", {"writeKey": 3}) == ""
    with pytest.raises(Refusal):
        key_of("Basic %%%", {})
