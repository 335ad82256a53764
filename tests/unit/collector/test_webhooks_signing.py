"""Whether a webhook is a service's own."""

from __future__ import annotations

import time

import httpx
import msgspec
import pytest

from pulse.collector.app import make_app
from pulse.collector.dialects.webhooks.reading import Delivery
from pulse.collector.endpoints.webhooks import DIALECTS
from pulse.collector.keys import KeyRing
from pulse.collector.links import Links
from pulse.collector.metrics import CollectorMetrics
from pulse.collector.refusals import Refusal
from pulse.collector.service import Service
from pulse.collector.sink import Sink
from pulse.config import Config, ConfigError, SecretError
from pulse.config.loading import read
from pulse.config.webhooks import Webhooks
from pulse.producer import Producer

from .deliveries import NOW_MS, NOW_S, SECRET, signature, signed_by

BODY = b'{"id": "evt_1", "type": "plan.created"}'
SIGNED = ["stripe", "recurly", "paddle", "zendesk", "jira"]
DATED = ["stripe", "recurly", "paddle", "zendesk"]


def check(service: str, headers: dict[str, str], body: bytes = BODY) -> str:
    """How the check ends: empty, or the reason of the refusal."""
    try:
        DIALECTS[service].check(Delivery(headers, body, NOW_MS), SECRET)
    except Refusal as refusal:
        return refusal.reason if refusal.status == 401 else str(refusal.status)
    return ""


@pytest.mark.parametrize("service", DIALECTS)
def test_who_knows_the_secret_is_believed(service: str) -> None:
    assert check(service, signed_by(service, BODY)) == ""
    assert check(service, signed_by(service, BODY, secret="another")) == "bad_signature"
    assert check(service, {}) == "bad_signature"


@pytest.mark.parametrize("service", SIGNED)
def test_no_byte_of_the_body_may_change(service: str) -> None:
    headers = signed_by(service, BODY)

    for place in range(len(BODY)):
        changed = BODY[:place] + bytes([BODY[place] ^ 1]) + BODY[place + 1 :]
        assert check(service, headers, changed) == "bad_signature"
    assert check(service, headers, BODY + b"\n") == "bad_signature"


@pytest.mark.parametrize("service", DATED)
@pytest.mark.parametrize(
    ("ago_s", "reason"), [(299, ""), (-299, ""), (301, "too_old"), (-301, "too_old")]
)
def test_a_signature_holds_for_five_minutes(service: str, ago_s: int, reason: str) -> None:
    assert check(service, signed_by(service, BODY, at_s=NOW_S - ago_s)) == reason


@pytest.mark.parametrize("service", DATED)
def test_when_it_was_signed_is_signed_too(service: str) -> None:
    old = signed_by(service, BODY, at_s=NOW_S - 3_600)
    new = signed_by(service, BODY, at_s=NOW_S)
    mixed = {name: value.replace(str(NOW_S - 3_600), str(NOW_S)) for name, value in old.items()} | {
        name: value for name, value in new.items() if name.endswith("timestamp")
    }

    assert check(service, mixed) == "bad_signature"


def test_while_a_secret_is_changed_either_signature_will_do() -> None:
    other = signature(f"{NOW_S}.", BODY, secret="old").hex()
    own = signature(f"{NOW_S}.", BODY).hex()
    stripe = {"stripe-signature": f"t={NOW_S}, v1={other}, v1={own}"}
    assert check("stripe", stripe) == ""

    at_ms = f"{NOW_S}000"
    own = signature(f"{at_ms}.", BODY).hex()
    assert check("recurly", {"recurly-signature": f"{at_ms},{other},{own}"}) == ""

    own = signature(f"{NOW_S}:", BODY).hex()
    assert check("paddle", {"paddle-signature": f"ts={NOW_S};h1={other};h1={own}"}) == ""


@pytest.mark.parametrize(
    ("service", "headers"),
    [
        ("stripe", {"stripe-signature": ""}),
        ("stripe", {"stripe-signature": "t=,v1="}),
        ("stripe", {"stripe-signature": f"t={NOW_S},v0={signature(f'{NOW_S}.', BODY).hex()}"}),
        ("stripe", {"stripe-signature": "\xff\xfe=,v1=\xe4"}),
        ("recurly", {"recurly-signature": str(NOW_MS)}),
        ("paddle", {"paddle-signature": f"ts={NOW_S}"}),
        ("zendesk", {"x-zendesk-webhook-signature": "%%%"}),
        ("jira", {"x-hub-signature": signature(BODY).hex()}),
        ("chargebee", {"authorization": "Basic %%%"}),
        ("chargebee", {"authorization": f"Bearer {SECRET}"}),
    ],
)
def test_what_is_no_signature(service: str, headers: dict[str, str]) -> None:
    assert check(service, headers) == "bad_signature"


