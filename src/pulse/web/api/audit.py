"""The audit log: who changed what."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from pulse.desk.audit import Wanted
from pulse.model import AuditEntry, Change
from pulse.model.fields import PlainText
from pulse.model.time import parse_ts
from pulse.refusals import Refusal
from pulse.serving import answer
from pulse.web.api.asking import PREFIX, Admin, Cursor, Limit, Shared, answers
from pulse.web.lists import paged

router = APIRouter(prefix=f"{PREFIX}/audit", tags=["audit"])


class Entries(BaseModel):
    """Some entries, the newest first."""

    items: list[AuditEntry]
    cursor: str | None = Field(description="Where to go on; null: no more.")


@router.get("", summary="List who changed what, the newest first", responses=answers(Entries))
async def list_entries(
    service: Shared,
    by: Admin,
    who: Annotated[PlainText | None, Query()] = None,
    change: Annotated[Change | None, Query()] = None,
    account: Annotated[PlainText | None, Query()] = None,
    since: Annotated[
        str | None, Query(max_length=40, description="Not before then: RFC 3339.")
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """For admins. An entry is written before the change itself. The newest 50,000; `pulse audit`
    reads all that the topic keeps (`kafka.retention_days.audit`).
    """
    try:
        since_ms = None if since is None else parse_ts(since)
    except ValueError as error:
        raise Refusal(400, "since", f"since: {error}") from None
    wanted = Wanted(who, change, account, since_ms)
    found, following = await paged(
        (each for each in service.books.audit if wanted.has(each)),
        lambda each: (each.at_ms, each.id),
        limit,
        cursor,
    )
    return answer(200, {"items": found, "cursor": following})
