"""Segment's API, which RudderStack's clients speak too."""

from __future__ import annotations

import ipaddress
import time
from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response

from pulse.collector.body import as_json
from pulse.collector.description import (
    ANYTHING,
    BASIC,
    IN_BODY,
    INSTANT,
    JSON,
    NO_KEY,
    PLAIN,
    TAKES_EVENTS,
    an_array,
    an_object,
    answers,
    takes,
    text,
)
from pulse.collector.dialects import segment
from pulse.collector.keys import key_of
from pulse.collector.refusals import Refusal
from pulse.serving import answer

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pulse.collector.service import Service

SEGMENT: Final = "segment"

_ANSWERS: Final = answers(an_object("success", success={"const": True}), *TAKES_EVENTS)
_CONTEXT: Final = an_object(groupId=text("The account."))
_AROUND: Final = {
    "writeKey": text("Where there is no Authorization."),
    "sentAt": INSTANT,
    "context": _CONTEXT,
}
_CALL: Final = {
    "messageId": text("A repeat has the same."),
    "userId": text(),
    "anonymousId": text(),
    "timestamp": INSTANT,
}
_OF_CALL: Final = {
    "track": {"event": text("What happened."), "properties": ANYTHING},
    "group": {"groupId": text("The account."), "traits": ANYTHING},
    "page": {"name": text("The page."), "properties": ANYTHING},
    "screen": {"name": text("The screen."), "properties": ANYTHING},
    "identify": {"traits": ANYTHING},
    "alias": {"previousId": text()},
}
_NEEDED: Final = {"track": ["event"], "group": ["groupId"]}


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints of Segment's API."""

    async def take(request: Request, call: str) -> Response:
        body = await service.read(request)
        said = as_json(body)
        around = said if isinstance(said, dict) else {}
        source = service.source_of(key_of(request.headers.get("authorization", ""), around))
        calls = segment.calls_of(call, said)
        received_ms = time.time_ns() // 1_000_000
        meant = segment.meaning_of(calls, source, service.links, received_ms)
        if call != "batch" and meant.refused:
            bad = meant.refused[0]
            raise Refusal(
                400, bad.reason, f"{bad.field}: {bad.detail}" if bad.field else bad.detail
            )
        for bad in meant.refused:
            # These clients look at the status alone, and would send a batch of 400 no more.
            meant.keep(calls[bad.at], bad.reason, f"{bad.field}: {bad.detail}")
        await service.take(SEGMENT, meant)
        return answer(200, {"success": True})

    def endpoint(path: str, call: str) -> None:
        @app.post(
            path,
            summary=f"Segment: {call}",
            name=f"segment {path}",
            responses=_ANSWERS,
            openapi_extra=_takes(call),
        )
        async def _(request: Request) -> Response:
            return await take(request, call)

    for call in (*segment.CALLS, "batch"):
        endpoint(f"/v1/{call}", call)
    for short, call in segment.SHORT.items():
        endpoint(f"/v1/{short}", call)

    @app.get(
        "/v1/projects/{key}/settings",
        summary="Segment: what the browser's client asks first",
        responses=answers(an_object("integrations", integrations=ANYTHING), *NO_KEY),
    )
    async def settings(key: str, request: Request) -> Response:
        service.source_of(key)
        host = request.headers.get("host", "")
        protocol = protocol_of(host, request.headers.get("x-forwarded-proto", ""))
        own = {"apiKey": key, "apiHost": f"{host}/v1", "protocol": protocol}
        return answer(200, {"integrations": {"Segment.io": own}, "plan": {"track": {}}})


def protocol_of(host: str, forwarded: str) -> str:
    """What a browser shall speak to this host: what it came by, as far as a proxy says so.

    TLS is a proxy's, and none is needed only on the same machine.

    >>> protocol_of("pulse.example.com", ""), protocol_of("localhost:8100", "")
    ('https', 'http')
    """
    said = forwarded.partition(",")[0].strip().lower()
    if said in ("http", "https"):
        return said
    return "http" if _is_loopback(host) else "https"


def _is_loopback(host: str) -> bool:
    """Whether a Host header names this machine."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"


def _takes(call: str) -> dict[str, Any]:
    if call == "batch":
        kinds = [_one(each, {"type": {"const": each}}, ["type"]) for each in segment.CALLS]
        body = an_object("batch", batch=an_array({"oneOf": kinds}), **_AROUND)
    else:
        body = _one(call, _AROUND, [])
    # A browser sends plain text without asking first.
    return takes({JSON: body, PLAIN: text("The same.")}, (BASIC, IN_BODY))


def _one(call: str, also: dict[str, Any], needed: list[str]) -> dict[str, Any]:
    fields = _CALL | {"context": _CONTEXT} | _OF_CALL[call] | also
    return an_object(*needed, *_NEEDED.get(call, ()), **fields)
