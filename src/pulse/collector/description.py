"""What the page of the API says of the endpoints, which read bodies and keys without FastAPI.

A test sends to each endpoint whatever this allows, and holds the answers against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema

from pulse.model.usage import ProfileRecord, UsageEvent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import FastAPI

Schema = dict[str, Any]

JSON: Final = "application/json"
PLAIN: Final = "text/plain"

BEARER: Final[Schema] = {"bearer": []}
BASIC: Final[Schema] = {"basic": []}
IN_BODY: Final[Schema] = {}
"""The key stands in the body, or nothing needs one."""

_COMPONENTS: Final = "#/components/schemas/{model}"
_SECURITY: Final[Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The write key."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The write key as the user; the password means nothing.",
    },
}


class Error(BaseModel):
    """Why a request is refused."""

    reason: str = Field(description="For programs.")
    detail: str = Field(description="For people.")


class Refused(BaseModel):
    """A request is refused, and nothing of it was taken."""

    error: Error


class RefusedEvent(BaseModel):
    """An event that is refused while the others are taken."""

    index: int = Field(ge=0, description="Its place in the request, from 0.")
    reason: str = Field(description="For programs.")
    field: str = Field(description="Dotted; empty where it is the whole event.")
    detail: str = Field(description="For people.")


class Result(BaseModel):
    """What was taken, and what was not."""

    accepted: int = Field(ge=0)
    refused: list[RefusedEvent]


TOO_MUCH: Final = (400, 408, 413, 415)
"""Where a body is read."""
NO_KEY: Final = (401,)
COME_AGAIN: Final = (429, 503)
"""Where something is written."""

TAKES_EVENTS: Final = (*TOO_MUCH, *NO_KEY, *COME_AGAIN)

_WHY: Final = {
    400: "The body is empty, not of the form that it should have, cut off, or nested too deeply.",
    401: "There is no write key, or one that does not hold.",
    404: "The service is not known, or has no secret.",
    408: "The body had not come in after `collector.body_timeout_s`.",
    413: "The body has more than `collector.max_body_bytes`, or more than 10,000 events.",
    415: "The `Content-Encoding` or the content type is none that is understood.",
    429: "The source sends more than `collector.events_per_second`.",
    503: "Kafka is away and too much waits for it, or it did not acknowledge in time.",
}
_HEADERS: Final[Mapping[int, Schema]] = {
    401: {"WWW-Authenticate": {"schema": {"type": "string"}}},
    429: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
    503: {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}},
}


def answers(
    schema: Schema,
    *statuses: int,
    content_type: str = JSON,
    also: Mapping[int, Schema] | None = None,
) -> dict[int | str, Schema]:
    """What an endpoint answers: `schema` with 200, and the refusals with these statuses.

    `also` says of a status what is not as usual.
    """
    described: dict[int | str, Schema] = {
        200: {"description": "Kafka has it.", "content": {content_type: {"schema": schema}}}
    }
    for status in sorted(statuses):
        described[status] = {"description": _WHY[status], "model": Refused}
        if status in _HEADERS:
            described[status]["headers"] = _HEADERS[status]
    for status, said in (also or {}).items():
        described[status] |= said
    return described


def takes(
    content: Mapping[str, Schema] | None,
    known_by: Sequence[Schema],
    parameters: Sequence[Schema] = (),
) -> Schema:
    """What an endpoint is given: content type → schema of the body, the key, and what else."""
    described: Schema = {"security": list(known_by)}
    if content is not None:
        found = {each: {"schema": schema} for each, schema in content.items()}
        described["requestBody"] = {"required": True, "content": found}
    if parameters:
        described["parameters"] = list(parameters)
    return described


def parameter(place: str, name: str, description: str, **schema: Any) -> Schema:
    """A parameter in the `query` or a `header`, which may be left out."""
    return {
        "name": name,
        "in": place,
        "description": description,
        "schema": {"type": "string", **schema},
    }


def an_object(*required: str, **properties: Schema) -> Schema:
    """An object that has these properties, and may have others."""
    described: Schema = {"type": "object", "properties": properties}
    return described | {"required": list(required)} if required else described


def an_array(items: Schema) -> Schema:
    """An array of such."""
    return {"type": "array", "items": items}


def of_model(model: type[BaseModel]) -> Schema:
    """A model that stands among the components."""
    return {"$ref": _COMPONENTS.format(model=model.__name__)}


def text(description: str = "", **more: Any) -> Schema:
    """A text."""
    return {"type": "string", **({"description": description} if description else {}), **more}


INSTANT: Final = text(format="date-time")
ANYTHING: Final[Schema] = {"type": "object"}


def complete(app: FastAPI) -> None:
    """Put into the description what the endpoints refer to, and take out what FastAPI alone says:
    that it refuses a parameter in a way of its own.
    """
    described = app.openapi()
    _, found = models_json_schema(
        [(each, "validation") for each in (UsageEvent, ProfileRecord, Result)],
        ref_template=_COMPONENTS,
    )
    components = described.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(found["$defs"])
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = _SECURITY
    for operations in described["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)
