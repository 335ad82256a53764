"""What the templates are given: an account and its alerts, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from pulse.model.time import parse_ts
from pulse.web.pages.drawing import gauge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.desk.books import KnownAlert
    from pulse.web.service import Service

COMPARED: Final = (
    ("active_users", "active users"),
    ("active_days", "active days"),
    ("features", "features"),
    ("events", "events"),
    ("value", "value"),
)
OUTCOMES: Final = (
    ("saved", "Saved: it was right, and they stay"),
    ("false_alarm", "False alarm: it was nothing"),
    ("churned", "Churned: it was right, and they left"),
    ("ignored", "Ignored: nobody looked into it"),
)
FOR: Final = (
    ("4h", "4 hours"),
    ("1d", "a day"),
    ("3d", "3 days"),
    ("7d", "a week"),
    ("14d", "two weeks"),
    ("30d", "30 days"),
)
MOST_ENDED: Final = 10
"""Alerts that have ended, on an account's page."""


def _when(instant: str | int | None) -> str:
    """An instant for people.

    >>> _when("2024-10-24T19:33:01Z"), _when(None)
    ('2024-10-24 19:33 UTC', '-')
    """
    if instant is None:
        return "-"
    ms = parse_ts(instant) if isinstance(instant, str) else instant
    return f"{datetime.fromtimestamp(ms / 1000, tz=UTC):%Y-%m-%d %H:%M} UTC"


def _number(amount: float | None) -> str:
    if amount is None:
        return "-"
    return f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.1f}"


def _words(name: str) -> str:
    return name.replace("_", " ")


_pages: Final = Environment(
    loader=PackageLoader("pulse.web.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters.update(when=_when, number=_number, words=_words)

STYLE: Final = files("pulse.web.pages").joinpath("style.css").read_bytes()
ICON: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 8h3l2-6 4 12 2-6h3" '
    b'fill="none" stroke="#c62828" stroke-width="2"/></svg>'
)


def page(template: str, status: int = 200, /, **said: Any) -> HTMLResponse:
    """A page of a template. Whatever is said is escaped."""
    base: dict[str, Any] = {"who": None, "sign_out_token": "", "note": ""}
    return HTMLResponse(_pages.get_template(template).render({**base, **said}), status)


async def account_view(
    service: Service, account_id: str, document: Mapping[str, Any] | None
) -> dict[str, Any]:
    """An account, its gauge, and its alerts, those that fire first."""
    alerts = await service.alerts_of(account_id)
    firing = [alert_view(service, each) for each in alerts if each.status == "firing"]
    ended = [alert_view(service, each) for each in alerts if each.status != "firing"]
    name = next((each.name for each in alerts if each.name), account_id)
    if document is not None:
        name = document["profile"].get("name") or account_id
    return {
        "account_id": account_id,
        "name": name,
        "document": document,
        "gauge": None if document is None else gauge(document),
        "points": [] if document is None else points(document),
        "measures": [] if document is None else measures(document),
        "firing": firing,
        "ended": ended[:MOST_ENDED],
        "outcomes": OUTCOMES,
        "durations": FOR,
    }


def alert_view(service: Service, alert: KnownAlert) -> dict[str, Any]:
    """An alert, and what people did with it."""
    return {
        "alert": alert,
        "snooze": service.books.muted.snoozes.get(alert.id),
        "outcome": service.books.outcomes.get(alert.id),
        "held_out": not alert.quiet and service.holdout.has(alert.account_id),
        "path": service.books.deliveries.path(alert.id),
    }


def points(document: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Each measure's points, of how many; the one that lacks most first."""
    found = [
        (name, points, document["out_of"].get(name, points))
        for name, points in document["contributions"].items()
    ]
    return sorted(found, key=lambda each: each[1] - each[2])


def measures(document: Mapping[str, Any]) -> list[tuple[str, float, float | None]]:
    """The measures over 28 days, now and 28 days ago."""
    then = document["then"]
    return [
        (
            words,
            document["measures"][measure]["28d"],
            None if then is None else then["measures"][measure]["28d"],
        )
        for measure, words in COMPARED
    ]
