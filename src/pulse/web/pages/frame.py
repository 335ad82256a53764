"""What every page of whoever is signed in begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi.responses import RedirectResponse

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from pulse.web.access import Session
    from pulse.web.service import Service


def signed_in(service: Service, session: Session) -> dict[str, Any]:
    """What `base.html` needs to show who is signed in."""
    return {"who": session.who, "sign_out_token": service.access.form_token(session.mark)}


def to_sign_in(path: str) -> Response:
    """To the form that asks for a token, and from there to the path."""
    return RedirectResponse(f"/sign-in?next={quote(path, safe='')}", 303)


def path_of(request: Request) -> str:
    """The path that was asked for, with its query."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path
