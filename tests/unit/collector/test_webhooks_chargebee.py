"""Chargebee's events, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from .deliveries import NOW_MS, NOW_S, events, lines, meant

CUSTOMER = {"id": "acme", "object": "customer", "auto_collection": "on", "deleted": False}
CARD = {"object": "card", "customer_id": "acme", "expiry_month": 12, "expiry_year": 2026}
SOURCE = {"object": "payment_source", "type": "card", "customer_id": "acme", "card": CARD}


def event(kind: str, **content: Any) -> dict[str, Any]:
    return {
        "id": "ev_3Nl7oGgQqGG8UK4s",
        "occurred_at": NOW_S,
        "source": "scheduled_job",
        "object": "event",
        "api_version": "v2",
        "event_type": kind,
        "webhook_status": "not_configured",
        "content": {"customer": CUSTOMER, **content},
    }


def subscription(kind: str, status: str = "active") -> dict[str, Any]:
    about = {"id": "sub_1", "object": "subscription", "customer_id": "acme", "status": status}
    return event(f"subscription_{kind}", subscription=about)


EXPIRES = [("card_updated", {"expires_at": "2026-12"})]
CANCELLED, RESUMED = [("subscription_cancelled", {})], [("subscription_resumed", {})]


@pytest.mark.parametrize(
    ("said", "facts"),
    [
        (event("payment_failed", transaction={"status": "failure"}), [("payment_failed", {})]),
        (event("payment_succeeded"), [("payment_recovered", {})]),
        (event("payment_refunded"), []),
        (event("card_added", card=CARD), EXPIRES),
        (event("card_expiry_reminder", card=CARD), EXPIRES),
        (event("card_deleted", card=CARD), []),
        (event("payment_source_updated", payment_source=SOURCE), EXPIRES),
        (event("payment_source_expiring", payment_source=SOURCE), EXPIRES),
        (event("payment_source_added", payment_source={"type": "direct_debit"}), []),
        (subscription("cancelled", "cancelled"), CANCELLED),
        (subscription("cancellation_scheduled", "non_renewing"), CANCELLED),
        (subscription("scheduled_cancellation_removed"), RESUMED),
        (subscription("created"), RESUMED),
        (subscription("created", "future"), []),
        (subscription("activated"), RESUMED),
        (subscription("reactivated"), RESUMED),
        (subscription("resumed"), RESUMED),
        (subscription("renewed"), []),
        ({"event_type": {}, "content": None}, []),
    ],
)
def test_what_events_mean(said: dict[str, Any], facts: list[tuple[str, dict[str, Any]]]) -> None:
    found = meant("chargebee", said)

    assert events(found) == facts
    assert found.passed_over == (0 if facts else 1)


def test_its_id_its_instant_and_whose_it_is() -> None:
    line = lines(meant("chargebee", event("payment_failed")))[0]

    assert (line["id"], line["ts"]) == ("ev_3Nl7oGgQqGG8UK4s", NOW_MS)
    assert (line["account_id"], line["source"]) == ("acme", "chargebee")
    named = event("payment_failed", customer={**CUSTOMER, "meta_data": {"account_id": "globex"}})
    assert lines(meant("chargebee", named))[0]["account_id"] == "globex"


def test_without_a_customer_it_is_kept() -> None:
    said = event("payment_failed", customer=None)

    assert [each.reason for each in meant("chargebee", said).letters] == ["unlinked"]
    said["content"]["invoice"] = {"customer_id": "acme"}
    assert lines(meant("chargebee", said))[0]["account_id"] == "acme"
