"""CloudEvents over HTTP."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from fastapi import Request, Response

from pulse.collector.description import (
    BASIC,
    BEARER,
    INSTANT,
    JSON,
    an_array,
    an_object,
    parameter,
    takes,
    text,
)
from pulse.collector.dialects import cloudevents
from pulse.collector.endpoints.native import ANSWERS, result
from pulse.collector.keys import key_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from pulse.collector.service import Service

CLOUDEVENTS: Final = "cloudevents"

_ATTRIBUTES: Final = {
    "specversion": text("1.0"),
    "id": text(),
    "source": text("Unique with the id."),
    "type": text("The usage event's name."),
    "subject": text("The account."),
    "time": INSTANT,
    "userid": text("The user."),
}
_ONE: Final = an_object(
    *cloudevents.REQUIRED,
    **_ATTRIBUTES,
    data={"description": "The properties, where it is an object."},
    data_base64=text("The same as base64."),
)
_TAKES: Final = takes(
    {cloudevents.ONE: _ONE, cloudevents.BATCH: an_array(_ONE), JSON: {}},
    (BEARER, BASIC),
    [
        parameter("header", f"{cloudevents.HEADER}{name}", "Where the body is the data alone.")
        for name in _ATTRIBUTES
    ],
)


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoint of CloudEvents."""

    @app.post(
        "/v1/cloudevents",
        summary="CloudEvents: one, a batch, or in headers and body",
        responses=ANSWERS,
        openapi_extra=_TAKES,
    )
    async def take(request: Request) -> Response:
        """Content type `application/cloudevents+json` or `application/cloudevents-batch+json`, or
        attributes as `ce-` headers. `subject` is the account. Answered as `/v1/events`.
        """
        source = service.source_of(key_of(request.headers.get("authorization", ""), {}))
        body = await service.read(request, is_known=True)
        events = cloudevents.events_of(body, request.headers)
        received_ms = time.time_ns() // 1_000_000
        meant = cloudevents.meaning_of(events, source, received_ms)
        await service.take(CLOUDEVENTS, meant)
        return result(meant)
