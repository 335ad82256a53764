"""What the templates are given: an account and its alerts, in words."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pulse.model.time import format_ms, parse_ts

if TYPE_CHECKING:
    from pulse.desk.books import KnownAlert
    from pulse.web.service import Service

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
NOTHING: Final = "\u2013"
"""Stands where something is not known."""
MOST_ENDED: Final = 10
"""Alerts that have ended, on an account's page."""


def _when(instant: str | int | None) -> str:
    """An instant for people; the script shows it in the reader's zone.

    >>> _when("2024-10-24T19:33:01Z"), _when(None)
    (Markup('<time datetime="2024-10-24T19:33:01Z">2024-10-24 19:33 UTC</time>'), '\u2013')
    """
    if instant is None:
        return NOTHING
    ms = parse_ts(instant) if isinstance(instant, str) else instant
    return _TIME.format(format_ms(ms), _utc(ms))


def _ago(instant: str | int | None, now_ms: int) -> str:
    """How far an instant is from now, in words; its title says when that is.

    >>> _ago(0, 3 * 86_400_000)
    Markup('<time datetime="1970-01-01T00:00:00Z" title="1970-01-01 00:00 UTC">3 days ago</time>')
    """
    if instant is None:
        return NOTHING
    ms = parse_ts(instant) if isinstance(instant, str) else instant
    return _TIME_SAID.format(format_ms(ms), _utc(ms), distance(ms - now_ms))


def _span(instant: str | int | None, now_ms: int) -> str:
    """How long ago an instant was, in words; its title says when that was.

    >>> _span(0, 3 * 86_400_000)
    Markup('<time datetime="1970-01-01T00:00:00Z" title="1970-01-01 00:00 UTC">3 days</time>')
    """
    if instant is None:
        return NOTHING
    ms = parse_ts(instant) if isinstance(instant, str) else instant
    words = "a moment" if now_ms - ms < _MINUTE_MS else distance(ms - now_ms).removesuffix(" ago")
    return _TIME_SAID.format(format_ms(ms), _utc(ms), words)


def distance(ms: int) -> str:
    """A span of time in words, towards the future where it is positive.

    >>> distance(-3 * 86_400_000), distance(90_000_000), distance(0), distance(-400 * 86_400_000)
    ('3 days ago', 'in 25 hours', 'now', '13 months ago')
    """
    span, words = abs(ms), ""
    for unit_ms, from_, name in _UNITS:
        if span >= from_ * unit_ms:
            count = span // unit_ms
            words = f"{count} {name}{'' if count == 1 else 's'}"
            break
    if not words:
        return "now"
    return f"in {words}" if ms > 0 else f"{words} ago"


_MINUTE_MS: Final = 60_000
# Of each unit, from how many on it is used.
_UNITS: Final = (
    (43_200 * _MINUTE_MS, 3, "month"),
    (1_440 * _MINUTE_MS, 2, "day"),
    (60 * _MINUTE_MS, 2, "hour"),
    (_MINUTE_MS, 1, "minute"),
)
_TIME: Final = Markup('<time datetime="{}">{}</time>')
_TIME_SAID: Final = Markup('<time datetime="{}" title="{}">{}</time>')


def _utc(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, tz=UTC):%Y-%m-%d %H:%M} UTC"


def _day(day: str) -> str:
    """A day for people; of an instant, its UTC day.

    >>> _day("2026-03-02"), _day("2026-03-02T11:59:00Z")
    ('2 Mar 2026', '2 Mar 2026')
    """
    found = date.fromisoformat(day[:10])
    return f"{found.day} {found:%b %Y}"


def _number(amount: float | None) -> str:
    if amount is None:
        return NOTHING
    return f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.1f}"


def _amount(amount: float) -> str:
    """A large amount, as precise as it is spoken of.

    >>> _amount(1_234_567.0), _amount(84_300.0), _amount(912.5), _amount(999_999.0)
    ('1.23 M', '84.3 k', '912', '1 M')
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        # What would be rounded to a thousand of a size is one of the next.
        if abs(amount) >= 0.9995 * size:
            return f"{amount / size:.3g} {letter}"
    return f"{amount:.0f}"


def _beside(summary: str, name: str) -> str:
    """A summary where the account's name stands beside it.

    >>> _beside("Acme fell silent.", "Acme"), _beside("Acme: 2 seats are empty.", "Acme")
    ('Fell silent.', '2 seats are empty.')
    """
    rest = summary.removeprefix(name).lstrip(": ")
    return rest[:1].upper() + rest[1:]


def _code(text: str) -> Markup:
    """A sentence with what stands between backticks as code.

    >>> _code("As `limit` & more")
    Markup('As <code>limit</code> &amp; more')
    """
    parts = [
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def address(account_id: str) -> str:
    """The path of an account's page.

    >>> address("acme/eu west")
    '/accounts/acme%2Feu%20west'
    """
    return f"/accounts/{quote(account_id, safe='')}"


def _words(name: str) -> str:
    return name.replace("_", " ")


_pages: Final = Environment(
    loader=PackageLoader("pulse.web.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters.update(
    address=address,
    when=_when,
    ago=_ago,
    span=_span,
    number=_number,
    amount=_amount,
    words=_words,
    code=_code,
    beside=_beside,
    ms=parse_ts,
)
_pages.filters.update(day=_day)


def _joined(kind: str, suffix: str) -> bytes:
    """The files of a kind as one, the frame's first."""
    found = (each for each in files("pulse.web.pages").joinpath(kind).iterdir())
    parts = sorted((each.name != f"frame.{suffix}", each.name, each) for each in found)
    return b"\n".join(each.read_bytes() for _, name, each in parts if name.endswith(suffix))


STYLE: Final = _joined("style", "css")
SCRIPT: Final = _joined("script", "js")
ICON: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path d="M1 8h3l2-6 4 12 2-6h3" '
    b'fill="none" stroke="#c9352b" stroke-width="2"/></svg>'
)
KEPT: Final = hashlib.sha256(STYLE + SCRIPT).hexdigest()[:12]
"""What the addresses of style and script end in."""


def page(template: str, status: int = 200, /, **said: Any) -> HTMLResponse:
    """A page of a template. Whatever is said is escaped."""
    base: dict[str, Any] = {"who": None, "sign_out_token": "", "note": "", "kept": KEPT}
    return HTMLResponse(_pages.get_template(template).render({**base, **said}), status)


def alert_view(service: Service, alert: KnownAlert) -> dict[str, Any]:
    """An alert, and what people did with it."""
    return {
        "alert": alert,
        "snooze": service.books.muted.snoozes.get(alert.id),
        "outcome": service.books.outcomes.get(alert.id),
        "held_out": not alert.quiet and service.holdout.has(alert.account_id, alert.started_ms),
        "path": service.books.deliveries.path(alert.id),
    }
