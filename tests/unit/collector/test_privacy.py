"""What never reaches Kafka."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from pydantic import ValidationError

from pulse.collector.dialects import cloudevents, native, posthog, segment
from pulse.collector.dialects.webhooks import reading, zendesk
from pulse.collector.links import MOVED_AT_ONCE, Link, Links
from pulse.collector.privacy import PLAIN, Privacy, privacy_of
from pulse.collector.sink import Letter
from pulse.config.collector import Collector
from pulse.config.secret import SecretError
from pulse.config.webhooks import ZendeskWebhook
from pulse.packs import Line

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.collector.meaning import Meant

KEY = "a key of enough letters"
NOW_MS = 1_729_798_381_000
ADA = "ada@acme.com"


def line(privacy: Privacy, **said: Any) -> dict[str, Any]:
    """What becomes of an event."""
    event = {"id": "e1", "account_id": "acme", "event": "run", "ts": NOW_MS} | said
    found: dict[str, Any] = msgspec.json.decode(
        privacy.line(Line(event["account_id"], msgspec.json.encode(event))).data
    )
    return found


def letter(privacy: Privacy, said: Any) -> Any:
    """What becomes of a dead letter."""
    return msgspec.json.decode(privacy.letter(Letter(msgspec.json.encode(said), "why", "")).data)


def written(privacy: Privacy, meant: Meant) -> bytes:
    """All that is written of what was meant."""
    lines = [privacy.line(each).data for each in meant.lines]
    return b"\n".join(lines + [privacy.letter(each).data for each in meant.letters])


def test_nothing_is_changed_unless_it_is_said() -> None:
    data = b'{"id" : "e1", "user_id": "ada", "properties": {"email": "ada"}}'

    assert PLAIN.line(Line("acme", data)).data == data
    assert PLAIN.letter(Letter(data, "why", "")).data == data
    assert PLAIN.linked("web", "ada") == "ada"


def test_a_user_is_a_hash_of_its_own_in_each_account() -> None:
    privacy = Privacy(KEY)
    users = {
        line(privacy, account_id=account, user_id=user)["user_id"]
        for account in ("acme", "globex")
        for user in ("ada", "bob")
    }
    apart = line(privacy, account_id="ac", user_id="meada")["user_id"]

    assert len(users | {apart, privacy.linked("acme", "ada")}) == 6
    assert all(len(bytes.fromhex(each)) == 16 for each in users)
    assert line(privacy, user_id="ada") == line(Privacy(KEY), user_id="ada")
    other = line(Privacy("another key, as long"), user_id="ada")["user_id"]
    assert other not in users
    assert line(privacy, user_id=None)["user_id"] is None
    assert "user_id" not in line(privacy)


def test_an_id_may_say_who_it_was_and_is_hashed_too() -> None:
    privacy = Privacy(KEY)
    found = line(privacy, id="ada-1", user_id="ada")

    assert "ada" not in found["id"]
    assert found["id"] == line(privacy, id="ada-1")["id"] != line(privacy, id="ada-2")["id"]


def test_users_are_named_in_properties_too() -> None:
    properties = {
        "feature": "reports",
        "userId": 7,
        "$anon_distinct_id": "x",
        "mine": ADA,
        ADA: 1,
        "deep": [{"user-id": "x", "n": 1}, ADA, "kept"],
    }
    found = line(Privacy(KEY), user_id=ADA, properties=properties, anonymousId="x")

    assert found["properties"] == {"feature": "reports", "deep": [{"n": 1}, "kept"]}
    assert "anonymousId" not in found


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("email", {"name": "n", "address": {"city": "c", "zip": "z"}}),
        ("EM?IL", {"name": "n", "address": {"city": "c", "zip": "z"}}),
        ("address", {"name": "n", "Email": "e", "at.email": "e"}),
        ("address.*", {"name": "n", "Email": "e", "at.email": "e", "address": {}}),
        (
            "properties.address.c*",
            {"name": "n", "Email": "e", "at.email": "e", "address": {"zip": "z"}},
        ),
        (
            "other.city",
            {"name": "n", "Email": "e", "at.email": "e", "address": {"city": "c", "zip": "z"}},
        ),
        ("*", {}),
    ],
)
def test_properties_are_denied_by_their_names(pattern: str, left: dict[str, Any]) -> None:
    address = {"city": "c", "zip": "z"}
    properties = {"name": "n", "Email": "e", "at.email": "e", "address": address}
    found = line(Privacy(deny=[pattern]), properties=properties, user_id="ada")

    if pattern == "*":
        assert "properties" not in found
    else:
        assert found["properties"] == left
    assert (found["id"], found["account_id"], found["user_id"]) == ("e1", "acme", "ada")


def test_a_profile_s_own_fields_are_denied_by_their_place() -> None:
    profile = {"name": "Acme", "owner": "bob", "email": "e", "deep": {"name": "n", "m": 1}}
    said = {"type": "profile", "profile": profile}

    by_name = line(Privacy(deny=["name", "email", "type", "id"]), **said)
    assert by_name["profile"] == {"name": "Acme", "owner": "bob", "deep": {"m": 1}}
    assert (by_name["type"], by_name["id"]) == ("profile", "e1")
    by_place = line(Privacy(deny=["profile.owner"]), **said)["profile"]
    assert by_place == {name: profile[name] for name in ("name", "email", "deep")}


def test_a_letter_tells_of_nobody() -> None:
    call: dict[str, Any] = {
        "type": "track",
        "event": "run",
        "userId": ADA,
        "context": {"traits": {"email": ADA, "phone": "1"}, "ip": "::1", "app": {"name": "web"}},
        "properties": {"note": ADA, "feature": "reports", "secret": {"n": 1}},
    }

    assert letter(Privacy(KEY, ["secret"]), call) == {
        "type": "track",
        "event": "run",
        "context": {"app": {"name": "web"}},
        "properties": {"feature": "reports"},
    }
    del call["properties"]["secret"]
    assert letter(Privacy(deny=["secret"]), call) == call
    # Names say nothing of these.
    assert letter(Privacy(KEY), ADA) is None
    assert letter(Privacy(KEY), [ADA]) is None


def test_no_client_can_get_around_it() -> None:
    privacy = Privacy(KEY, ["email"])
    links = Links(privacy)
    about = {"email": "e@x.org", "user_id": ADA, "n": 1}
    event = {"account_id": "acme", "event": "run", "ts": NOW_MS, "properties": about}
    track = {"type": "track", "event": "run", "userId": ADA, "properties": about}
    found = [
        native.events([event | {"id": "1", "user_id": ADA, "email": "e@x.org"}], "web"),
        segment.meaning_of(
            [
                track,
                {"type": "group", "groupId": "acme", "userId": ADA, "traits": {"plan": "pro"}},
                track,
                {"type": "identify", "userId": ADA},
            ],
            "web",
            links,
            NOW_MS,
        ),
        posthog.meaning_of(
            [
                {"event": "run", "distinct_id": ADA, "properties": about},
                {
                    "event": "run",
                    "distinct_id": f"{ADA}2",
                    "properties": {"email": "e@x.org", "$set": {"who": ADA}, "distinct_id": ADA},
                },
                {"event": "run", "properties": {"$groups": {"company": "acme"}} | about},
            ],
            "web",
            links,
            "company",
            NOW_MS,
        ),
        cloudevents.meaning_of(
            [
                {"specversion": "1.0", "id": f"{ADA}/1", "source": "/web", "type": "run",
                 "subject": "acme", "data": about},
            ],
            "web",
            NOW_MS,
        ),
        webhook({"type": "zen:event-type:ticket.created", "detail": {
            "id": "1", "requester_id": ADA, "via": {"from": {"email": "e@x.org"}}}}),
    ]  # fmt: skip

    data = b"\n".join(written(privacy, each) for each in found)
    data += b"".join(link.key + (link.account or "").encode() for link in links.take_news())
    assert sum(len(each.lines) for each in found) == 6
    assert sum(len(each.letters) for each in found) == 3
    assert ADA.encode() not in data
    assert b"e@x.org" not in data


def webhook(said: dict[str, Any]) -> Meant:
    settings = ZendeskWebhook()
    delivery = reading.Delivery({}, msgspec.json.encode(said), NOW_MS)
    told = zendesk.told(said, delivery, settings)
    return reading.meaning_of(told, said, delivery, settings)


def test_links_are_known_by_hashes() -> None:
    one, other = Links(Privacy(KEY)), Links(Privacy(KEY))
    one.learn("web", ADA, "acme")
    (link,) = one.take_news()
    other.take(link.key, b"acme")

    assert ADA.encode() not in link.key
    assert other.account_of("web", ADA) == "acme"
    assert other.account_of("mobile", ADA) is None
    assert Links(Privacy("another key, as long")).account_of("web", ADA) is None
    plain = Links()
    plain.take(link.key, b"acme")
    assert len(plain) == 0
    other.take(link.key, None)
    assert other.account_of("web", ADA) is None


def test_links_from_before_are_moved() -> None:
    links = Links(Privacy(KEY))
    links.learn("web", "bob", "globex")
    news = links.take_news()
    for number in range(MOVED_AT_ONCE):
        links.take(Link("web", f"u{number}", "acme").key, b"acme")
    links.take(Link("web", "bob", "acme").key, b"acme")
    links.take(Link("web", "u0", None).key, None)  # another collector has moved it already

    assert links.account_of("web", "u1") == "acme"
    # What was learnt since is newer than what stood there.
    assert links.account_of("web", "bob") == "globex"
    news = links.take_news()
    assert len(news) == 2 * MOVED_AT_ONCE
    assert {link.account for link in news if not link.is_hashed} == {None}
    hashed = {link.user: link.account for link in news if link.is_hashed}
    assert hashed[Privacy(KEY).linked("web", "bob")] == "globex"
    assert links.take_news() == []


def test_what_the_configuration_says(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    config = Collector(user_ids="hashed", user_key_file=str(file), deny_properties=["email"])

    found = privacy_of(config)
    assert found.user("acme", "ada") == Privacy(KEY).user("acme", "ada")
    assert line(found, properties={"email": 1})["properties"] == {}
    assert not privacy_of(Collector()).hashes
    file.write_text("short")
    with pytest.raises(SecretError, match="fewer than 16"):
        privacy_of(config)
    with pytest.raises(SecretError, match="PULSE_NO_SUCH_KEY"):
        privacy_of(Collector(user_ids="hashed", user_key_env="PULSE_NO_SUCH_KEY"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_ids": "hashed"},
        {"user_ids": "hashed", "user_key_env": "A", "user_key_file": "b"},
        {"user_ids": "md5"},
        {"deny_properties": [""]},
        {"deny_properties": ["a..b"]},
        {"deny_properties": "email"},
    ],
)
def test_what_the_configuration_must_not_say(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Collector(**wrong)
