"""How the API is asked: tokens, pages of lists, and how a refusal is described."""

from typing import Annotated, Any, Final, cast

from fastapi import Depends, Query, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

from pulse.model.audit import Way
from pulse.refusals import Refusal
from pulse.web.access import Who
from pulse.web.service import Service
from pulse.web.tokens import Role

PREFIX: Final = "/api/v1"
ALERT_ID: Final = r"^al_[0-9A-Za-z]{26}$"

_bearer = HTTPBearer(
    auto_error=False, scheme_name="token", description="A token of `pulse tokens make`."
)


def service_of(request: Request) -> Service:
    """What the endpoints share."""
    return cast("Service", request.app.state.service)


Shared = Annotated[Service, Depends(service_of)]
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]


class May:
    """A dependency: whoever asks, if their token is good for that role. Raises `Refusal`."""

    def __init__(self, role: Role) -> None:
        self._role = role

    def __call__(self, request: Request, service: Shared, credentials: Credentials) -> Who:
        """Who asks."""
        if credentials is None:
            raise Refusal(
                401, "no_token", "a token is needed: Authorization: Bearer pt_…; `pulse tokens`"
            )
        who = service.access.who(request, credentials.credentials)
        need(who, self._role)
        return who


def need(who: Who, role: Role) -> None:
    """Raises `Refusal` (403) where they have not that role."""
    if not who.role.may(role):
        raise Refusal(
            403,
            "role",
            f"this needs the role {role}, and yours is {who.role}; who runs pulse can give it: "
            f"`{_GIVES[who.way].format(who.name, role)}`",
        )


_GIVES: Final = {
    Way.user: "pulse users role {} {}",
    Way.token: "pulse tokens make {} --role {}",
    Way.proxy: "web.proxy_auth",
}


Viewer = Annotated[Who, Depends(May(Role.viewer))]
Member = Annotated[Who, Depends(May(Role.member))]
Admin = Annotated[Who, Depends(May(Role.admin))]

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=400, description="Where the last page ended: its `cursor`. Null: no more."),
]


class Error(BaseModel):
    """Why a request is refused."""

    reason: str = Field(description="For programs.")
    detail: str = Field(description="For people: what is wrong, and what to do.")


class Refused(BaseModel):
    """A request is refused, and nothing of it was done."""

    error: Error


_WHY: Final = {
    400: "A parameter, the cursor or the body is not as described.",
    401: "There is no token, or one that does not hold.",
    403: "The token's role may not do that.",
    404: "There is none of that name.",
    409: "It cannot be done as things are.",
    408: "The body was too slow.",
    413: "The body is too large.",
    429: "Too many wrong tokens came from that address.",
    503: "Kafka, or Redis, is away; come again.",
}
_ALWAYS: Final = (400, 401, 403, 408, 413, 429, 503)


def answers(model: type[BaseModel], *statuses: int, success: int = 200) -> dict[int | str, Any]:
    """What an endpoint answers: the model, and the refusals that every one may, with others."""
    described: dict[int | str, Any] = {success: {"model": model}}
    for status in sorted({*_ALWAYS, *statuses}):
        described[status] = {"model": Refused, "description": _WHY[status]}
    return described
