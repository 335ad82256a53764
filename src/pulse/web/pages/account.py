"""The account's page, by a link or by a session."""

import secrets
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulse.alerting.people.account_notes import LONGEST
from pulse.alerting.people.links import ACTIONS
from pulse.desk.audit import By
from pulse.model.audit import Way
from pulse.refusals import Refusal
from pulse.web.access import Session
from pulse.web.api.asking import Shared, need
from pulse.web.pages.forms import act, author_of, read, sent
from pulse.web.pages.frame import signed_in, to_sign_in
from pulse.web.pages.person import PERIODS, YEAR, person
from pulse.web.pages.views import address, page
from pulse.web.service import Service
from pulse.web.tokens import Role

router = APIRouter(include_in_schema=False, default_response_class=Response)

_DONE = {
    "acknowledge": "You have taken it over.",
    "snooze": "It is snoozed.",
    "close": "It is closed.",
    "lift": "It is told again.",
    "note": "It is written down.",
    "erase": "The note is erased.",
}

_AWAY = (
    "Its score, and what that is made of, cannot be shown now: Redis does not answer. What follows "
    "is from the history, and from what is known of its alerts."
)

Done = Annotated[str, Query()]
Days = Annotated[str, Query(description="How much of the history is drawn.")]


# -- by a link -------------------------------------------------------------------------------------


@router.get("/l/{ticket}")
@router.get("/l/{ticket}/{action}")
async def by_link(
    service: Shared, ticket: str, action: str = "", done: Done = "", days: Days = YEAR
) -> Response:
    """Shows, and changes nothing: mail scanners open links too."""
    opened = service.access.ticket(ticket)
    if action and action not in ACTIONS:
        raise Refusal(404, "no_such_action", "there is no such form")
    return await _show(
        service,
        opened.account_id,
        only=opened.alert_id,
        open_form=action,
        base=f"/l/{ticket}",
        mark=f"link {ticket}",
        done=done,
        days=days,
    )


@router.post("/l/{ticket}/{action}")
async def act_by_link(request: Request, service: Shared, ticket: str, action: str) -> Response:
    """Acts on the link's alert, and on no other."""
    opened = service.access.ticket(ticket)
    if action not in ACTIONS:
        raise Refusal(404, "no_such_action", "there is no such form")
    said = await read(request)
    service.access.check_form(request, said.get("form", ""), f"link {ticket}")
    by = By(author_of(said), Way.link)
    await act(service, action, opened.alert_id, opened.account_id, by, said)
    return RedirectResponse(f"/l/{ticket}?done={quote(action, safe='')}", 303)


# -- by a session ----------------------------------------------------------------------------------


@router.get("/accounts/{account_id:path}")
async def by_session(
    request: Request, service: Shared, account_id: str, done: Done = "", days: Days = YEAR
) -> Response:
    """An account, to whoever is signed in."""
    session = service.access.session(request)
    if session is None:
        return to_sign_in(address(account_id))
    return await _show(
        service,
        account_id,
        only=None,
        open_form="",
        base="",
        mark=session.mark,
        done=done,
        days=days,
        session=session,
    )


@router.post("/alerts/{alert_id}/{action}")
async def act_by_session(request: Request, service: Shared, alert_id: str, action: str) -> Response:
    """Acts on an alert, for whoever is signed in and may."""
    form = await sent(request, service)
    if form is None:
        return to_sign_in("/")
    session, said = form
    alert = service.alert(alert_id)
    await act(service, action, alert.id, alert.account_id, session.who.by, said)
    return RedirectResponse(f"{address(alert.account_id)}?done={quote(action, safe='')}", 303)


@router.post("/accounts/{account_id:path}/notes")
async def note_by_session(request: Request, service: Shared, account_id: str) -> Response:
    """Writes a note on an account, once, however often its form is sent."""
    form = await sent(request, service)
    if form is None:
        return to_sign_in(address(account_id))
    session, said = form
    text = said.get("text", "")
    # Who goes back and writes something else writes another note.
    await service.note(account_id, session.who.by, text, f"{said.get('key', '')}\0{text}")
    return RedirectResponse(f"{address(account_id)}?done=note", 303)


@router.post("/notes/{note_id}/erase")
async def erase_by_session(
    request: Request, service: Shared, note_id: Annotated[str, Path(max_length=40)]
) -> Response:
    """Erases a note: one's own, or anybody's for an admin."""
    form = await sent(request, service)
    if form is None:
        return to_sign_in("/")
    session, _ = form
    note = service.known_note(note_id)
    if note.author != session.who.name:
        need(session.who, Role.admin)
    await service.desk.erase_note(note, session.who.by)
    return RedirectResponse(f"{address(note.account_id)}?done=erase", 303)


# -- both ------------------------------------------------------------------------------------------


async def _show(
    service: Service,
    account_id: str,
    *,
    only: str | None,
    open_form: str,
    base: str,
    mark: str,
    done: str,
    days: str,
    session: Session | None = None,
) -> Response:
    """The page. `only`: the alert that may be acted on, None for all."""
    away = ""
    try:
        document = await service.account(account_id)
    except Refusal:
        # What else is known of it is there all the same.
        document, away = None, _AWAY
    if days not in PERIODS:
        raise Refusal(400, "days", "the history is drawn over 365, 90 or 28 days")
    # Notes are written for colleagues, and a link may come into other hands.
    said = await person(service, account_id, document, days, has_notes=session is not None)
    if document is None and not said["firing"] and not said["ended"] and only is None:
        raise Refusal(404, "no_such_account", "there is no such account")
    return page(
        "account.html",
        **said,
        only=only,
        is_known=only is None or service.books.alerts.get(only) is not None,
        may_act=only is not None or _may(session),
        open_form=open_form,
        base=base,
        here=base or address(account_id),
        may_note=_may(session),
        may_erase=lambda author: _may(session, author),
        note_key=secrets.token_hex(8),
        longest_note=LONGEST,
        form=service.access.form_token(mark),
        note=_DONE.get(done, ""),
        away=away,
        **({} if session is None else signed_in(service, session)),
    )


def _may(session: Session | None, author: str | None = None) -> bool:
    """Whether they may act; on what another author said an admin may."""
    if session is None:
        return False
    is_own = author is None or author == session.who.name
    return session.who.role.may(Role.member if is_own else Role.admin)
