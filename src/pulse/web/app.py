"""The application: the API, the pages, and how a refusal is told to each."""

from __future__ import annotations

import traceback
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

import pulse
from pulse.refusals import Refusal
from pulse.serving import refused
from pulse.web import api, pages
from pulse.web.api.asking import PREFIX
from pulse.web.hardening import PATIENCE_S, Hardened
from pulse.web.pages.frame import signed_in
from pulse.web.pages.views import page
from pulse.web.people.proxy import Peers, near_proxies

if TYPE_CHECKING:
    from pulse.web.metrics import WebMetrics
    from pulse.web.service import Service

log = structlog.get_logger("pulse.web")

_TITLES: Final = {
    400: "That cannot be",
    401: "Sign in first",
    403: "That is not allowed",
    404: "There is nothing here",
    409: "That does not fit",
    410: "This link has ended",
    429: "Too often",
    500: "Something broke",
    503: "Not now",
}
_REASONS: Final = {404: "no_such_path", 405: "no_such_method", 408: "too_slow", 413: "too_large"}


def make_app(
    service: Service, metrics: WebMetrics, *, body_within_s: float = PATIENCE_S
) -> FastAPI:
    """The service as an ASGI application. A body must have come in within that time."""
    app = _routed()
    app.openapi = _description  # type: ignore[method-assign] # as FastAPI says to extend it
    _description()  # now, and not while others wait for answers
    app.state.service = service

    def tell(request: Request, refusal: Refusal) -> Response:
        metrics.refused.labels(refusal.reason).inc()
        told = refused(refusal)
        if request.url.path.startswith("/api/"):
            return told
        session = service.access.session(request)
        shown = page(
            "refused.html",
            refusal.status,
            title=_TITLES.get(refusal.status, "That did not work"),
            status=refusal.status,
            detail=refusal.detail,
            **({} if session is None else signed_in(service, session)),
        )
        for name in ("retry-after", "www-authenticate"):
            if name in told.headers:
                shown.headers[name] = told.headers[name]
        return shown

    @app.exception_handler(Refusal)
    async def _refused(request: Request, refusal: Refusal) -> Response:
        return tell(request, refusal)

    @app.exception_handler(RequestValidationError)
    async def _not_as_described(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return tell(request, Refusal(400, "invalid", f"{where}: {first['msg']}"))

    @app.exception_handler(HTTPException)
    async def _not_there(request: Request, error: HTTPException) -> Response:
        reason = _REASONS.get(error.status_code, "bad_request")
        detail = f"{error.detail}: {request.method} {request.url.path[:200]}; /docs says what is"
        told = tell(request, Refusal(error.status_code, reason, detail))
        told.headers.update(error.headers or {})
        return told

    def broken(request: Request, error: Exception) -> Response:
        # Not `exc_info`, which would show the values of variables, tokens among them.
        log.error("a request failed", traceback="".join(traceback.format_exception(error)))
        return tell(request, Refusal(500, "broken", "this is a bug of pulse; its log says more"))

    # What is added last comes first.
    app.add_middleware(
        Hardened,
        note=lambda status: metrics.requests.labels(status).inc(),
        broken=broken,
        within_s=body_within_s,
    )
    app.add_middleware(Peers, near=near_proxies())
    return app


def _routed() -> FastAPI:
    app = FastAPI(
        title="pulse",
        version="1",
        summary=f"Accounts, alerts, and what people say of them; pulse {pulse.__version__}.",
        description="Every request needs a token: `Authorization: Bearer pt_…`, made by `pulse "
        "tokens make`. What is written is in Kafka when it is answered with 2xx. Lists come in "
        "pages: `cursor` of one page leads to the next. A refusal is `{error: {reason, detail}}`.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # they come with scripts from elsewhere
        redoc_url=None,
    )
    for router in (*api.ROUTERS, *pages.ROUTERS):
        app.include_router(router)
    return app


@cache
def _description() -> dict[str, Any]:
    """What OpenAPI says of it: half a second's work, and the same for all of them.

    Without what FastAPI alone says: that it refuses a parameter in a way of its own.
    """
    said = _routed().openapi()
    for name in ("HTTPValidationError", "ValidationError"):
        said["components"]["schemas"].pop(name, None)
    for operations in said["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
    return said
