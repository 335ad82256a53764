"""Whatever a service sends, signed as it should be, is an event, a letter, or passed over."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .deliveries import meant

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
CARD = {"exp_month": 4, "exp_year": 2027, "expiry_month": 4, "expiry_year": 2027}
SAMPLES: dict[str, dict[str, Any]] = {
    "stripe": {
        "id": "evt_1",
        "type": "payment_method.attached",
        "created": 1,
        "data": {"object": {"customer": "acme", "card": CARD}},
    },
    "chargebee": {
        "id": "ev_1",
        "event_type": "card_added",
        "occurred_at": 1,
        "content": {"customer": {"id": "acme"}, "card": CARD},
    },
    "recurly": {
        "id": "r1",
        "object_type": "payment",
        "event_type": "failed",
        "event_time": "2022-07-27T21:43:53Z",
        "account_code": "acme",
    },
    "paddle": {
        "event_id": "evt_1",
        "event_type": "transaction.completed",
        "occurred_at": "2024-04-12T10:18:49Z",
        "data": {
            "customer_id": "acme",
            "subscription_id": "sub_1",
            "payments": [{"status": "captured", "method_details": {"card": CARD}}],
        },
    },
    "zendesk": {
        "id": "z1",
        "type": "zen:event-type:ticket.csat_received",
        "time": "2025-01-08T10:12:07Z",
        "detail": {"id": "1", "organization_id": "acme", "requester_id": "ada"},
        "event": {"satisfaction_score": {"score": "BAD"}},
    },
    "jira": {
        "timestamp": 1,
        "webhookEvent": "jira:issue_updated",
        "issue": {
            "key": "ED-1",
            "fields": {"issuetype": {"name": "Bug"}, "status": {"statusCategory": {"key": "done"}}},
        },
        "changelog": {"items": [{"field": "Key", "fromString": "OLD-1", "toString": "ED-1"}]},
        "customer": "acme",
    },
}


def places(said: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything in it."""
    steps = said.items() if isinstance(said, dict) else enumerate(said)
    found = []
    for step, inner in steps:
        found.append((*path, step))
        if isinstance(inner, (dict, list)):
            found += places(inner, (*path, step))
    return found


@pytest.mark.parametrize("service", SAMPLES)
@settings(max_examples=50)
@given(data=st.data())
def test_it_is_an_event_or_a_letter_or_passed_over(service: str, data: st.DataObject) -> None:
    said = copy.deepcopy(SAMPLES[service])
    *way, last = data.draw(st.sampled_from(places(said)))
    inner: Any = said
    for step in way:
        inner = inner[step]
    inner[last] = data.draw(JSON)
    said = msgspec.json.decode(msgspec.json.encode(said))
    own = {"account": ["customer"]} if service == "jira" else {}

    found = meant(service, said, **own)

    assert len(found.lines) + len(found.letters) + found.passed_over >= 1
