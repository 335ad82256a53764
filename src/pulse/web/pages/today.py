"""Today: whom to call, the most at stake first; the same as CSV; and finding any account."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulse.refusals import Refusal
from pulse.web.api.asking import Shared
from pulse.web.lists import beside
from pulse.web.pages.frame import path_of, signed_in, to_sign_in
from pulse.web.pages.rows import Hands, past, row_of, taken
from pulse.web.pages.views import address, page
from pulse.web.service import Service
from pulse.web.sheets import csv_answer
from pulse.web.today.board import SHOWN, Board, found
from pulse.web.today.choosing import NO_OWNER, Wanted, choices, chosen
from pulse.web.today.table import csv_of

router = APIRouter(include_in_schema=False, default_response_class=Response)

OF_A_PAGE: Final = 25
MOST_FOUND: Final = 50
OLD_MS: Final = 26 * 3_600_000
"""Where nothing was decided for so long, the page says so: each account has a day start."""

Text = Annotated[str, Query(max_length=256)]


@router.get("/")
async def today(
    request: Request,
    service: Shared,
    zone: Text = "",
    segment: Text = "",
    owner: Text = "",
    reason: Text = "",
    waiting: Text = "",
    number: Annotated[int, Query(alias="page", ge=1, le=100_000)] = 1,
) -> Response:
    """The board, a page of it."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(path_of(request))
    board, wanted = _board(service), Wanted(zone, segment, owner, reason, waiting)
    if zone not in ("", *SHOWN):
        raise Refusal(400, "zone", f"there is no such zone here, only {' and '.join(SHOWN)}")
    entries, version = board.entries(), board.version
    now_ms, hands = service.as_of_ms(), Hands(service)
    shown, facets, waiting_for = await beside(
        lambda: (
            chosen(board.order.of(entries, version, now_ms), wanted, hands.has),
            choices(entries, wanted),
            hands.missing(entries),
        )
    )
    # Who looks at the last page sees what is the last one when it has become empty.
    number = min(number, max(1, -(-len(shown) // OF_A_PAGE)))
    start = (number - 1) * OF_A_PAGE
    some = shown[start : start + OF_A_PAGE]
    days, before = await past(service.history, some, now_ms)
    query = urlencode(wanted.query())
    return page(
        "today.html",
        board=board,
        rows=[row_of(service, each, days.get(each.known.account_id, []), now_ms) for each in some],
        start=start,
        count=len(shown),
        more=len(shown) > start + OF_A_PAGE,
        number=number,
        wanted=wanted,
        facets=facets,
        waiting_for=waiting_for,
        before=before,
        all=sum(board.accounts(each) for each in (*SHOWN, "healthy", "unknown")),
        all_mrr=sum(board.mrr(each) for each in (*SHOWN, "healthy", "unknown")),
        query=query,
        now_ms=now_ms,
        is_old=0 < board.as_of_ms < now_ms - OLD_MS,
        nobody=NO_OWNER,
        **signed_in(service, session),
    )


@router.get("/today.csv")
async def as_csv(
    request: Request,
    service: Shared,
    zone: Text = "",
    segment: Text = "",
    owner: Text = "",
    reason: Text = "",
    waiting: Text = "",
) -> Response:
    """All that the same filters leave, in the same order."""
    if service.access.session(request) is None:
        return to_sign_in(path_of(request))
    board, wanted = _board(service), Wanted(zone, segment, owner, reason, waiting)
    entries, version = board.entries(), board.version
    now_ms, hands = service.as_of_ms(), Hands(service)
    text = await beside(
        lambda: csv_of(
            chosen(board.order.of(entries, version, now_ms), wanted, hands.has),
            lambda each: taken(service, each) if hands.touch(each) else (),
            lambda account_id: service.holdout.has(account_id, now_ms),
        )
    )
    return csv_answer(text, "today", now_ms)


@router.get("/search")
async def search(request: Request, service: Shared, q: Text = "") -> Response:
    """Accounts by their id or name; to the one whose id it is."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(path_of(request))
    board, wanted = _board(service), q.strip()
    if wanted and board.get(wanted) is not None:
        return RedirectResponse(address(wanted), 303)
    known = board.known()
    some, count = await beside(lambda: found(known, wanted, MOST_FOUND)) if wanted else ([], 0)
    return page(
        "search.html",
        board=board,
        q=wanted,
        accounts=some,
        count=count,
        **signed_in(service, session),
    )


def _board(service: Service) -> Board:
    if service.board is None:
        raise Refusal(503, "no_read_model", "no accounts are kept in Redis: redis.enabled")
    return service.board
