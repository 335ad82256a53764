"""Alerts, and what people do with one: snooze it, take it over."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from pulse.alerting.people.outcomes import Word
from pulse.alerting.stages.muting import Snooze
from pulse.desk.books import KnownAlert
from pulse.model import Alert
from pulse.model.fields import PlainText, Timestamp
from pulse.model.time import MAX_DURATION_MS, format_ms
from pulse.refusals import Refusal
from pulse.serving import answer
from pulse.web.access import Who
from pulse.web.api.asking import (
    ALERT_ID,
    PREFIX,
    Cursor,
    Limit,
    Member,
    Shared,
    Viewer,
    answers,
)
from pulse.web.deliveries import step_view
from pulse.web.service import Service

router = APIRouter(prefix=f"{PREFIX}/alerts", tags=["alerts"])

Id = Annotated[str, Path(pattern=ALERT_ID)]
Text = Annotated[str, Query(max_length=256)]


class Muting(BaseModel):
    """Why an alert is not told."""

    kind: Literal["snoozed", "acknowledged"]
    author: str
    reason: str
    until: str | None = Field(description="Null: until the alert ends.")


class Closed(BaseModel):
    """What became of an alert."""

    outcome: Word
    author: str
    note: str
    at: str


class Decided(BaseModel):
    """A decision of the pipeline, for one receiver (empty: for all)."""

    at: str
    receiver: str
    stage: str = Field(description="route, group, inhibit, silence, hours, budget, deduplicate, …")
    reason: str
    until: str | None = Field(description="When it is looked at again, where that is known.")


class AlertView(BaseModel):
    """The newest state of an alert, and what people did with it."""

    alert: Alert
    muted: Muting | None
    outcome: Closed | None
    held_out: bool = Field(description="It is recorded and not sent: its account is held out.")
    path: list[Decided] = Field(description="Its way so far: why it was sent, or was not.")


class Alerts(BaseModel):
    """Some alerts, the newest state first."""

    items: list[AlertView]
    cursor: str | None = Field(description="Where to go on; null: no more.")


class SnoozeBody(BaseModel):
    """Until when nobody is told."""

    until: Timestamp = Field(description="Within 366 days: RFC 3339, or milliseconds.")
    reason: str = Field(default="", max_length=1_000)


class AcknowledgeBody(BaseModel):
    """Somebody has taken it over."""

    reason: str = Field(default="", max_length=1_000)


def view(service: Service, alert: KnownAlert) -> dict[str, Any]:
    """An alert as the API shows it."""
    snooze = service.books.muted.snoozes.get(alert.id)
    outcome = service.books.outcomes.get(alert.id)
    return {
        "alert": msgspec.Raw(alert.json),
        "muted": None if snooze is None else muting(snooze),
        "outcome": None
        if outcome is None
        else {
            "outcome": outcome.outcome,
            "author": outcome.author,
            "note": outcome.note,
            "at": format_ms(outcome.at_ms),
        },
        "held_out": not alert.quiet and service.holdout.has(alert.account_id, alert.started_ms),
        "path": [step_view(each) for each in service.books.deliveries.path(alert.id)],
    }


def muting(snooze: Snooze) -> dict[str, Any]:
    """A snooze, or an acknowledgement."""
    until_ms = snooze.until_ms
    return {
        "kind": "acknowledged" if until_ms is None else "snoozed",
        "author": snooze.author,
        "reason": snooze.reason,
        "until": None if until_ms is None else format_ms(until_ms),
    }


def check_until(until_ms: int, now_ms: int) -> None:
    """Raises `Refusal` (400) for what is over, or too far ahead."""
    if not now_ms < until_ms <= now_ms + MAX_DURATION_MS:
        raise Refusal(400, "until", "it must end after now, and within 366 days")


@router.get("", summary="List alerts, the newest state first", responses=answers(Alerts))
async def list_alerts(
    service: Shared,
    who: Viewer,
    account: Annotated[PlainText | None, Query()] = None,
    reason: Text | None = None,
    segment: Text | None = None,
    owner: Text | None = None,
    status: Annotated[Literal["firing", "resolved"] | None, Query()] = None,
    severity: Annotated[Literal["critical", "warning", "info"] | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What fires, and what ended within `web.alert_days`."""
    wanted = {
        "account_id": account,
        "reason": reason,
        "segment": segment,
        "owner": owner,
        "status": status,
        "severity": severity,
    }
    said = [(name, value) for name, value in wanted.items() if value is not None]
    found, following = await service.find_alerts(
        lambda each: all(getattr(each, name) == value for name, value in said), limit, cursor
    )
    return answer(200, {"items": [view(service, each) for each in found], "cursor": following})


@router.get("/{alert_id}", summary="One alert", responses=answers(AlertView, 404))
async def one_alert(service: Shared, who: Viewer, alert_id: Id) -> Response:
    """Its newest state, and what people did with it."""
    return answer(200, view(service, service.alert(alert_id)))


@router.put("/{alert_id}/snooze", summary="Snooze an alert", responses=answers(AlertView, 404))
async def snooze_alert(service: Shared, who: Member, alert_id: Id, body: SnoozeBody) -> Response:
    """Nobody is told of it until then. That it ends is told."""
    alert = service.alert(alert_id)
    check_until(body.until, service.now_ms())
    said = Snooze(alert_id=alert.id, author=who.name, reason=body.reason, until_ms=body.until)
    await service.desk.snooze(said, alert.account_id, who.by)
    return answer(200, view(service, alert))


@router.put(
    "/{alert_id}/acknowledgement", summary="Take an alert over", responses=answers(AlertView, 404)
)
async def acknowledge_alert(
    service: Shared, who: Member, alert_id: Id, body: AcknowledgeBody
) -> Response:
    """Nobody is told of it again, but that it ends."""
    alert = service.alert(alert_id)
    said = Snooze(alert_id=alert.id, author=who.name, reason=body.reason)
    await service.desk.snooze(said, alert.account_id, who.by)
    return answer(200, view(service, alert))


@router.delete("/{alert_id}/snooze", summary="Lift a snooze", responses=answers(AlertView, 404))
async def lift_snooze(service: Shared, who: Member, alert_id: Id) -> Response:
    """It is told again. A snooze that is not there is lifted too."""
    return await _lift(service, who, alert_id, is_acknowledged=False)


@router.delete(
    "/{alert_id}/acknowledgement", summary="Give an alert back", responses=answers(AlertView, 404)
)
async def give_back(service: Shared, who: Member, alert_id: Id) -> Response:
    """It is told again. What nobody has taken over is given back too."""
    return await _lift(service, who, alert_id, is_acknowledged=True)


async def _lift(service: Service, who: Who, alert_id: str, *, is_acknowledged: bool) -> Response:
    alert = service.alert(alert_id)
    known = service.books.muted.snoozes.get(alert.id)
    if known is not None and (known.until_ms is None) == is_acknowledged:
        await service.desk.lift(alert.id, alert.account_id, who.by)
    return answer(200, view(service, alert))
