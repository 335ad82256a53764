"""The HTTP service: the endpoints of all dialects, CORS, and how a refusal is told."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Final

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route

import pulse
from pulse.collector import description
from pulse.collector.endpoints import cloudevents, native, posthog, segment, webhooks
from pulse.collector.refusals import Refusal
from pulse.serving import answer, refused

if TYPE_CHECKING:
    from pulse.collector.service import Service

_A_DAY: Final = 86_400


def make_app(service: Service) -> FastAPI:
    """The service as an ASGI application."""
    app = FastAPI(
        title="pulse collector",
        version=pulse.__version__,
        description="Takes usage events and account profiles. An answer of 2xx says that Kafka "
        "has them. Every request needs a write key (`pulse keys make`), but for webhooks, "
        "which are known by their signatures. Bodies may be compressed: "
        "`Content-Encoding` is `gzip` or `deflate`.",
    )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=["*"],
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["Retry-After"],
        max_age=_A_DAY,
    )

    @app.exception_handler(HTTPException)
    async def _not_there(request: Request, error: HTTPException) -> Response:
        detail = f"{error.detail}: {request.method} {request.url.path}; /docs says what there is"
        said = {"error": {"reason": "no_such_path", "detail": detail}}
        return answer(error.status_code, said, dict(error.headers or {}))

    @app.exception_handler(Refusal)
    async def _refused(request: Request, refusal: Refusal) -> Response:
        service.metrics.requests_refused.labels(refusal.reason).inc()
        return refused(refusal)

    @app.get("/healthz", summary="Whether the collector runs")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    for dialect in (native, segment, posthog, cloudevents, webhooks):
        dialect.add(app, service)
    description.complete(app)
    _shorten(app)
    return app


def _shorten(app: FastAPI) -> None:
    """Let requests come to endpoints at once that have no parameters.

    What FastAPI does to find parameters costs as much as all else of a small request.
    """
    described = [each for each in app.routes if isinstance(each, APIRoute)]
    app.router.routes[:0] = [
        Route(each.path, each.endpoint, methods=[*each.methods], include_in_schema=False)
        for each in described
        if each.methods == {"POST"} and [*signature(each.endpoint).parameters] == ["request"]
    ]
