"""Pulse's own API: what is decoded at once is taken as what is looked at one by one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.collector.dialects import native
from pulse.collector.refusals import Refusal

EVENT: dict[str, Any] = {
    "id": "e-1",
    "account_id": "acme",
    "user_id": "ada",
    "event": "run",
    "ts": "2024-10-24T19:33:01Z",
    "properties": {"feature": "reports", "value": 3},
}

TEXTS = st.sampled_from(["a", "", "x" * 256, "x" * 257, "Müller & Co", "a\x00b", "a\nb", "\x7f"])
ODD = st.sampled_from([None, True, 1, 1.0, -1, 1.5, 10**9, 10**9 + 1, 10**30, [], {}, ["a"]])
INSTANTS = st.sampled_from(
    [
        "2024-10-24T19:33:01Z",
        "2024-10-24T21:33:01.5+02:00",
        "2024-10-24",
        "1969-12-31T23:59:59Z",
        "2024-02-30T00:00:00Z",
        0,
        253_402_300_799_999,
        253_402_300_800_000,
    ]
)
ANY = TEXTS | ODD
PROPERTIES = st.dictionaries(st.sampled_from(["feature", "value", "plan"]), ANY) | ODD
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "id": ANY,
    "account_id": ANY,
    "user_id": ANY,
    "event": ANY,
    "ts": INSTANTS | ANY,
    "source": ANY,
    "properties": PROPERTIES,
    "type": st.sampled_from(["profile", "track", None, 1]),
    "plan": ANY,
}
CHANGES = st.fixed_dictionaries({}, optional=FIELDS) | st.sampled_from(
    [{name: None} for name in EVENT]
)
EVENTS = st.builds(
    lambda changes, absent: {k: v for k, v in (EVENT | changes).items() if k != absent},
    CHANGES,
    st.none() | st.sampled_from(list(EVENT)),
)


def at_once(body: bytes) -> Any:
    try:
        return said(native.events_in(body, "application/json", "web"))
    except Refusal as refusal:
        return refusal.status, refusal.reason


def one_by_one(body: bytes) -> Any:
    try:
        return said(native.events(native.items(body, "application/json"), "web"))
    except Refusal as refusal:
        return refusal.status, refusal.reason


def said(meant: Any) -> Any:
    """What is taken and refused; null is as good as absent for a user."""
    lines = [(each.account_id, msgspec.json.decode(each.data)) for each in meant.lines]
    for _, line in lines:
        if line.get("user_id", "") is None:
            del line["user_id"]
        if line.get("properties") == {}:
            del line["properties"]
    return lines, meant.refused


@given(st.lists(EVENTS, max_size=4))
def test_events_are_taken_and_refused_as_one_by_one(events: list[dict[str, Any]]) -> None:
    body = msgspec.json.encode(events)
    assert at_once(body) == one_by_one(body)


@given(EVENTS)
def test_so_is_one_event(event: dict[str, Any]) -> None:
    body = msgspec.json.encode(event)
    assert at_once(body) == one_by_one(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b" [1]",
        b"{}",
        b"null",
        b"[null]",
        b'["a"]',
        b'[{"id": "1"',
        b"\xff",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        msgspec.json.encode(EVENT)[:-1] + b', "id": "two"}',
        msgspec.json.encode(EVENT)[:-1] + b', "id": 2}',
        b'{"id": 1, ' + msgspec.json.encode(EVENT)[1:],
        msgspec.json.encode(EVENT).replace(b"reports", b"\xff"),
        msgspec.json.encode(EVENT).replace(b"acme", b"\\ud800"),
        msgspec.json.encode(EVENT).replace(b"acme", b"\\u0041cme"),
        msgspec.json.encode(EVENT).replace(b": 3", b": 1e999"),
        msgspec.json.encode(EVENT).replace(b":3", b":1e999"),
        msgspec.json.encode([EVENT]) + b" ",
        msgspec.json.encode([EVENT]) + b"[",
        msgspec.json.encode(EVENT) + b"\n" + msgspec.json.encode(EVENT),
        msgspec.json.encode([EVENT | {"properties": {"note": "x" * n}} for n in (100, 33_000)]),
        msgspec.json.encode([EVENT] * 10_001),
    ],
)
def test_so_are_bodies_that_are_odd(body: bytes) -> None:
    assert at_once(body) == one_by_one(body)


def test_a_line_says_the_source_of_the_key() -> None:
    (line,) = native.events_in(msgspec.json.encode(EVENT | {"source": "other"}), "", "web").lines
    assert msgspec.json.decode(line.data) == EVENT | {"source": "web"}
    assert b"\n" not in line.data
