"""Who asks, and whether they may: tokens, passwords, a proxy, sessions, links, forms of ours."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

from pulse.alerting.people.links import BadTicketError, Ticket
from pulse.desk.audit import By
from pulse.keyring import hash_of
from pulse.model.audit import Way
from pulse.refusals import Refusal
from pulse.web.rates import Wrong, network
from pulse.web.sealing import Seals

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from pulse.alerting.people.links import Links
    from pulse.web.people.logins import Logins
    from pulse.web.people.proxy import Proxy
    from pulse.web.tokens import Role, TokenRing

FORM_MS: Final = 12 * 3_600_000
"""How long a form may stay open before it is sent."""

_MARK: Final = re.compile("[0-9a-f]{32}")
"""Of a browser that is not signed in."""

_USER: Final = "user-"
"""What the marks of sessions of users begin with; those of tokens, with the token's hash."""


class Who(NamedTuple):
    """Who asks, and what they may do."""

    name: str
    role: Role
    way: Way

    @property
    def by(self) -> By:
        """As the audit log says it."""
        return By(self.name, self.way)


class Session(NamedTuple):
    """Somebody's browser that is signed in; `mark` is what its forms are bound to."""

    who: Who
    mark: str


class Access:
    """Tells who asks. `links` is None where no links are configured.

    `on_wrong` is told of each wrong token, `on_signed_in` of each browser that is let in.

    Every comparison of what is secret takes as long as it takes, whatever was right of it: tokens
    are looked up by their hashes, seals and tickets are compared by `hmac.compare_digest`.
    """

    def __init__(
        self,
        tokens: TokenRing,
        logins: Logins,
        links: Links | None,
        *,
        public_url: str | None,
        session_ms: int,
        now_ms: Callable[[], int],
        monotonic_s: Callable[[], float],
        proxy: Proxy | None,
        on_wrong: Callable[[], None],
        on_signed_in: Callable[[Way], None],
    ) -> None:
        self.tokens = tokens
        self.users = logins.users
        self._logins = logins
        self._proxy = proxy
        self.links = links
        # Without a key that all know, sessions end with this process.
        self._seals = Seals(secrets.token_bytes(32) if links is None else links.key)
        self._public = urlsplit(public_url or "")
        self._session_ms = session_ms
        self._now_ms = now_ms
        self._wrong = Wrong("tokens", monotonic_s, at_once=20, one_in_s=1)
        self._on_wrong = on_wrong
        self._on_signed_in = on_signed_in

    # -- tokens --------------------------------------------------------------------------------

    def who(self, request: Request, token: str) -> Who:
        """Whose token it is. Raises `Refusal` (401, 429)."""
        found = self.tokens.find(token)
        if found is None:
            # Only wrong ones wait: behind a proxy all may come from one address.
            where = _where(request)
            self._wrong.check(where)
            self._wrong.note(where)
            self._on_wrong()
            raise Refusal(
                401, "bad_token", "the token is not known, or was revoked; `pulse tokens make`"
            )
        return Who(found.name, found.role, Way.token)

    # -- sessions of browsers ------------------------------------------------------------------

    def sign_in(self, request: Request, response: Response, token: str) -> None:
        """Let a browser in that has come with a token. Raises `Refusal` (401, 429)."""
        self.who(request, token)
        self._begin(request, response, hash_of(token), Way.token)

    async def sign_in_as(
        self, request: Request, response: Response, name: str, password: str
    ) -> None:
        """Let a browser in that has come with a name and a password.

        Raises `Refusal` (401, 429, 503), which does not tell a wrong name from a wrong password.
        """
        user = await self._logins.user(_where(request), name, password)
        self._begin(request, response, f"{_USER}{user.era}", Way.user)

    def _begin(self, request: Request, response: Response, of: str, way: Way) -> None:
        until_ms = self._now_ms() + self._session_ms
        mark = f"{of} {secrets.token_hex(16)}"
        sealed = self._seals.make("session", mark, until_ms)
        self._set_cookie(request, response, "session", sealed, self._session_ms)
        self._on_signed_in(way)

    def sign_out(self, request: Request, response: Response) -> None:
        """Let it out."""
        self._set_cookie(request, response, "session", "", 0)

    def session(self, request: Request) -> Session | None:
        """The session of a browser; None without one.

        Whom a proxy has let in has one while it says so; others, as long as their token holds, or
        their password is the same.
        """
        if self._proxy is not None and (let_in := self._proxy.let_in(request)) is not None:
            return Session(Who(let_in.name, let_in.role, Way.proxy), f"proxy {let_in.name}")
        sealed = request.cookies.get(self._cookie_name(request, "session"), "")
        mark = self._seals.open("session", sealed, self._now_ms()) if sealed else None
        if mark is None:
            return None
        of = mark.partition(" ")[0]
        if of.startswith(_USER):
            user = self.users.of_era(of.removeprefix(_USER))
            return None if user is None else Session(Who(user.name, user.role, Way.user), mark)
        found = self.tokens.by_hash(of)
        return None if found is None else Session(Who(found.name, found.role, Way.token), mark)

    def visitor(self, request: Request, response: Response | None = None) -> str:
        """The mark of a browser that is not signed in; given to it with `response`.

        It keeps the one that it has: what a form in another tab is bound to.
        """
        mark = request.cookies.get(self._cookie_name(request, "visitor"), "")
        if response is None:
            return mark
        if _MARK.fullmatch(mark) is None:
            mark = secrets.token_hex(16)
        self._set_cookie(request, response, "visitor", mark, FORM_MS)
        return mark

    def _set_cookie(
        self, request: Request, response: Response, what: str, value: str, lasts_ms: int
    ) -> None:
        response.set_cookie(
            self._cookie_name(request, what),
            value,
            max_age=lasts_ms // 1_000,
            secure=self._is_secure(request),
            httponly=True,
            samesite="strict",
        )

    def _cookie_name(self, request: Request, what: str) -> str:
        # Such a name no other host of the domain, and no page without TLS, can set.
        return f"__Host-pulse_{what}" if self._is_secure(request) else f"pulse_{what}"

    def _is_secure(self, request: Request) -> bool:
        return self._public.scheme == "https" or request.url.scheme == "https"

    # -- links ---------------------------------------------------------------------------------

    def ticket(self, text: str) -> Ticket:
        """What a link opens. Raises `Refusal` (404, 410)."""
        if self.links is None:
            raise Refusal(404, "no_links", "no links are configured: web.link_secret_env")
        try:
            return self.links.open(text, self._now_ms())
        except BadTicketError as error:
            if error.reason == "expired":
                raise Refusal(410, "expired", "this link has expired; sign in instead") from None
            raise Refusal(
                404, "bad_link", "this is no link of ours; was it copied whole?"
            ) from None

    # -- forms ---------------------------------------------------------------------------------

    def form_token(self, mark: str) -> str:
        """What a form of whoever has the mark must bring back."""
        return self._seals.make("form", mark, self._now_ms() + FORM_MS)

    def check_form(self, request: Request, token: str, mark: str) -> None:
        """That the form is one of ours, sent by whom it was shown to. Raises `Refusal` (403)."""
        if not mark or self._seals.open("form", token, self._now_ms()) != mark:
            raise Refusal(
                403, "bad_form", "the form was open for too long, or is not ours: open it again"
            )
        if not self._is_same_origin(request):
            raise Refusal(403, "other_origin", "the form was sent from another page than ours")

    def _is_same_origin(self, request: Request) -> bool:
        site = request.headers.get("sec-fetch-site")
        if site is not None:  # the browser's own word, which no page can set
            return site == "same-origin"
        try:
            origin = urlsplit(request.headers.get("origin", "")).netloc
        except ValueError:  # like http://[
            return False
        return bool(origin) and origin in (self._public.netloc, request.headers.get("host"))


def _where(request: Request) -> str:
    return "" if request.client is None else network(request.client.host)
