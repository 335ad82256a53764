"""What was sent, to whom, and what became of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from pulse.model.time import parse_ts
from pulse.serving import answer
from pulse.web.api.asking import PREFIX, Cursor, Limit, Shared, Viewer, answers
from pulse.web.service import paged

router = APIRouter(prefix=f"{PREFIX}/deliveries", tags=["deliveries"])


class Delivery(BaseModel):
    """A notification, and what became of it."""

    id: str
    receiver: str
    state: str = Field(
        description="pending, retrying, succeeded, failed, superseded, skipped, disabled; more "
        "may come."
    )
    at: str = Field(description="When it came to that.")
    alert_id: str
    status: str
    attempts: int
    next_at: str | None
    reason: str
    http_status: int | None


class Deliveries(BaseModel):
    """Some notifications, the newest state first."""

    items: list[Delivery]
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
    wanted = {"alert_id": alert, "receiver": receiver, "state": state}
    said = [(name, value) for name, value in wanted.items() if value is not None]

    def key(each: dict[str, Any]) -> tuple[int, str]:
        return parse_ts(each["at"]), each["id"]

    found, following = paged(
        (each for each in service.books.deliveries if all(each[n] == v for n, v in said)),
        key,
        limit,
        cursor,
    )
    return answer(200, {"items": found, "cursor": following})
