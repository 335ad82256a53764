"""Accounts, as of the last time that anything was decided about them."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from pulse.model import AccountStatus
from pulse.model.account import Measures
from pulse.model.fields import PlainText
from pulse.model.usage import AccountProfile
from pulse.refusals import Refusal
from pulse.serving import answer
from pulse.web.api.asking import PREFIX, Cursor, Limit, Shared, Viewer, answers

router = APIRouter(prefix=f"{PREFIX}/accounts", tags=["accounts"])

ZONE = "^(danger|approaching|healthy|unknown|churned)$"


class Then(BaseModel):
    """Measures and score at the start of the day 28 days ago."""

    score: float | None
    measures: Measures


class Seen(BaseModel):
    """A user, or a feature."""

    name: str = Field(description="As events say it; hashed where user ids are.")
    last_seen: str = Field(description="The last of the account's days on which it was seen.")
    share: float = Field(description="Its share of the use of the last weeks, 0 to 1.")


class TurnedOver(BaseModel):
    """Users, or features, of the last 28 days against the 28 before. Of very many an estimate."""

    here: int = Field(description="Seen on one of the last 28 complete days, or today.")
    left: int = Field(description="Seen in the 28 days before, and not since.")
    came: int | None = Field(
        description="Of those here, how many were not seen in the 28 days before; null where the "
        "account's past is too short."
    )
    here_names: list[Seen] = Field(description="The most used first, at most 5.")
    left_names: list[Seen] = Field(description="The most used first, at most 8.")


class Turnover(BaseModel):
    """Who came and who left."""

    active_users: TurnedOver
    features: TurnedOver


class Firing(BaseModel):
    """An alert that fires."""

    reason: str
    started_at: str
    since: str


class Account(AccountStatus):
    """An account, with what explains its score."""

    since: str | None = Field(description="When it went where its zone comes from.")
    out_of: dict[str, float] = Field(description="The points that each measure could give.")
    then: Then | None
    turnover: Turnover | None = Field(
        default=None, description="Absent where an older worker wrote it."
    )
    profile: AccountProfile
    alerts: list[Firing]


class Accounts(BaseModel):
    """Some accounts, the worst first."""

    items: list[Account]
    cursor: str | None = Field(description="Where to go on; null: no more.")


Word = Annotated[str | None, Query(max_length=256)]


@router.get("", summary="List accounts, the worst first", responses=answers(Accounts))
async def list_accounts(
    service: Shared,
    who: Viewer,
    zone: Annotated[str | None, Query(pattern=ZONE)] = None,
    segment: Word = None,
    plan: Word = None,
    owner: Word = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """With a segment, plan or owner a page may have fewer than `limit`, and others may follow."""
    found, following = await service.find_accounts(
        zone, limit, cursor, segment=segment, plan=plan, owner=owner
    )
    said: dict[str, Any] = {"items": found, "cursor": following}
    return answer(200, said)


@router.get("/{account_id:path}", summary="One account", responses=answers(Account, 404))
async def one_account(
    service: Shared, who: Viewer, account_id: Annotated[PlainText, Path()]
) -> Response:
    """Its score, what it is made of, and the line."""
    found = await service.account(account_id)
    if found is None:
        raise Refusal(404, "no_such_account", "there is no such account; ids are as events say")
    return answer(200, found)
