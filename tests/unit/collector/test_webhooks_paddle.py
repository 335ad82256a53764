"""Paddle's events, and what they mean."""

from __future__ import annotations

from typing import Any

import pytest

from .deliveries import events, lines, meant

CUSTOMER = "ctm_01hv6y1jedq4p1n0yqn5ba3ky4"
CARD = {"type": "visa", "last4": "4242", "expiry_month": 1, "expiry_year": 2030}
PAID = {"status": "captured", "amount": "59900", "method_details": {"type": "card", "card": CARD}}
REFUSED = {"status": "error", "error_code": "declined", "method_details": {"card": {}}}


def event(kind: str, **said: Any) -> dict[str, Any]:
    return {
        "event_id": "evt_01hv8wptq8987qeep44cyrewp9",
        "event_type": kind,
        "occurred_at": "2024-04-12T10:18:49.738972Z",
        "notification_id": "ntf_01hv8wptvjq6eyjqxqxqj9ykqc",
        "data": {"customer_id": CUSTOMER, "custom_data": None, **said},
    }


def transaction(kind: str, **said: Any) -> dict[str, Any]:
    thing = {
        "id": "txn_01hv8wptq8987qeep44cyrewp9",
        "origin": "subscription_recurring",
        "subscription_id": "sub_01hv8x29kz0t586xy6zn1a62ny",
        "payments": [REFUSED],
    }
    return event(f"transaction.{kind}", **(thing | said))


def subscription(kind: str, status: str = "active", **said: Any) -> dict[str, Any]:
    thing = {"id": "sub_01hv8x29kz0t586xy6zn1a62ny", "scheduled_change": None, "status": status}
    return event(f"subscription.{kind}", **(thing | said))


def scheduled(action: str) -> dict[str, Any]:
    return {"action": action, "effective_at": "2024-05-12T10:18:47Z", "resume_at": None}


CANCELLED, RESUMED = [("subscription_cancelled", {})], [("subscription_resumed", {})]


@pytest.mark.parametrize(
    ("said", "facts"),
    [
        (transaction("payment_failed"), [("payment_failed", {})]),
        (transaction("payment_failed", subscription_id=None), []),
        (transaction("completed"), [("payment_recovered", {})]),
        (
            transaction("completed", payments=[REFUSED, PAID]),
            [("payment_recovered", {}), ("card_updated", {"expires_at": "2030-01"})],
        ),
        (transaction("completed", subscription_id=None, payments=[PAID]), []),
        (transaction("completed", payments="none"), [("payment_recovered", {})]),
        (transaction("billed"), []),
        (subscription("canceled", "canceled"), CANCELLED),
        (subscription("updated", scheduled_change=scheduled("cancel")), CANCELLED),
        (subscription("updated", scheduled_change=scheduled("pause")), RESUMED),
        (subscription("updated"), RESUMED),
        (subscription("updated", "canceled"), []),
        (subscription("updated", "past_due"), []),
        (subscription("created", "trialing"), RESUMED),
        (subscription("activated"), RESUMED),
        (subscription("resumed"), RESUMED),
        (subscription("past_due", "past_due"), []),
        ({"event_type": "transaction.completed", "data": 7}, []),
    ],
)
def test_what_events_mean(said: dict[str, Any], facts: list[tuple[str, dict[str, Any]]]) -> None:
    found = meant("paddle", said)

    assert events(found) == facts
    assert found.passed_over == (0 if facts else 1)


def test_its_ids_its_instant_and_whose_it_is() -> None:
    payment, card = lines(meant("paddle", transaction("completed", payments=[PAID])))

    # Each fact is counted once, however often it is sent.
    assert payment["id"] == "evt_01hv8wptq8987qeep44cyrewp9"
    assert card["id"] == "evt_01hv8wptq8987qeep44cyrewp9/1"
    assert payment["ts"] == card["ts"] == 1_712_917_129_738
    assert (payment["account_id"], payment["source"]) == (CUSTOMER, "paddle")
    named = transaction("payment_failed", custom_data={"account_id": "acme"})
    assert lines(meant("paddle", named))[0]["account_id"] == "acme"


def test_without_a_customer_it_is_kept() -> None:
    found = meant("paddle", transaction("payment_failed", customer_id=None))

    assert [each.reason for each in found.letters] == ["unlinked"]
