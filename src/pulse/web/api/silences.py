"""Silences: what matches is held for a while."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from pulse.alerting.people.silences import silence_id
from pulse.alerting.stages.matching import Matcher, is_everything
from pulse.alerting.stages.muting import Silence
from pulse.model.fields import Timestamp
from pulse.model.time import format_ms
from pulse.refusals import Refusal
from pulse.serving import answer
from pulse.web.api.alerts import check_until
from pulse.web.api.asking import (
    PREFIX,
    Cursor,
    Limit,
    Member,
    Shared,
    Viewer,
    answers,
    need,
)
from pulse.web.lists import paged
from pulse.web.service import Service
from pulse.web.tokens import Role

router = APIRouter(prefix=f"{PREFIX}/silences", tags=["silences"])

State = Literal["pending", "active", "expired"]
Patterns = Annotated[
    list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=100)
]
Id = Annotated[str, Path(pattern=r"^si_[0-9a-f]{16}$")]
Amount = Annotated[float, Field(ge=0, le=1e12)]


class Match(BaseModel):
    """Which alerts: shell patterns. All that is said must fit; a list fits where one of it does."""

    model_config = ConfigDict(extra="forbid")

    accounts: Patterns = []
    segments: Patterns = []
    plans: Patterns = []
    reasons: Patterns = []
    severities: Patterns = []
    owners: Patterns = []
    lifecycles: Patterns = []
    mrr_from: Amount | None = Field(default=None, description="Pays so much a month, or more.")
    mrr_below: Amount | None = Field(default=None, description="Pays less a month.")

    def matcher(self) -> Matcher:
        """As the pipeline has it."""
        said: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.model_dump().items()
        }
        return Matcher(**said)


class SilenceBody(BaseModel):
    """What is to be held, and until when."""

    match: Match
    reason: str = Field(min_length=1, max_length=1_000, description="Why; others read it.")
    ends_at: Timestamp = Field(description="Within 366 days: RFC 3339, or milliseconds.")
    starts_at: Timestamp | None = Field(default=None, description="Now, if unsaid.")


class SilenceView(BaseModel):
    """A silence."""

    id: str
    match: Match
    author: str
    reason: str
    starts_at: str
    ends_at: str
    state: State


class Silences(BaseModel):
    """Some silences, the one that ends last first."""

    items: list[SilenceView]
    cursor: str | None = Field(description="Where to go on; null: no more.")


def state_of(silence: Silence, now_ms: int) -> State:
    """Whether it is still to come, in force, or over."""
    if silence.ends_ms <= now_ms:
        return "expired"
    return "active" if silence.starts_ms <= now_ms else "pending"


def view(silence: Silence, now_ms: int) -> dict[str, Any]:
    """A silence as the API shows it."""
    match = {
        name: list(value) if isinstance(value, tuple) else value
        for name in Matcher.__slots__
        if (value := getattr(silence.match, name)) not in ((), None)
    }
    return {
        "id": silence.id,
        "match": match,
        "author": silence.author,
        "reason": silence.reason,
        "starts_at": format_ms(silence.starts_ms),
        "ends_at": format_ms(silence.ends_ms),
        "state": state_of(silence, now_ms),
    }


@router.get("", summary="List silences", responses=answers(Silences))
async def list_silences(
    service: Shared,
    who: Viewer,
    state: Annotated[State | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Also those that are over, for 90 days."""
    now_ms = service.now_ms()
    found, following = await paged(
        (
            each
            for each in list(service.books.muted.silences.values())
            if state in (None, state_of(each, now_ms))
        ),
        lambda each: (each.ends_ms, each.id),
        limit,
        cursor,
    )
    return answer(200, {"items": [view(each, now_ms) for each in found], "cursor": following})


@router.get("/{silence_id}", summary="One silence", responses=answers(SilenceView, 404))
async def one_silence(service: Shared, who: Viewer, silence_id: Id) -> Response:
    """What it matches, who made it, why, and until when."""
    return answer(200, view(_known(service, silence_id), service.now_ms()))


@router.post(
    "",
    summary="Silence what matches",
    status_code=201,
    responses=answers(SilenceView, 409, success=201),
)
async def make_silence(
    service: Shared,
    who: Member,
    body: SilenceBody,
    idempotency_key: Annotated[
        str | None,
        Header(
            max_length=256,
            description="The same word again makes no second silence, but answers with the first.",
        ),
    ] = None,
) -> Response:
    """Kafka has it when this is answered. What matches all alerts needs the role admin."""
    now_ms = service.now_ms()
    check_until(body.ends_at, now_ms)
    match = body.match.matcher()
    if is_everything(match):
        need(who, Role.admin)
    starts_ms = now_ms if body.starts_at is None else body.starts_at
    if starts_ms >= body.ends_at:
        raise Refusal(400, "starts_at", "it must start before it ends")
    silence = Silence(
        id=silence_id(who.name, idempotency_key),
        match=match,
        author=who.name,
        reason=body.reason,
        starts_ms=starts_ms,
        ends_ms=body.ends_at,
    )
    known = service.books.muted.silences.get(silence.id)
    if known is not None:
        # Without `starts_at` the first one began when it came.
        if (known.match, known.reason) != (match, body.reason):
            raise Refusal(
                409, "idempotency_key", "that key has made another silence; take a new key"
            )
        return answer(201, view(known, now_ms))  # it is known, so Kafka has it
    await service.desk.silence(silence, now_ms, who.by)
    return answer(201, view(silence, now_ms))


@router.delete("/{silence_id}", summary="End a silence", responses=answers(SilenceView, 404))
async def end_silence(service: Shared, who: Member, silence_id: Id) -> Response:
    """What it held is told, if it still fires. Another author's needs the role admin."""
    silence, now_ms = _known(service, silence_id), service.now_ms()
    if silence.author != who.name:
        need(who, Role.admin)
    if silence.ends_ms > now_ms:
        silence = silence.ended(now_ms)
        await service.desk.silence(silence, now_ms, who.by)
    return answer(200, view(silence, now_ms))


def _known(service: Service, silence_id: str) -> Silence:
    found = service.books.muted.silences.get(silence_id)
    if found is None:
        raise Refusal(404, "no_such_silence", "there is no such silence: GET /api/v1/silences")
    return found
