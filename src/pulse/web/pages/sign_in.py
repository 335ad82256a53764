"""Signing in with a password or a token, signing out, the style, and the description of the API."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from pulse.model.audit import Way
from pulse.refusals import Refusal
from pulse.serving import answer
from pulse.web.api.asking import Shared
from pulse.web.pages.forms import local, read
from pulse.web.pages.views import ICON, KEPT, SCRIPT, STYLE, page

router = APIRouter(include_in_schema=False, default_response_class=Response)


@router.get("/healthz")
async def healthz() -> Response:
    """Whether it runs."""
    return answer(200, {"status": "ok"})


@router.get("/style.css")
async def style(request: Request) -> Response:
    """The one style sheet; it, the script and the icon are all that browsers may keep."""
    return _kept(request, STYLE, "text/css")


@router.get("/pulse.js")
async def script(request: Request) -> Response:
    """The one script; the pages work without it, but live."""
    return _kept(request, SCRIPT, "text/javascript")


@router.get("/icon.svg")
async def icon(request: Request) -> Response:
    """What a browser shows beside the title."""
    return _kept(request, ICON, "image/svg+xml")


def _kept(request: Request, content: bytes, media_type: str) -> Response:
    # Pages ask with what it is made of, so that nobody has an old one after an update.
    lasts_s = 30_000_000 if request.url.query == KEPT else 3_600
    headers = {"Cache-Control": f"max-age={lasts_s}"}
    return Response(content, media_type=media_type, headers=headers)


@router.get("/docs")
async def docs(request: Request) -> Response:
    """What the API has; all of it is in its description for programs."""
    described = request.app.openapi()
    operations = [
        (method.upper(), path, said["summary"], said.get("description", ""))
        for path, methods in described["paths"].items()
        for method, said in methods.items()
    ]
    return page("api.html", operations=operations, version=described["info"]["version"])


@router.get("/sign-in")
async def form(
    request: Request, service: Shared, to: Annotated[str, Query(alias="next")] = "/"
) -> Response:
    """Asks who somebody is, unless a proxy has said so."""
    session = service.access.session(request)
    if session is not None and session.who.way is Way.proxy:
        return RedirectResponse(local(to), 303)
    return _form(request, service, local(to), {})


@router.post("/sign-in")
async def sign_in(request: Request, service: Shared) -> Response:
    """Lets a browser in."""
    said = await read(request)
    service.access.check_form(request, said.get("form", ""), service.access.visitor(request))
    to = local(said.get("next", "/"))
    response = RedirectResponse(to, 303)
    try:
        if "token" in said:
            service.access.sign_in(request, response, said["token"].strip())
        else:
            name, password = said.get("name", "").strip(), said.get("password", "")
            await service.access.sign_in_as(request, response, name, password)
    except Refusal as refusal:
        again = _form(request, service, to, said, refusal.detail)
        again.status_code = refusal.status
        if refusal.retry_after_s is not None:
            again.headers["Retry-After"] = str(refusal.retry_after_s)
        return again
    return response


@router.post("/sign-out")
async def sign_out(request: Request, service: Shared) -> Response:
    """Lets it out."""
    response = RedirectResponse("/sign-in", 303)
    session = service.access.session(request)
    if session is not None:
        said = await read(request)
        service.access.check_form(request, said.get("form", ""), session.mark)
        service.access.sign_out(request, response)
    return response


def _form(
    request: Request, service: Shared, to: str, said: dict[str, str], note: str = ""
) -> Response:
    cookies = Response()
    mark = service.access.visitor(request, cookies)
    shown = page(
        "sign_in.html",
        form=service.access.form_token(mark),
        to=to,
        has_users=len(service.access.users) > 0,
        by_token="token" in said,
        name=said.get("name", ""),
        note=note,
    )
    shown.headers.append("set-cookie", cookies.headers["set-cookie"])
    return shown
