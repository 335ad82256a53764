"""Pulse's own API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fastapi import Request, Response
from pydantic.json_schema import models_json_schema

from pulse.collector.dialects import native
from pulse.collector.keys import key_of
from pulse.collector.service import answer
from pulse.model.usage import ProfileRecord, UsageEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fastapi import FastAPI

    from pulse.collector.meaning import Meant
    from pulse.collector.refusals import BadEvent
    from pulse.collector.service import Service

NATIVE: Final = "native"
_PLACE: Final = "#/components/schemas/{model}"


def add(app: FastAPI, service: Service) -> None:
    """Add the endpoints of pulse's own API."""

    async def take(request: Request, meaning: Callable[[Iterable[Any], str], Meant]) -> Response:
        source = service.source_of(key_of(request.headers.get("authorization", ""), {}))
        body = await service.read(request)
        found = native.items(body, request.headers.get("content-type", ""))
        meant = meaning(found, source)
        await service.take(NATIVE, meant)
        return result(meant)

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


def result(meant: Meant) -> Response:
    """What was taken, and what was not: 400 only where it is all of them."""
    said = {"accepted": len(meant.lines), "refused": [_told(bad) for bad in meant.refused]}
    return answer(200 if meant.lines or not meant.refused else 400, said)


def _told(bad: BadEvent) -> dict[str, Any]:
    return {"index": bad.at, "reason": bad.reason, "field": bad.field, "detail": bad.detail}


def _takes(model: type[UsageEvent | ProfileRecord]) -> dict[str, Any]:
    """The request body, for the page of the API; it is read without FastAPI."""
    one = {"$ref": _PLACE.format(model=model.__name__)}
    many = {"oneOf": [one, {"type": "array", "items": one}]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": many}}}}


def describe(app: FastAPI) -> None:
    """Put the models of events and profiles into the description of the API."""
    described = app.openapi()
    _, found = models_json_schema(
        [(UsageEvent, "validation"), (ProfileRecord, "validation")], ref_template=_PLACE
    )
    described.setdefault("components", {}).setdefault("schemas", {}).update(found["$defs"])
