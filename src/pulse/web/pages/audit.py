"""The page of the audit log: who changed what, for admins; the same as CSV."""

from collections.abc import Iterable
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response

from pulse.desk.audit import MOST_ENTRIES, Entry, Wanted
from pulse.model import Change
from pulse.web.api.asking import Shared, need
from pulse.web.lists import beside, paged
from pulse.web.pages.frame import path_of, signed_in, to_sign_in
from pulse.web.pages.views import page
from pulse.web.sheets import csv_answer, csv_text, safe
from pulse.web.tokens import Role

router = APIRouter(include_in_schema=False, default_response_class=Response)

OF_A_PAGE: Final = 50
COLUMNS: Final = ("at", "who", "way", "change", "account_id", "subject", "details")

Text = Annotated[str, Query(max_length=256)]


@router.get("/audit")
async def listed(
    request: Request,
    service: Shared,
    who: Text = "",
    change: Text = "",
    account: Text = "",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """The newest entry first, a page of them."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(path_of(request))
    need(session.who, Role.admin)
    wanted, book = Wanted(who.strip(), change, account.strip()), service.books.audit
    found, following = await paged(
        (each for each in book if wanted.has(each)),
        lambda each: (each.at_ms, each.id),
        OF_A_PAGE,
        cursor,
    )
    query = _query(wanted)
    return page(
        "audit.html",
        at="/audit",
        entries=found,
        wanted=wanted,
        changes=[each.value for each in Change],
        query=urlencode(query),
        is_first=cursor is None,
        after=None if following is None else urlencode({**query, "cursor": following}),
        most=MOST_ENTRIES if book.is_full else None,
        **signed_in(service, session),
    )


@router.get("/audit.csv")
async def as_csv(
    request: Request, service: Shared, who: Text = "", change: Text = "", account: Text = ""
) -> Response:
    """All that the same filters leave, in the same order."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(path_of(request))
    need(session.who, Role.admin)
    wanted, entries = Wanted(who.strip(), change, account.strip()), iter(service.books.audit)
    text = await beside(lambda: _csv(each for each in entries if wanted.has(each)))
    return csv_answer(text, "audit", service.now_ms())


def _query(wanted: Wanted) -> dict[str, str]:
    said = {"who": wanted.who, "change": wanted.change, "account": wanted.account}
    return {name: value for name, value in said.items() if value}


def _csv(entries: Iterable[Entry]) -> str:
    newest_first = sorted(entries, key=lambda each: (each.at_ms, each.id), reverse=True)
    return csv_text(COLUMNS, map(_row, newest_first))


def _row(entry: Entry) -> tuple[str, ...]:
    said = "; ".join(f"{name}: {value}" for name, value in entry.details.items())
    about = (entry.account_id or "", entry.subject or "", said)
    return entry.at, safe(entry.who), entry.way, entry.change, *map(safe, about)
