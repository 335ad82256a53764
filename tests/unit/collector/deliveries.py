"""Webhooks as services send them: signed, and what pulse makes of them."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any

import msgspec

from pulse.collector.dialects.webhooks.reading import Delivery, meaning_of
from pulse.collector.endpoints.webhooks import DIALECTS
from pulse.config.webhooks import Webhooks
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from pulse.collector.meaning import Meant

NOW_MS = 1_729_798_381_000  # 2024-10-24T19:33:01Z
NOW_S = NOW_MS // 1_000
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def signature(*signed: str | bytes, secret: str = SECRET) -> bytes:
    """HMAC-SHA256, without pulse's own."""
    message = b"".join(each.encode() if isinstance(each, str) else each for each in signed)
    return hmac.digest(secret.encode(), message, hashlib.sha256)


def signed_by(
    service: str, body: bytes, *, at_s: int = NOW_S, secret: str = SECRET
) -> dict[str, str]:
    """The headers with which a service sends a body at an instant."""
    if service == "stripe":
        mac = signature(f"{at_s}.", body, secret=secret).hex()
        return {"stripe-signature": f"t={at_s},v1={mac},v0=6ffbb59b2300aae63f272406069a9788"}
    if service == "paddle":
        mac = signature(f"{at_s}:", body, secret=secret).hex()
        return {"paddle-signature": f"ts={at_s};h1={mac}"}
    if service == "recurly":
        mac = signature(f"{at_s * 1_000}.", body, secret=secret).hex()
        return {"recurly-signature": f"{at_s * 1_000},{mac}"}
    if service == "zendesk":
        at = format_ms(at_s * 1_000)
        mac = base64.b64encode(signature(at, body, secret=secret)).decode()
        return {
            "x-zendesk-webhook-signature": mac,
            "x-zendesk-webhook-signature-timestamp": at,
        }
    if service == "jira":
        mac = signature(body, secret=secret).hex()
        return {"x-hub-signature": f"sha256={mac}", "x-atlassian-webhook-identifier": "wh-1"}
    return {"authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}


def meant(
    service: str,
    said: dict[str, Any],
    headers: dict[str, str] | None = None,
    **settings: Any,
) -> Meant:
    """What a delivery means, with the default settings of its service."""
    config = Webhooks.model_validate({service: settings} if settings else {})
    webhook = getattr(config, service)
    delivery = Delivery(headers or {}, msgspec.json.encode(said), NOW_MS)
    return meaning_of(DIALECTS[service].told(said, delivery, webhook), said, delivery, webhook)


def events(found: Meant) -> list[tuple[str, dict[str, Any]]]:
    """The names and properties of the events in it."""
    return [(line["event"], line["properties"]) for line in lines(found)]


def lines(found: Meant) -> list[dict[str, Any]]:
    """The lines in it."""
    return [msgspec.json.decode(line.data) for line in found.lines]
