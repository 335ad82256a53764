"""Webhooks of a billing service, through collector and worker, to the alert that they are about."""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from pulse.processes import free_port
from pulse.testing.system import System

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pulse.testing.kafka import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

WITHIN_S = 90
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Stripe:
    """Stripe, sending to a collector."""

    def __init__(self, system: System) -> None:
        self.system = system
        port = free_port()
        self.collector = system.process("collect", port=port).start()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
        wait_for(self._answers)

    def _answers(self) -> bool:
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def send(self, event: dict[str, Any], secret: str = SECRET) -> httpx.Response:
        """The answer to an event, signed now."""
        body, now_s = msgspec.json.encode(event), time.time_ns() // 10**9
        mac = hmac.new(secret.encode(), f"{now_s}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"stripe-signature": f"t={now_s},v1={mac}", "content-type": "application/json"}
        return self.http.post("/v1/webhooks/stripe", content=body, headers=headers)

    def alerts(self) -> list[tuple[str, str, str]]:
        """Account, reason and status of every alert."""
        return [
            (each["account_id"], each["reason"], each["status"]) for each in self.system.alerts()
        ]


@pytest.fixture
def stripe(
    kafka: KafkaServer, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stripe]:
    monkeypatch.setenv("PULSE_TEST_STRIPE_SECRET", SECRET)
    settings = {
        "clock": "wall",
        "worker": {"flush_interval_s": 0.5, "reread_s": 0},
        "collector": {"webhooks": {"stripe": {"secret_env": "PULSE_TEST_STRIPE_SECRET"}}},
    }
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2, settings=settings)
    system.create_topics()
    try:
        yield Stripe(system)
    finally:
        system.stop()


def wait_for(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that in time"
        time.sleep(0.2)


def invoice(event_id: str, kind: str, **said: Any) -> dict[str, Any]:
    thing = {
        "id": "in_1MtHbELkdIwHu7ixl4OzzPMv",
        "object": "invoice",
        "amount_due": 2_000,
        "billing_reason": "subscription_cycle",
        "customer": "cus_NffrFeUfNV2Hib",
        "metadata": {"account_id": "acme"},
        **said,
    }
    now_s = time.time_ns() // 10**9
    return {"id": event_id, "type": f"invoice.{kind}", "created": now_s, "data": {"object": thing}}


def test_a_failed_payment_raises_an_alert_and_one_that_goes_well_ends_it(stripe: Stripe) -> None:
    stripe.system.process("work").start()
    failed = invoice("evt_1", "payment_failed")
    for _ in range(2):  # Stripe sends again where it has not heard the answer
        answer = stripe.send(failed)
        assert (answer.status_code, answer.json()) == (200, {"accepted": 1})

    wait_for(lambda: stripe.alerts() == [("acme", "payment_failed", "firing")])

    assert stripe.send(invoice("evt_2", "paid")).status_code == 200
    wait_for(lambda: ("acme", "payment_failed", "resolved") in stripe.alerts())
    assert len(stripe.alerts()) == 2


def test_what_is_not_signed_is_not_written(stripe: Stripe) -> None:
    failed = invoice("evt_1", "payment_failed")
    assert stripe.send(failed, secret="another").status_code == 401
    assert stripe.http.post("/v1/webhooks/stripe", json=failed).status_code == 401
    assert stripe.http.post("/v1/webhooks/zendesk", json=failed).status_code == 404
    assert stripe.system.written() == 0

    # Nor is what means nothing, and what is nobody's is kept aside.
    assert stripe.send(invoice("evt_2", "upcoming")).json() == {"accepted": 0}
    assert stripe.send(invoice("evt_3", "paid", customer=None, metadata={})).status_code == 200
    assert stripe.system.written() == 0
    [letter] = stripe.system.read("deadletter")
    assert dict(letter.headers)["pulse-reason"] == b"unlinked"
    assert msgspec.json.decode(letter.value)["id"] == "evt_3"
    assert stripe.collector.metric("pulse_collector_passed_over_total") == 1
