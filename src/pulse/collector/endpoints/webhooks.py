"""Webhooks of billing and support services: known by their signatures, not by a write key."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple, Protocol

from fastapi import Path, Request, Response

from pulse.collector.body import as_json
from pulse.collector.description import (
    ANYTHING,
    BASIC,
    IN_BODY,
    JSON,
    TAKES_EVENTS,
    an_object,
    answers,
    parameter,
    takes,
)
from pulse.collector.dialects.webhooks import chargebee, jira, paddle, recurly, stripe, zendesk
from pulse.collector.dialects.webhooks.reading import Delivery, Told, meaning_of
from pulse.collector.refusals import Refusal
from pulse.serving import answer

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pulse.collector.service import Service
    from pulse.config.secret import Secret
    from pulse.config.webhooks import Webhook, Webhooks


class Dialect(Protocol):
    """How a service signs, and what it says."""

    def check(self, delivery: Delivery, secret: str) -> None:
        """Raises `Refusal` (401) where it is not the service's own."""

    def told(self, said: dict[str, Any], delivery: Delivery, settings: Any) -> Told:
        """What it says of an account."""


DIALECTS: Final[dict[str, Dialect]] = {
    "stripe": stripe,
    "chargebee": chargebee,
    "recurly": recurly,
    "paddle": paddle,
    "zendesk": zendesk,
    "jira": jira,
}


_SIGNATURES: Final = {
    "Stripe-Signature": "of Stripe",
    "Recurly-Signature": "of Recurly",
    "Paddle-Signature": "of Paddle",
    "X-Zendesk-Webhook-Signature": "of Zendesk",
    "X-Zendesk-Webhook-Signature-Timestamp": "of Zendesk",
    "X-Hub-Signature": "of Jira",
}
_ANSWERS: Final = answers(
    an_object("accepted", accepted={"type": "integer"}),
    404,
    *TAKES_EVENTS,
    also={
        401: {"description": "The signature is not that of the body and the secret, or too old."}
    },
)
_TAKES: Final = takes(
    {JSON: ANYTHING},
    (BASIC, IN_BODY),
    [parameter("header", name, whose) for name, whose in _SIGNATURES.items()],
)


class _Known(NamedTuple):
    """A service that is set up."""

    dialect: Dialect
    settings: Webhook
    secret: Secret


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoint of webhooks. Raises `SecretError` where a secret is missing."""
    known = _known(service.config.webhooks)

    @app.post(
        "/v1/webhooks/{source}",
        summary="Webhooks of Stripe, Zendesk and others",
        responses=_ANSWERS,
        openapi_extra=_TAKES,
    )
    async def webhook(
        source: Annotated[str, Path(json_schema_extra={"enum": list(DIALECTS)})], request: Request
    ) -> Response:
        """What `stripe`, `chargebee`, `recurly`, `paddle`, `zendesk` and `jira` send. It needs no
        write key: each is known by its signature (Chargebee by Basic auth).
        """
        if source not in known:
            raise _not_known(source)
        dialect, settings, secret = known[source]
        body = await service.read(request)
        delivery = Delivery(request.headers, body, time.time_ns() // 1_000_000)
        dialect.check(delivery, secret.reveal())
        said = as_json(body)
        if not isinstance(said, dict):
            raise Refusal(400, "invalid", "the body is no object")
        meant = meaning_of(dialect.told(said, delivery, settings), said, delivery, settings)
        await service.take(source, meant)
        return answer(200, {"accepted": len(meant.lines)})


def _known(settings: Webhooks) -> dict[str, _Known]:
    return {
        each.NAME: _Known(DIALECTS[each.NAME], each, secret)
        for each in settings.all()
        if (secret := each.secret()) is not None
    }


def _not_known(source: str) -> Refusal:
    if source in DIALECTS:
        detail = f"set collector.webhooks.{source}.secret_env to take webhooks of {source}"
        return Refusal(404, "not_set_up", detail)
    return Refusal(404, "no_such_service", f"webhooks are taken of {', '.join(DIALECTS)}")
