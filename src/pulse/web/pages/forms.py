"""What comes back from a form: read within limits, and done."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from pulse.alerting.people.links import ACTIONS
from pulse.alerting.people.outcomes import WORDS
from pulse.alerting.stages.muting import Snooze
from pulse.config.fields import duration_ms
from pulse.model.time import MAX_DURATION_MS
from pulse.refusals import Refusal
from pulse.web.api.asking import need
from pulse.web.pages.views import FOR
from pulse.web.tokens import Role

if TYPE_CHECKING:
    from starlette.requests import Request

    from pulse.desk.audit import By
    from pulse.web.access import Session
    from pulse.web.service import Service

LONGEST_NOTE: Final = 1_000
_LONGEST_NAME: Final = 100
_DURATIONS: Final = {each: duration_ms(each) for each, _ in FOR}
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OFFSET: Final = re.compile(r"-?[0-9]{1,3}")
"""Minutes that a reader's clock is behind UTC, as browsers say it."""
_MOST_FIELDS: Final = 20
_LOCAL: Final = re.compile(
    r"/(?:[A-Za-z0-9%._~!$&'()*+,;=:@-][A-Za-z0-9/%._~!$&'()*+,;=:@-]*)?"
    r"(?:\?[A-Za-z0-9/?%._~!$&'()*+,;=:@-]*)?"
)


async def read(request: Request) -> dict[str, str]:
    """The fields of a form. Raises `Refusal` (400) for what is none."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != (
        "application/x-www-form-urlencoded"
    ):
        raise Refusal(400, "no_form", "that is no form of ours")
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Refusal(400, "no_form", "that is no form of ours") from None
    return dict(fields)


async def sent(request: Request, service: Service) -> tuple[Session, dict[str, str]] | None:
    """Who has sent a form of ours that changes something, and what it says; None without a session.

    Raises `Refusal` (400, 403), also for whoever may change nothing.
    """
    session = service.access.session(request)
    if session is None:
        return None
    said = await read(request)
    service.access.check_form(request, said.get("form", ""), session.mark)
    need(session.who, Role.member)
    return session, said


def local(path: str) -> str:
    """A path of ours to go to; the first page for everything else.

    >>> local("/accounts/acme"), local("//evil.example"), local("https://evil.example")
    ('/accounts/acme', '/', '/')
    >>> local("/?zone=danger"), local("/search?q=a%20b"), local("/\\\\evil.example?q")
    ('/?zone=danger', '/search?q=a%20b', '/')
    """
    return path if _LOCAL.fullmatch(path) else "/"


def author_of(said: dict[str, str]) -> str:
    """How somebody who came by a link calls themselves."""
    name = " ".join(said.get("author", "").split())
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise Refusal(400, "author", "a name has at most 100 characters")
    return f"{name} (by link)" if name else "somebody with the link"


async def act(
    service: Service, action: str, alert_id: str, account_id: str, by: By, said: dict[str, str]
) -> None:
    """Do what a form says of an alert of an account. Raises `Refusal` (400, 404, 409, 503)."""
    if action not in (*ACTIONS, "lift"):
        raise Refusal(404, "no_such_action", "there is no such form")
    note = said.get("note", "").strip()
    if len(note) > LONGEST_NOTE:
        raise Refusal(400, "note", f"a note has at most {LONGEST_NOTE} characters")
    if action == "acknowledge":
        taken = Snooze(alert_id=alert_id, author=by.who, reason=note)
        await service.desk.snooze(taken, account_id, by)
    elif action == "snooze":
        until_ms = until_of(said, service.now_ms())
        snoozed = Snooze(alert_id=alert_id, author=by.who, reason=note, until_ms=until_ms)
        await service.desk.snooze(snoozed, account_id, by)
    elif action == "lift":
        await service.desk.lift(alert_id, account_id, by)
    else:
        word = said.get("outcome", "")
        found = next((each for each in WORDS if each == word), None)
        if found is None:
            raise Refusal(400, "outcome", "choose what became of it")
        outcome = service.outcome(service.alert(alert_id), found, by.who, note)
        await service.desk.close(outcome, by)


def until_of(said: dict[str, str], now_ms: int) -> int:
    """Until when: the end of a day, where one is named, else after so long.

    The day is the reader's, where the script has said how many minutes that is before UTC, else the
    UTC day.

    >>> from pulse.model.time import format_ms, parse_ts
    >>> format_ms(until_of({"until": "2026-12-24"}, parse_ts("2026-12-24T12:00:00Z")))
    '2026-12-25T00:00:00Z'
    >>> said = {"until": "2026-12-24", "offset": "-60"}
    >>> format_ms(until_of(said, parse_ts("2026-12-24T12:00:00Z")))
    '2026-12-24T23:00:00Z'
    """
    day = said.get("until", "").strip()
    if not day:
        lasts_ms = _DURATIONS.get(said.get("for", ""))
        if lasts_ms is None:
            raise Refusal(400, "for", "choose for how long")
        return now_ms + lasts_ms
    try:
        if not _DATE.fullmatch(day):
            raise ValueError
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal(400, "until", "a day is like 2026-12-24") from None
    offset = said.get("offset", "") or "0"
    if not _OFFSET.fullmatch(offset):
        raise Refusal(400, "offset", "that is no form of ours")
    until_ms = round(start.timestamp() * 1000) + 86_400_000 + int(offset) * 60_000
    if not now_ms < until_ms <= now_ms + MAX_DURATION_MS:
        raise Refusal(400, "until", "choose a day from today on, within a year")
    return until_ms
