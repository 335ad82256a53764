"""The HTTP service: endpoints of all dialects, keys, limits, and what clients are told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from pydantic.json_schema import models_json_schema
from starlette.middleware.cors import CORSMiddleware

import pulse
from pulse.collector.body import as_json, read
from pulse.collector.dialects import native, segment
from pulse.collector.keys import key_of
from pulse.collector.refusals import BadEvent, Refusal
from pulse.model.usage import ProfileRecord, UsageEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.collector.keys import KeyRing
    from pulse.collector.links import Links
    from pulse.collector.meaning import Meant
    from pulse.collector.metrics import CollectorMetrics
    from pulse.collector.sink import Sink
    from pulse.config import Collector

NATIVE, SEGMENT = "native", "segment"
_PLACE: Final = "#/components/schemas/{model}"
_A_DAY: Final = 86_400


class Service:
    """What the endpoints share."""

    def __init__(
        self, config: Collector, keys: KeyRing, links: Links, sink: Sink, metrics: CollectorMetrics
    ) -> None:
        self.config = config
        self.keys = keys
        self.links = links
        self.sink = sink
        self.metrics = metrics

    def source_of(self, key: str) -> str:
        """The source that a write key is of. Raises `Refusal` (401)."""
        if not key:
            raise Refusal(401, "no_key", "a write key is needed; `pulse keys make` makes one")
        found = self.keys.find(key)
        if found is None:
            raise Refusal(401, "bad_key", "the write key is not known, or was revoked")
        return found.source

    async def take(self, dialect: str, meant: Meant) -> None:
        """Write what was meant; return when Kafka has it."""
        began = time.perf_counter()
        await self.sink.put(meant.lines, meant.letters)
        self.metrics.took.labels(dialect).observe(time.perf_counter() - began)
        self.metrics.events.labels(dialect).inc(len(meant.lines))
        self.metrics.passed_over.labels(dialect).inc(meant.passed_over)
        for letter in meant.letters:
            self.metrics.letters.labels(dialect, letter.reason).inc()
        for bad in meant.refused:
            self.metrics.refused.labels(dialect, bad.reason).inc()


def make_app(service: Service) -> FastAPI:
    """The service as an ASGI application."""
    app = FastAPI(
        title="pulse collector",
        version=pulse.__version__,
        description="Takes usage events and account profiles. An answer of 2xx says that Kafka "
        "has them. Every request needs a write key (`pulse keys make`).",
    )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        max_age=_A_DAY,
    )

    @app.exception_handler(Refusal)
    async def _refused(request: Request, refusal: Refusal) -> Response:
        service.metrics.requests_refused.labels(refusal.reason).inc()
        headers = {}
        if refusal.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        if refusal.retry_after_s is not None:
            headers["Retry-After"] = str(refusal.retry_after_s)
        said = {"error": {"reason": refusal.reason, "detail": refusal.detail}}
        return _json(refusal.status, said, headers)

    @app.get("/healthz", summary="Whether the collector runs")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    _native(app, service)
    _segment(app, service)
    _describe(app)
    return app


# --- native ---------------------------------------------------------------------------------------


def _native(app: FastAPI, service: Service) -> None:
    async def take(request: Request, meaning: Callable[[Iterable[Any], str], Meant]) -> Response:
        source = service.source_of(key_of(request.headers.get("authorization", ""), {}))
        body = await read(request, service.config.max_body_bytes)
        found = native.items(body, request.headers.get("content-type", ""))
        meant = meaning(found, source)
        await service.take(NATIVE, meant)
        said = {"accepted": len(meant.lines), "refused": [_told(bad) for bad in meant.refused]}
        return _json(200 if meant.lines or not meant.refused else 400, said)

    @app.post("/v1/events", summary="Usage events", openapi_extra=_takes(UsageEvent))
    async def events(request: Request) -> Response:
        """One event, an array of events, or one a line (NDJSON). Bad ones do not cost the others:
        they are listed in the answer, which is 400 only where all of them are bad.
        """
        return await take(request, native.events)

    @app.post("/v1/profiles", summary="Account profiles", openapi_extra=_takes(ProfileRecord))
    async def profiles(request: Request) -> Response:
        """As `/v1/events`, for what is known of accounts besides their use."""
        return await take(request, native.profiles)


def _told(bad: BadEvent) -> dict[str, Any]:
    return {"index": bad.at, "reason": bad.reason, "field": bad.field, "detail": bad.detail}


def _takes(model: type[UsageEvent | ProfileRecord]) -> dict[str, Any]:
    """The request body, for the page of the API; it is read without FastAPI."""
    one = {"$ref": _PLACE.format(model=model.__name__)}
    many = {"oneOf": [one, {"type": "array", "items": one}]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": many}}}}


def _describe(app: FastAPI) -> None:
    """Put the models of events and profiles into the description of the API."""
    described = app.openapi()
    _, found = models_json_schema(
        [(UsageEvent, "validation"), (ProfileRecord, "validation")], ref_template=_PLACE
    )
    described.setdefault("components", {}).setdefault("schemas", {}).update(found["$defs"])


# --- Segment --------------------------------------------------------------------------------------


def _segment(app: FastAPI, service: Service) -> None:
    async def take(request: Request, call: str) -> Response:
        body = await read(request, service.config.max_body_bytes)
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
        return _json(200, {"success": True})

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
        return _json(200, {"integrations": {"Segment.io": own}, "plan": {"track": {}}})


def _json(status: int, said: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(said), status, headers, "application/json")
