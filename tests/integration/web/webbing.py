"""The API and the page with a real read model, and what they wrote, without Kafka."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from pulse.alerting.people.links import Links
from pulse.config import Config
from pulse.config.pipeline import holdout
from pulse.desk.audit import AuditBook
from pulse.desk.books import AlertBook, MutedBook, OutcomeBook
from pulse.desk.desk import Desk
from pulse.desk.notes import NoteBook
from pulse.keyring import hash_of
from pulse.model.time import parse_ts
from pulse.readmodel import ReadModelError
from pulse.testing.alerts import sample_alert
from pulse.web.access import Access
from pulse.web.app import make_app
from pulse.web.deliveries import DeliveryBook
from pulse.web.metrics import WebMetrics
from pulse.web.people.logins import Logins
from pulse.web.people.passwords import hashed
from pulse.web.people.proxy import Proxy
from pulse.web.people.users import UserRing, kept, kept_anew, new_user
from pulse.web.service import Books, Service
from pulse.web.today.board import Board
from pulse.web.today.live import Live
from pulse.web.tokens import Role, TokenRing, make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.history import History
    from pulse.model import Alert
    from pulse.producer import Outgoing
    from pulse.readmodel import ReadModel
    from pulse.web.people.users import User

NOW_MS = parse_ts("2026-03-02T12:00:00Z")
DAY_MS = 86_400_000
ORIGIN = "https://pulse.example.com"
KEY = b"a key of the links, 32 characters"
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Origin": ORIGIN}

WINDOWS = {"7d": 3, "28d": 14, "84d": 90}
MEASURES = {
    **dict.fromkeys(("events", "value", "active_users", "features", "active_days"), WINDOWS),
    "recency_days": 2.5,
}


def document(account_id: str, **changes: Any) -> dict[str, Any]:
    """An account as the read model has it."""
    return {
        "account_id": account_id,
        "as_of": "2026-03-02T11:59:00Z",
        "last_active_at": "2026-03-01T11:59:00Z",
        "lifecycle": "current",
        "zone": "danger",
        "score": 31.2,
        "contributions": {"active_users": 12.5, "events": 18.7},
        "measures": MEASURES,
        "line": {"enter": 40, "exit": 45, "approach": 55, "version": None},
        "since": "2026-02-20T00:00:00Z",
        "out_of": {"active_users": 50, "events": 50},
        "then": {"score": 60.0, "measures": MEASURES},
        "profile": {"name": account_id.title(), "segment": "smb", "owner": "kim", "mrr": 1200},
        "alerts": [
            {"reason": "danger", "started_at": "2026-03-01T00:00:00Z",
             "since": "2026-03-01T00:00:00Z"}
        ],
        **changes,
    }  # fmt: skip


def alert(account_id: str = "acme", **changes: Any) -> Alert:
    """An alert of yesterday."""
    at_ms = changes.pop("at_ms", NOW_MS - DAY_MS)
    return sample_alert(account_id, at_ms=at_ms, started_at_ms=NOW_MS - DAY_MS, **changes)


@dataclass
class Scene:
    """Everything but Kafka: what would go there is in `written`, unless it is `away`."""

    accounts: ReadModel | None
    settings: dict[str, Any] = field(default_factory=dict)
    has_links: bool = True
    written: list[Outgoing] = field(default_factory=list)
    away: bool = False
    origin: str = ORIGIN
    history: History | None = None

    def __post_init__(self) -> None:
        self.now_ms, self.now_s = NOW_MS, 0.0
        config = Config.model_validate(
            {
                **self.settings,
                "web": {
                    "public_url": self.origin,
                    "ack_timeout_s": 0.2,
                    **self.settings.get("web", {}),
                },
            }
        )
        self.config = config
        self.links = Links(self.origin, KEY, 14 * DAY_MS)
        self.tokens, self.users = TokenRing(), UserRing()
        self.books = Books(
            AlertBook(config.web.most_alerts), OutcomeBook(), MutedBook(),
            DeliveryBook(), NoteBook(), AuditBook(),
        )  # fmt: skip
        self.metrics = WebMetrics(
            self.books.outcomes,
            lambda: len(self.books.alerts),
            lambda: len(self.tokens),
            lambda: len(self.users),
        )
        auth = config.web.proxy_auth
        wrong = self.metrics.wrong_passwords.inc
        access = Access(
            self.tokens,
            Logins(self.users, lambda: self.now_s, wrong, self._keep_anew),
            self.links if self.has_links else None,
            public_url=self.origin,
            session_ms=config.web.session_ms,
            now_ms=lambda: self.now_ms,
            monotonic_s=lambda: self.now_s,
            proxy=None if auth is None else Proxy(auth, self.metrics.untrusted.inc),
            on_wrong=self.metrics.wrong_tokens.inc,
            on_signed_in=lambda way: self.metrics.signed_in.labels(way).inc(),
        )
        desk = Desk(
            config.kafka,
            self.books.muted,
            self.books.outcomes,
            self.books.notes,
            self._send,
            has_ended=self.books.alerts.has_ended,
            within_s=config.web.ack_timeout_s,
            now_ms=lambda: self.now_ms,
        )
        live = Live()
        self.board = None if self.accounts is None else Board(self.accounts, live.say)
        self.service = Service(
            config, self.books, self.accounts, access, desk,
            holdout(config), lambda: self.now_ms,
            self.history, self.board, live,
        )  # fmt: skip
        self.app = make_app(self.service, self.metrics)
        self.api = {role: self.client(self.token(role)) for role in Role}

    async def looks(self) -> None:
        """What the read model has now is on the board."""
        if self.board is not None:
            await self.board.step()

    def token(self, role: Role, name: str | None = None) -> str:
        """A token that holds."""
        token, kept = make(name or f"a {role}", role)
        self.tokens.take(hash_of(token).encode(), msgspec.json.encode(kept))
        return token

    def user(self, name: str, password: str, role: Role = Role.member) -> None:
        """A user that there is from now on."""
        record = kept("", new_user(name, role, "", hashed(password)))
        self.users.take(record.key or b"", record.value)

    async def _keep_anew(self, user: User, password: str) -> None:
        record = kept_anew("", user, password)
        self.users.take(record.key or b"", record.value)

    def client(self, token: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A program with a token, or a browser without one."""
        said = {**headers, **({} if token is None else {"Authorization": f"Bearer {token}"})}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=said)

    def browser(self) -> httpx.AsyncClient:
        """A browser, as it sends forms of a page of ours."""
        return self.client(None, **SAME_ORIGIN)

    def knows(self, *alerts: Alert) -> None:
        """These come from the topic."""
        for each in alerts:
            self.books.alerts.take(each.account_id.encode(), each.to_json())

    def link(self, of: Alert, name: str = "alert") -> str:
        """The path of a link in a message."""
        return self.links.of(of.id, of.account_id, NOW_MS)[name].removeprefix(ORIGIN)

    def records(self, topic: str) -> list[tuple[str, Any]]:
        """Key and JSON of what was written to a topic."""
        name = getattr(self.config.kafka.topics, topic)
        return [
            ((each.key or b"").decode(), each.value and msgspec.json.decode(each.value))
            for each in self.written
            if each.topic == name
        ]

    async def _send(self, records: Sequence[Outgoing]) -> None:
        if self.away:
            await asyncio.sleep(60)
        self.written += records
        for each in records:
            if each.topic == self.config.kafka.topics.audit:
                self.books.audit.take(each.key or b"", each.value)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, dict[str, str]] = {}
        self._at = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._at = said["action"] if said.get("method") == "post" else ""
            if self._at:
                self.found[self._at] = {}
        elif not self._at:
            pass  # a search, which changes nothing
        elif tag == "input" and said.get("type") == "hidden":
            self.found[self._at][said["name"]] = said["value"]


def forms(page: httpx.Response) -> dict[str, dict[str, str]]:
    """The forms of a page that change something: where each goes, and its hidden fields."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.found


def plain(page: httpx.Response) -> str:
    """The text of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


async def signed_in(scene: Scene, role: Role = Role.member, name: str = "kim") -> httpx.AsyncClient:
    """A browser that has signed in."""
    with suppress(ReadModelError):
        await scene.looks()
    browser = scene.browser()
    shown = await browser.get("/sign-in")
    fields = {**forms(shown)["/sign-in"], "token": scene.token(role, name)}
    answered = await browser.post("/sign-in", data=fields)
    assert answered.status_code == 303
    return browser
