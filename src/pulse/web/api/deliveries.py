"""What was sent, to whom, and what became of it."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from pulse.model import Status
from pulse.serving import answer
from pulse.web.api.asking import PREFIX, Cursor, Limit, Shared, Viewer, answers
from pulse.web.deliveries import view
from pulse.web.lists import paged

router = APIRouter(prefix=f"{PREFIX}/deliveries", tags=["deliveries"])


class Told(BaseModel):
    """An alert that a notification tells."""

    id: str
    status: Status


class DeliveryView(BaseModel):
    """A notification, and what became of it."""

    id: str
    receiver: str
    state: str = Field(
        description="pending, retrying, succeeded, failed, superseded, disabled; more may come."
    )
    at: str = Field(description="When it came to that.")
    created_at: str
    alerts: list[Told]
    attempts: int
    next_at: str | None = Field(description="When it is attempted next.")
    reason: str
    http_status: int | None
    is_digest: bool
    is_late: bool
    replay_of: str | None = Field(
        description="The notification that this one sends again, because a person asked for it."
    )


class Deliveries(BaseModel):
    """Some notifications, the newest state first."""

    items: list[DeliveryView]
    cursor: str | None = Field(description="Where to go on; null: no more.")


Word = Annotated[str | None, Query(max_length=256)]


@router.get("", summary="List deliveries, the newest state first", responses=answers(Deliveries))
async def list_deliveries(
    service: Shared,
    who: Viewer,
    alert: Word = None,
    receiver: Word = None,
    state: Word = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What the notifier remembers. What was sent itself is not shown."""
    found, following = await paged(
        (
            each
            for each in service.books.deliveries
            if receiver in (None, each.receiver)
            and state in (None, each.state.value)
            and (alert is None or any(name == alert for name, _ in each.alerts))
        ),
        lambda each: (each.at_ms, each.id),
        limit,
        cursor,
    )
    return answer(200, {"items": [view(each) for each in found], "cursor": following})
