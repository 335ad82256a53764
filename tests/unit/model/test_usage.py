from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from pulse.model import AccountProfile, ProfileRecord, UsageEvent, read_record

EVENT = {"id": "e1", "account_id": "acme", "event": "report.run", "ts": "2024-10-24T19:33:01Z"}
PROFILE = {
    "id": "p1",
    "type": "profile",
    "account_id": "acme",
    "ts": 1_729_798_381_000,
    "profile": {"name": "Acme", "mrr": 100, "seats": 5, "timezone": "Europe/Berlin"},
}


def read(**changes: Any) -> UsageEvent | ProfileRecord:
    return read_record(json.dumps(EVENT | changes).encode())


def test_the_least_an_event_needs() -> None:
    event = read()

    assert event == UsageEvent(
        id="e1", account_id="acme", event="report.run", ts=1_729_798_381_000, source="default"
    )
    assert isinstance(event, UsageEvent)
    assert (event.user_id, event.properties) == (None, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": None},
        {"user_id": "ann"},
        {"ts": 0},
        {"source": "web"},
        {"unknown": {"deeply": ["nested"]}},
        {"id": "x" * 256},
        {"account_id": "Müller & Söhne — 株式会社"},
        {"properties": {"value": 1e9}},
        {"properties": {"value": -1_000_000_000}},
        {"properties": {"value": None, "feature": None}},
        {"properties": {"feature": 7}},
        {"type": "track"},
    ],
)
def test_what_is_accepted(changes: dict[str, Any]) -> None:
    assert isinstance(read(**changes), UsageEvent)


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "x" * 257},
        {"id": 7},
        {"id": None},
        {"account_id": "a\x00b"},
        {"account_id": "a\nb"},
        {"account_id": "\ud800"},
        {"account_id": "a\u00a0b"},
        {"event": "\t"},
        {"event": None},
        {"user_id": ""},
        {"user_id": 7},
        {"source": None},
        {"source": ""},
        {"ts": True},
        {"ts": 1.0},
        {"ts": "2024-10-24"},
        {"ts": -1},
        {"ts": None},
        {"properties": None},
        {"properties": []},
        {"properties": {"value": 1_000_000_001}},
        {"properties": {"value": -1e300}},
        {"properties": {"value": 10**400}},
        {"properties": {"value": "7"}},
        {"properties": {"value": True}},
        {"properties": {"value": {}}},
        {"properties": {"feature": {}}},
        {"properties": {"feature": "a\x07"}},
        {"properties": {"feature": "x" * 257}},
    ],
)
def test_what_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        read(**changes)


@pytest.mark.parametrize("key", sorted(EVENT))
def test_nothing_that_is_needed_may_be_missing(key: str) -> None:
    with pytest.raises(ValidationError, match="Field required"):
        UsageEvent.model_validate({name: EVENT[name] for name in EVENT if name != key})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"null",
        b'{"id": "\xff"}',
        b"{} {}",
        b'{"id": "a\x00"}',
        json.dumps(EVENT)[:-1].encode() + b', "properties": {"value": NaN}}',
        json.dumps(EVENT)[:-1].encode() + b', "properties": {"value": 1e999}}',
        b'{"a":' * 100_000,
    ],
    ids=lambda data: data[:20].decode(errors="replace"),
)
def test_what_is_no_json_object_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_record(data)


def test_a_profile_is_told_by_its_type() -> None:
    record = read_record(json.dumps(PROFILE).encode())

    assert isinstance(record, ProfileRecord)
    assert record.profile.mrr == 100.0
    assert record.profile.segment is None


def test_a_profile_tells_deleted_from_unknown() -> None:
    profile = AccountProfile.model_validate({"plan": "pro", "owner": None, "favourite": "tea"})

    assert profile.changes() == {"plan": "pro", "owner": None}


@pytest.mark.parametrize(
    "profile",
    [
        {"mrr": -1},
        {"mrr": "100"},
        {"mrr": True},
        {"seats": 1.5},
        {"seats": -1},
        {"seats": "5"},
        {"name": ""},
        {"owner": "a\x00"},
        {"renewal_at": "soon"},
        {"started_at": "2024-10-24"},
        [],
        None,
    ],
)
def test_a_profile_that_makes_no_sense_is_refused(profile: Any) -> None:
    with pytest.raises(ValidationError):
        ProfileRecord.model_validate(PROFILE | {"profile": profile})
