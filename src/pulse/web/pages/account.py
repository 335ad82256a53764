"""The account's page, by a link or by a session."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulse.alerting.people.links import ACTIONS
from pulse.desk.audit import By
from pulse.model.audit import Way
from pulse.refusals import Refusal
from pulse.web.access import Session
from pulse.web.api.asking import Shared, need
from pulse.web.pages.forms import act, author_of, read
from pulse.web.pages.frame import signed_in, to_sign_in
from pulse.web.pages.person import PERIODS, YEAR, person
from pulse.web.pages.views import page
from pulse.web.service import Service
from pulse.web.tokens import Role

router = APIRouter(include_in_schema=False, default_response_class=Response)

_DONE = {
    "acknowledge": "You have taken it over.",
    "snooze": "It is snoozed.",
    "close": "It is closed.",
    "lift": "It is told again.",
}

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
        return to_sign_in(f"/accounts/{quote(account_id, safe='')}")
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
    session = service.access.session(request)
    if session is None:
        return to_sign_in("/")
    said = await read(request)
    service.access.check_form(request, said.get("form", ""), session.mark)
    need(session.who, Role.member)
    alert = service.alert(alert_id)
    await act(service, action, alert.id, alert.account_id, session.who.by, said)
    where = f"/accounts/{quote(alert.account_id, safe='')}?done={quote(action, safe='')}"
    return RedirectResponse(where, 303)


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
    note = _DONE.get(done, "")
    try:
        document = await service.account(account_id)
    except Refusal as refusal:
        # Redis is away, and the alert is there all the same.
        document, note = None, f"{note} {refusal.detail}.".strip()
    if days not in PERIODS:
        raise Refusal(400, "days", "the history is drawn over 365, 90 or 28 days")
    said = await person(service, account_id, document, days)
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
        here=base or f"/accounts/{quote(account_id, safe='')}",
        form=service.access.form_token(mark),
        note=note,
        **({} if session is None else signed_in(service, session)),
    )


def _may(session: Session | None) -> bool:
    return session is not None and session.who.role.may(Role.member)
