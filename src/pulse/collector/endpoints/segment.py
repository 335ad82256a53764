"""Segment's API, which RudderStack's clients speak too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from fastapi import Request, Response

from pulse.collector.body import as_json
from pulse.collector.dialects import segment
from pulse.collector.keys import key_of
from pulse.collector.refusals import Refusal
from pulse.collector.service import answer

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pulse.collector.service import Service

SEGMENT: Final = "segment"


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints of Segment's API."""

    async def take(request: Request, call: str) -> Response:
        body = await service.read(request)
        said = as_json(body)
        calls = segment.calls_of(call, said)
        key = key_of(request.headers.get("authorization", ""), said)
        source = service.source_of(key)
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
        @app.post(path, summary=f"Segment: {call}", name=f"segment {path}")
        async def _(request: Request) -> Response:
            return await take(request, call)

    for call in (*segment.CALLS, "batch"):
        endpoint(f"/v1/{call}", call)
    for short, call in segment.SHORT.items():
        endpoint(f"/v1/{short}", call)

    @app.get("/v1/projects/{key}/settings", summary="Segment: what the browser's client asks first")
    async def settings(key: str, request: Request) -> Response:
        service.source_of(key)
        host = request.headers.get("host", "")
        own = {"apiKey": key, "apiHost": f"{host}/v1", "protocol": request.url.scheme}
        return answer(200, {"integrations": {"Segment.io": own}, "plan": {"track": {}}})
