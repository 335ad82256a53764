"""Pulse's own API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response

from pulse.collector.description import (
    BASIC,
    BEARER,
    JSON,
    TAKES_EVENTS,
    Refused,
    Result,
    an_array,
    answers,
    of_model,
    takes,
)
from pulse.collector.dialects import native
from pulse.collector.keys import key_of
from pulse.model.usage import ProfileRecord, UsageEvent
from pulse.serving import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from pydantic import BaseModel

    from pulse.collector.meaning import Meant
    from pulse.collector.refusals import BadEvent
    from pulse.collector.service import Service

NATIVE: Final = "native"
LINES: Final = "application/x-ndjson"

ANSWERS: Final = answers(
    of_model(Result),
    *TAKES_EVENTS,
    also={
        400: {
            "description": "The body is empty, no JSON, cut off or nested too deeply; or every "
            "event is bad.",
            "model": Refused | Result,
        }
    },
)
"""What `result` and refusals are."""


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints of pulse's own API."""

    async def take(request: Request, meaning: Callable[[bytes, str, str], Meant]) -> Response:
        source = service.source_of(key_of(request.headers.get("authorization", ""), {}))
        body = await service.read(request, is_known=True)
        meant = meaning(body, request.headers.get("content-type", ""), source)
        await service.take(NATIVE, meant)
        return result(meant)

    @app.post(
        "/v1/events", summary="Usage events", responses=ANSWERS, openapi_extra=_takes(UsageEvent)
    )
    async def events(request: Request) -> Response:
        """One event, an array of events, or one a line (NDJSON). Bad ones do not cost the others:
        they are listed in the answer, which is 400 only where all of them are bad.
        """
        return await take(request, native.events_in)

    @app.post(
        "/v1/profiles",
        summary="Account profiles",
        responses=ANSWERS,
        openapi_extra=_takes(ProfileRecord),
    )
    async def profiles(request: Request) -> Response:
        """As `/v1/events`, for what is known of accounts besides their use."""
        return await take(request, native.profiles_in)


def result(meant: Meant) -> Response:
    """What was taken, and what was not: 400 only where it is all of them."""
    said = {"accepted": len(meant.lines), "refused": [_told(bad) for bad in meant.refused]}
    return answer(200 if meant.lines or not meant.refused else 400, said)


def _told(bad: BadEvent) -> dict[str, Any]:
    return {"index": bad.at, "reason": bad.reason, "field": bad.field, "detail": bad.detail}


def _takes(model: type[BaseModel]) -> dict[str, Any]:
    one = of_model(model)
    lines = {"type": "string", "description": "One object a line."}
    return takes({JSON: {"oneOf": [one, an_array(one)]}, LINES: lines}, (BEARER, BASIC))