@pytest.mark.parametrize("when", ["", "yesterday", "1e9", "9" * 400, "-5"])
def test_what_is_no_instant_is_too_old(when: str) -> None:
    mac = signature(f"{when}.", BODY).hex()

    assert check("stripe", {"stripe-signature": f"t={when},v1={mac}"}) == "too_old"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> httpx.AsyncClient:
    """A collector that takes webhooks of Stripe, and has no Kafka."""
    monkeypatch.setenv("STRIPE_SECRET", SECRET)
    webhooks = {"stripe": {"secret_env": "STRIPE_SECRET"}}
    config = Config.model_validate({"collector": {"webhooks": webhooks}}).collector
    producer = Producer({}, idempotent=True)
    sink = Sink(
        producer,
        events="e",
        deadletter="d",
        links="l",
        partitions=1,
        most_bytes=1 << 20,
        within_s=1.0,
    )
    metrics = CollectorMetrics(lambda: 0, lambda: 0)
    app = make_app(Service(config, KeyRing(), Links(), sink, metrics))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector")


async def post(client: httpx.AsyncClient, service: str, body: bytes) -> tuple[int, str, str]:
    """The answer's status, its reason, and what it says."""
    now_s = time.time_ns() // 10**9
    headers = signed_by("stripe", body, at_s=now_s)
    answer = await client.post(f"/v1/webhooks/{service}", content=body, headers=headers)
    error = answer.json().get("error", {})
    return answer.status_code, error.get("reason", ""), error.get("detail", "")


async def test_a_service_without_a_secret_is_not_listened_to(client: httpx.AsyncClient) -> None:
    status, reason, detail = await post(client, "paddle", BODY)
    assert (status, reason) == (404, "not_set_up")
    assert "collector.webhooks.paddle.secret_env" in detail

    status, reason, detail = await post(client, "github", BODY)
    assert (status, reason) == (404, "no_such_service")
    assert "stripe" in detail


async def test_what_is_answered(client: httpx.AsyncClient) -> None:
    # It means nothing to pulse, so that Kafka is not asked.
    assert await post(client, "stripe", BODY) == (200, "", "")
    assert (await post(client, "stripe", b"{"))[:2] == (400, "not_json")
    assert (await post(client, "stripe", b"[]"))[:2] == (400, "invalid")
    unsigned = await client.post("/v1/webhooks/stripe", content=b"{")
    assert (unsigned.status_code, unsigned.json()["error"]["reason"]) == (401, "bad_signature")


def test_the_secret_is_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIPE_SECRET", raising=False)
    webhooks = Webhooks.model_validate({"stripe": {"secret_env": "STRIPE_SECRET"}})

    with pytest.raises(SecretError, match=r"collector\.webhooks\.stripe\.secret_env"):
        webhooks.stripe.secret()
    assert webhooks.paddle.secret() is None


@pytest.mark.parametrize(
    ("said", "mistake"),
    [
        ("stripe: {secret_env: A, secret_file: b}", "secret_env is set too"),
        ("stripe: {secret_env: whsec_abc}", "not the secret itself"),
        ("stripe: {secret_env: A, account: []}", "where the account is found is missing"),
        ("jira: {secret_env: A}", "where the account is found is missing"),
        ("jira: {secret_env: A, account: [a..b]}", "collector.webhooks.jira.account"),
    ],
)
def test_mistakes_in_the_configuration(said: str, mistake: str) -> None:
    with pytest.raises(ConfigError) as found:
        read(Config, f"collector:\n  webhooks:\n    {said}\n")

    assert mistake in str(found.value)
    assert read(Config, "collector:\n  webhooks:\n    jira: {source: bugs}\n")


def test_every_service_has_a_dialect() -> None:
    names = [each.NAME for each in Webhooks().all()]
    assert names == list(DIALECTS) == list(msgspec.to_builtins(Webhooks().model_dump()))
