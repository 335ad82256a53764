"""PostHog's API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi import Request, Response

from pulse.collector.description import (
    BEARER,
    IN_BODY,
    INSTANT,
    JSON,
    NO_KEY,
    PLAIN,
    TAKES_EVENTS,
    an_array,
    an_object,
    answers,
    parameter,
    takes,
    text,
)
from pulse.collector.dialects import posthog
from pulse.collector.keys import key_of
from pulse.serving import answer

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pulse.collector.service import Service

POSTHOG: Final = "posthog"

_CAPTURE: Final = ("/batch", "/capture", "/e", "/i/v0/e")
_SCRIPT: Final = "application/javascript"
_FLAGS: Final = ("/flags", "/decide")
_NO_FLAGS: Final[dict[str, Any]] = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
}
_NOTHING_MORE: Final[dict[str, Any]] = {
    "supportedCompression": ["gzip", "gzip-js"],
    "analytics": {"endpoint": "/i/v0/e/"},
    "hasFeatureFlags": False,
    "sessionRecording": False,
    "heatmaps": False,
    "surveys": False,
    "siteApps": [],
    "capturePerformance": False,
    "captureDeadClicks": False,
    "autocaptureExceptions": False,
    "elementsChainAsString": True,
    "defaultIdentifiedOnly": True,
}
"""What a client may do besides sending events."""

_KEY: Final = {"api_key": text("The write key, as `token` too.")}
_EVENT: Final = an_object(
    "event",
    event=text("What happened."),
    distinct_id=text("The user; in the properties too."),
    properties=an_object(
        **{
            "$groups": an_object(
                company=text("The account, where `collector.posthog_group` is so.")
            )
        }
    ),
    timestamp=INSTANT,
    uuid=text("A repeat has the same."),
    **_KEY,
)
_BATCH: Final = an_object("batch", batch=an_array(_EVENT), sent_at=INSTANT, **_KEY)
_TAKES: Final = takes(
    {
        JSON: {"anyOf": [_EVENT, an_array(_EVENT), _BATCH]},
        PLAIN: text("The same, also as gzip or base64."),
        "application/x-www-form-urlencoded": an_object(
            "data", data=text("The same as base64."), compression=text()
        ),
    },
    (BEARER, IN_BODY),
    [
        parameter("query", "compression", "How the body is packed.", enum=["gzip-js", "base64"]),
        parameter("query", "_", "When it was sent, in milliseconds.", pattern="^[0-9]{13}$"),
    ],
)
_ANSWERS: Final = answers(an_object("status", status={"const": 1}), *TAKES_EVENTS)
_NO_FLAGS_ANSWER: Final = answers(an_object("flags", flags={"const": {}}))


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints of PostHog's API."""

    async def capture(request: Request) -> Response:
        body, query = await service.read(request), request.query_params
        content_type = request.headers.get("content-type", "")
        said = posthog.said_by(body, content_type, query.get("compression", ""))
        key = posthog.key_in(said, query) or key_of(request.headers.get("authorization", ""), {})
        source = service.source_of(key)
        events = posthog.events_of(said, query)
        received_ms = time.time_ns() // 1_000_000
        group = service.config.posthog_group
        meant = posthog.meaning_of(events, source, service.links, group, received_ms)
        for bad in meant.refused:
            # These clients look at the status alone, and would send a batch of 400 no more.
            meant.keep(events[bad.at], bad.reason, f"{bad.field}: {bad.detail}")
        await service.take(POSTHOG, meant)
        return answer(200, {"status": 1})

    async def flags() -> Response:
        return answer(200, _NO_FLAGS | _NOTHING_MORE)

    # With and without the last slash: a client does not send its body again where it is redirected.
    for path in _CAPTURE:
        described = app.post(
            path,
            summary="PostHog: events",
            name=f"posthog {path}",
            responses=_ANSWERS,
            openapi_extra=_TAKES,
        )
        described(capture)
        app.post(f"{path}/", include_in_schema=False)(capture)
    for path in _FLAGS:
        described = app.post(
            path,
            summary="PostHog: no feature flags",
            name=f"posthog {path}",
            responses=_NO_FLAGS_ANSWER,
        )
        described(flags)
        app.post(f"{path}/", include_in_schema=False)(flags)

    @app.get(
        "/array/{key}/config",
        summary="PostHog: what the browser's client asks first",
        responses=answers(an_object("token", token=text()), *NO_KEY),
    )
    async def config(key: str) -> Response:
        service.source_of(key)
        return answer(200, {"token": key} | _NOTHING_MORE)

    @app.get(
        "/array/{key}/config.js",
        summary="PostHog: the same as a script",
        response_class=Response,
        responses=answers(text(), *NO_KEY, content_type=_SCRIPT),
    )
    async def script(key: str) -> Response:
        service.source_of(key)
        said = {key: {"config": {"token": key} | _NOTHING_MORE, "siteApps": []}}
        name = "window._POSTHOG_REMOTE_CONFIG"
        text = f"{name} = Object.assign({name} || {{}}, {msgspec.json.encode(said).decode()});\n"
        return Response(text, media_type=_SCRIPT)
