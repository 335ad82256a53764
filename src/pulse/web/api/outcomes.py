"""What became of alerts, and what that says of the reasons that raised them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from pulse.alerting.people.outcomes import Outcome, Word
from pulse.alerting.people.precision import by_reason, proposals
from pulse.model.fields import PlainText
from pulse.model.time import format_ms
from pulse.serving import answer
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
from pulse.web.lists import beside, paged

router = APIRouter(prefix=f"{PREFIX}/outcomes", tags=["outcomes"])


class OutcomeBody(BaseModel):
    """What became of an alert."""

    alert_id: str = Field(pattern=ALERT_ID)
    outcome: Word = Field(
        description="`saved`: it was right, and they stay. `churned`: it was right, and they left. "
        "`false_alarm`: it was nothing. `ignored`: nobody looked into it."
    )
    note: str = Field(default="", max_length=1_000)


class OutcomeView(BaseModel):
    """What became of an alert, by whom it was said, and when."""

    alert_id: str
    account_id: str
    reason: str
    segment: str
    outcome: Word
    author: str
    note: str
    at: str
    started_at: str


class Outcomes(BaseModel):
    """Some outcomes, the newest first."""

    items: list[OutcomeView]
    cursor: str | None = Field(description="Where to go on; null: no more.")


class OfReason(BaseModel):
    """What was said of one reason's alerts."""

    reason: str
    saved: int
    churned: int
    false_alarm: int
    ignored: int
    precision: float | None = Field(
        description="The share of saved and churned among those that are not ignored."
    )
    is_noisy: bool = Field(description="It is right too seldom, and not by chance.")


class Precision(BaseModel):
    """How often each reason was right."""

    reasons: list[OfReason]
    proposals: list[str] = Field(description="What to do about the noisy ones.")


def view(outcome: Outcome) -> dict[str, Any]:
    """An outcome as the API shows it."""
    return {
        "alert_id": outcome.alert_id,
        "account_id": outcome.account_id,
        "reason": outcome.reason,
        "segment": outcome.segment,
        "outcome": outcome.outcome,
        "author": outcome.author,
        "note": outcome.note,
        "at": format_ms(outcome.at_ms),
        "started_at": format_ms(outcome.started_ms),
    }


@router.get("", summary="List outcomes, the newest first", responses=answers(Outcomes))
async def list_outcomes(
    service: Shared,
    who: Viewer,
    account: Annotated[PlainText | None, Query()] = None,
    reason: Annotated[str | None, Query(max_length=256)] = None,
    outcome: Annotated[Word | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """As long as the topic keeps them: `kafka.retention_days.outcomes`."""
    found, following = await paged(
        (
            each
            for each in service.books.outcomes
            if account in (None, each.account_id)
            and reason in (None, each.reason)
            and outcome in (None, each.outcome)
        ),
        lambda each: (each.at_ms, each.alert_id),
        limit,
        cursor,
    )
    return answer(200, {"items": [view(each) for each in found], "cursor": following})


@router.get("/precision", summary="How often each reason was right", responses=answers(Precision))
async def precision(service: Shared, who: Viewer) -> Response:
    """By what was said of its alerts; with what to do about reasons that are too often wrong."""
    said = list(service.books.outcomes)
    tallies, noisy = await beside(lambda: (by_reason(said), proposals(said)))
    reasons = [
        {"reason": name, **each._asdict(), "precision": each.precision, "is_noisy": each.is_noisy}
        for name, each in tallies.items()
    ]
    return answer(200, {"reasons": reasons, "proposals": [str(each) for each in noisy]})


@router.post(
    "",
    summary="Close an alert with an outcome",
    status_code=201,
    responses=answers(OutcomeView, 404, 409, success=201),
)
async def close_alert(service: Shared, who: Member, body: OutcomeBody) -> Response:
    """Kafka has it when this is answered. Said again, the newest word counts."""
    said = service.outcome(service.alert(body.alert_id), body.outcome, who.name, body.note)
    await service.desk.close(said, who.by)
    return answer(201, view(said))
