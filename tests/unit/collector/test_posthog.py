"""PostHog's events, and what they mean."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pytest

from pulse.collector.dialects import posthog
from pulse.collector.links import Links
from pulse.collector.refusals import Refusal

if TYPE_CHECKING:
    from pulse.collector.meaning import Meant

NOW_MS = 1_729_798_381_000  # 2024-10-24T19:33:01Z


def meant(*events: Any, links: Links | None = None, now_ms: int = NOW_MS) -> Meant:
    known = Links() if links is None else links
    return posthog.meaning_of(list(events), "web", known, "company", now_ms)


def lines(found: Meant) -> list[dict[str, Any]]:
    return [msgspec.json.decode(line.data) for line in found.lines]


def run(event: str = "run", *, account: str | None = "acme", **said: Any) -> dict[str, Any]:
    groups = {} if account is None else {"$groups": {"company": account}}
    properties = groups | said.pop("properties", {})
    return {"event": event, "distinct_id": "ada", "properties": properties} | said


def set_group(**said: Any) -> dict[str, Any]:
    group = {"$group_type": "company", "$group_key": "acme", "$group_set": {"plan": "pro"}}
    return {"event": "$groupidentify", "distinct_id": "ada", "properties": group | said}


def test_an_event_is_a_usage_event() -> None:
    properties = {"feature": "reports", "value": "2.5", "$lib": "web", "$pathname": "/reports"}
    found = meant(run(uuid="u1", properties=properties))

    assert lines(found) == [
        {
            "id": "u1",
            "account_id": "acme",
            "ts": NOW_MS,
            "event": "run",
            "user_id": "ada",
            "properties": {"feature": "reports", "value": 2.5, "$pathname": "/reports"},
            "source": "web",
        }
    ]
    assert found.lines[0].account_id == "acme"


@pytest.mark.parametrize(
    ("said", "ts"),
    [
        ({}, NOW_MS),
        ({"timestamp": "2024-10-24T19:00:00Z"}, 1_729_796_400_000),
        ({"timestamp": "2024-10-24 19:00:00.5"}, 1_729_796_400_500),
        # Its clock is a day ahead; a minute lay between the event and the sending.
        ({"timestamp": "2024-10-25T19:32:00Z", "sent_at": "2024-10-25T19:33:00Z"}, NOW_MS - 60_000),
        ({"offset": 1500}, NOW_MS - 1500),
        ({"offset": -1, "timestamp": "yesterday"}, NOW_MS),
    ],
)
def test_when_it_happened(said: dict[str, Any], ts: int) -> None:
    assert lines(meant(run(**said)))[0]["ts"] == ts


def test_an_event_with_its_group_says_whose_a_user_is_from_then_on() -> None:
    links, bare = Links(), run(account=None)
    before = meant(bare, links=links)
    found = meant(run("$identify"), bare, run(account="globex"), bare, links=links)

    assert [each.reason for each in before.letters] == ["unlinked"]
    assert before.letters[0].detail == (
        "nobody has said whose it is: $groups.company does, here or once before"
    )
    assert [line["account_id"] for line in lines(found)] == ["acme", "globex", "globex"]
    assert (found.passed_over, found.letters) == (1, [])
    # What one source calls ada is another person elsewhere.
    elsewhere = posthog.meaning_of([bare], "mobile", links, "company", NOW_MS)
    assert [each.reason for each in elsewhere.letters] == ["unlinked"]


@pytest.mark.parametrize(
    "event",
    [
        run("$identify", account=None, properties={"$anon_distinct_id": "anon1"}),
        run("$create_alias", account=None, properties={"alias": "anon1"}),
        run("$create_alias", account=None, properties={"alias": "ada"}, distinct_id="anon1"),
    ],
)
def test_who_was_known_by_another_id_is_of_the_same_account(event: dict[str, Any]) -> None:
    links, bare = Links(), run(account=None)
    found = meant(run(distinct_id="anon1"), event, bare, links=links)

    assert [line["account_id"] for line in lines(found)] == ["acme", "acme"]
    assert (found.passed_over, found.letters) == (1, [])
    # Whoever has an account keeps it.
    links.learn("web", "ada", "globex")
    assert lines(meant(event, bare, links=links))[0]["account_id"] == "globex"
    # Nothing is learnt of somebody whom nobody knows.
    assert len(meant(event, bare).letters) == 1
    assert meant(event | {"properties": {}}).passed_over == 1


@pytest.mark.parametrize("wrong", ["x" * 1_200_000, "a\x00b"])
def test_what_is_no_id_is_not_learnt(wrong: str) -> None:
    links = Links()
    found = meant(
        run(distinct_id=wrong),
        run(account=wrong),
        set_group(distinct_id=wrong),
        run("$identify", properties={"$anon_distinct_id": wrong}),
        links=links,
    )

    assert [each.user for each in links.take_news()] == ["ada"]
    assert [each.at for each in found.refused] == [0, 1]
    assert len(found.lines) == 1


def test_what_is_known_of_a_group_is_a_profile_of_the_account() -> None:
    links = Links()
    found = meant(set_group(), run(account=None), links=links)

    assert [line["account_id"] for line in lines(found)] == ["acme", "acme"]
    assert lines(found)[0]["profile"] == {"plan": "pro"}
    assert "user_id" not in lines(found)[0]


def test_groups_of_another_type_are_no_accounts() -> None:
    links = Links()
    other = {"$group_type": "team", "$group_key": "red", "$groups": {"team": "red"}}
    found = meant(set_group(**other), run(properties={"$groups": {"team": "red"}}), links=links)

    assert (found.passed_over, [each.reason for each in found.letters]) == (1, ["unlinked"])
    # An account that is not named is not the one of whoever says it.
    links.learn("web", "ada", "acme")
    found = meant(set_group(**{"$group_key": None}), links=links)
    assert (lines(found), [each.reason for each in found.letters]) == ([], ["unlinked"])


@pytest.mark.parametrize(
    ("event", "counted"),
    [
        (run("$pageview"), {"event": "page viewed", "properties": {}}),
        (
            run("$screen", properties={"$screen_name": "Home"}),
            {"event": "screen viewed", "properties": {"$screen_name": "Home", "feature": "Home"}},
        ),
        (run("$autocapture"), {"event": "$autocapture", "properties": {}}),
        *((run(name), None) for name in ("$identify", "$create_alias", "$set", "$pageleave",
                                         "$feature_flag_called", "$exception")),
    ],
)  # fmt: skip
def test_what_is_use(event: dict[str, Any], counted: dict[str, Any] | None) -> None:
    found = meant(event)

    if counted is None:
        assert (found.passed_over, found.lines) == (1, [])
    else:
        assert counted.items() <= lines(found)[0].items()


def test_nobody_in_particular_is_no_user() -> None:
    links = Links()
    found = meant(run(properties={"$process_person_profile": False}), links=links)

    assert "user_id" not in lines(found)[0]
    assert links.account_of("web", "ada") is None


def test_without_a_uuid_a_retry_is_the_same() -> None:
    def id_of(now_ms: int = NOW_MS, **said: Any) -> str:
        return str(lines(meant(run(**said), now_ms=now_ms))[0]["id"])

    at = "2024-10-24T19:33:00Z"
    assert id_of(timestamp=at) == id_of(NOW_MS + 9, timestamp=at, sent_at=NOW_MS)
    assert id_of(timestamp=at) != id_of(timestamp=NOW_MS)
    assert id_of(offset=5, uuid=None) == id_of(NOW_MS + 9, offset=14, uuid=None)
    # Without any time there is nothing that tells it from the next one.
    assert id_of() != id_of(NOW_MS + 9)
    assert len({line["id"] for line in lines(meant(run(), run()))}) == 2


@pytest.mark.parametrize(
    ("event", "reason", "field"),
    [
        ({"distinct_id": "ada"}, "missing", "event"),
        (run("x" * 300), "invalid", "event"),
        (run(properties={"text": "x" * 40_000}), "too_large", ""),
        ("no object", "invalid", ""),
    ],
)
def test_what_cannot_be_counted(event: Any, reason: str, field: str) -> None:
    found = meant(run(), event)

    assert [(each.at, each.reason, each.field) for each in found.refused] == [(1, reason, field)]
    assert len(found.lines) == 1


def coded(text: bytes) -> bytes:
    return base64.b64encode(text)


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "content_type", "compression"),
    [
        (b'[{"event": "a~?"}]', "application/json", ""),
        (b'[{"event": "a~?"}]', "text/plain", "gzip-js"),
        # What curl says where nobody tells it otherwise.
        (b'[{"event": "a~?"}]', FORM, ""),
        (coded(b'[{"event": "a~?"}]'), "text/plain", "base64"),
        (coded(b'[{"event": "a~?"}]').rstrip(b"="), "text/plain", "base64"),
        (b"data=" + quote(coded(b'[{"event": "a~?"}]')).encode(), FORM, "base64"),
        (b"ip=0&data=" + coded(b'[{"event": "a~?"}]'), FORM, ""),
        (b"data=" + quote('[{"event": "a~?"}]').encode(), "text/plain", ""),
    ],
)
def test_in_what_forms_events_come(body: bytes, content_type: str, compression: str) -> None:
    assert posthog.said_by(body, content_type, compression) == [{"event": "a~?"}]


@pytest.mark.parametrize(
    ("body", "content_type", "compression"),
    [
        (b"", "", ""),
        (b"{", "", ""),
        (b"%%%", "", "base64"),
        (b"data=%ff", FORM, ""),
        (b"a=1&" * 100, FORM, ""),
    ],
)
def test_what_cannot_be_read(body: bytes, content_type: str, compression: str) -> None:
    with pytest.raises(Refusal) as refused:
        posthog.said_by(body, content_type, compression)
    assert refused.value.status == 400


def test_one_event_or_an_array_or_a_batch() -> None:
    event = {"event": "run", "properties": {"a": 1}}
    batch = {"api_key": "k", "batch": [event, 1]}
    kept = posthog.events_of(batch | {"sent_at": "2024-10-24T19:33:01"}, {"_": "now"})

    assert posthog.events_of(event | {"api_key": "k"}, {}) == [event]
    assert posthog.events_of([event], {"_": str(NOW_MS)}) == [event | {"sent_at": NOW_MS}]
    assert kept == [event | {"sent_at": NOW_MS}, 1]
    # It would stand in every event.
    assert posthog.events_of(batch | {"sent_at": "x" * 1_000}, {}) == [event, 1]
    for wrong in (1, "text", {"batch": 1}):
        with pytest.raises(Refusal):
            posthog.events_of(wrong, {})
    with pytest.raises(Refusal) as refused:
        posthog.events_of([event] * 10_001, {})
    assert refused.value.status == 413


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ({"api_key": "pk_1", "event": "run"}, {}),
        ({"token": "pk_1", "batch": [{"api_key": "pk_2"}]}, {}),
        ({"batch": [{"properties": {"token": "pk_1"}}]}, {}),
        ([{"event": "run", "properties": {"token": "pk_1"}}], {"api_key": "pk_2"}),
        ([], {"token": "pk_1"}),
        ({"api_key": 1, "batch": [2]}, {"api_key": "pk_1"}),
    ],
)
def test_where_the_key_is(said: Any, query: dict[str, str]) -> None:
    assert posthog.key_in(said, query) == "pk_1"
    kept = posthog.events_of(said, query)
    assert "pk_" not in msgspec.json.encode(kept).decode()


def test_there_may_be_no_key() -> None:
    for said in ({}, [], [1], 1, {"batch": [{}]}):
        assert posthog.key_in(said, {}) == ""
