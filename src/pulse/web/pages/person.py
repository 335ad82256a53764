"""An account's page: what is known is read here, and given to what makes pictures and sentences."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from pulse.engagement.forecast import WINDOW_DAYS, Crossing, crossing
from pulse.history import HistoryError
from pulse.model.time import parse_ts
from pulse.web.lists import beside
from pulse.web.pages.about.chart import NARROW, WIDE, Chart, Fired, Now, chart
from pulse.web.pages.about.measured import rows
from pulse.web.pages.about.timeline import timeline
from pulse.web.pages.about.weeks import groups, mean, week_or_day, worst
from pulse.web.pages.about.why import crosses, why
from pulse.web.pages.drawing import gauge
from pulse.web.pages.views import FOR, MOST_ENDED, OUTCOMES, alert_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pulse.alerting.records.delivery import Delivery
    from pulse.desk.books import KnownAlert
    from pulse.history import DayRow
    from pulse.web.service import Service

log = structlog.get_logger("pulse.web")

PERIODS: Final = {"365": "a year", "90": "90 days", "28": "28 days"}
YEAR: Final = "365"
_DAY_MS: Final = 86_400_000
_FRESH_DAYS: Final = 2
"""Of a history that ends earlier nothing is projected."""
_SHOWN: Final = 12
"""Of what happened, what is shown at once."""


async def person(
    service: Service,
    account_id: str,
    document: Mapping[str, Any] | None,
    period: str,
    *,
    has_notes: bool,
) -> dict[str, Any]:
    """What the template is given of an account; `document` is None where it is not known."""
    alerts = await service.alerts_of(account_id)
    firing = [alert_view(service, each) for each in alerts if each.status == "firing"]
    ended = [alert_view(service, each) for each in alerts if each.status != "firing"]
    days, is_kept = await _days(service, account_id, document)
    deliveries, outcomes = service.books.deliveries, service.books.outcomes
    ids = {each.id for each in alerts}
    sent, said = iter(deliveries), iter(outcomes)
    told_at = _played(alerts) if service.config.clock == "events" else lambda each: each
    told = await beside(
        lambda: (
            [each for each in sent if any(name in ids for name, _ in each.alerts)],
            [each for each in said if each.account_id == account_id],
        )
    )
    notes = service.books.notes.of(account_id) if has_notes else []
    happened = timeline(alerts, told[1], map(told_at, told[0]), days, notes)
    return {
        "account_id": account_id,
        "name": _name(account_id, document, alerts),
        "document": document,
        "gauge": None if document is None else gauge(document),
        "firing": firing,
        "ended": ended[:MOST_ENDED],
        "outcomes": OUTCOMES,
        "durations": FOR,
        "period": period,
        "spans": PERIODS,
        "is_kept": is_kept,
        "happened": happened[:_SHOWN],
        "happened_before": happened[_SHOWN:],
        "alert_days": service.config.web.alert_days,
        **_explained(service, document, days, alerts, period),
    }


def _explained(
    service: Service,
    document: Mapping[str, Any] | None,
    days: Sequence[DayRow],
    alerts: Sequence[KnownAlert],
    period: str,
) -> dict[str, Any]:
    """The picture, the sentences and the measures."""
    shown = [day for day in days if (days[-1].day - day.day).days < int(period)]
    ahead, now, measured, sentences = None, None, [], []
    if document is not None:
        ahead, now = _crossing(service, document, days), _now(document)
        segment = document["profile"].get("segment")
        measured = rows(document, service.config.scorecard_for(segment), days)
        sentences = why(document, measured, days)
    fired = [*_fired(alerts), *_entered(shown, alerts)]
    drawn: list[tuple[str, Chart]] = []
    if shown:
        drawn = [
            (name, chart(shown, fired, size=size, now=now, crossing=ahead))
            for name, size in (("wide", WIDE), ("narrow", NARROW))
        ]
    return {
        "charts": drawn,
        "measures": measured,
        "why": sentences,
        "crosses": None if ahead is None else crosses(days[-1], ahead),
        "table": [
            (week_or_day(group), mean(group), group[-1].line, group[-1].approach, worst(group))
            for group in reversed(groups(shown))
        ],
    }


async def _days(
    service: Service, account_id: str, document: Mapping[str, Any] | None
) -> tuple[list[DayRow], bool]:
    """The year behind an account, and whether a history is kept that could be read."""
    history = service.history
    if history is None:
        return [], False
    as_of_ms = service.as_of_ms() if document is None else parse_ts(document["as_of"])
    since = date.fromordinal(_ordinal(as_of_ms)) - timedelta(int(YEAR) - 1)
    try:
        return await asyncio.to_thread(history.account, account_id, since), True
    except HistoryError as error:
        log.warning("the history cannot be read", error=str(error))
        return [], False


def _played(alerts: Sequence[KnownAlert]) -> Callable[[Delivery], Delivery]:
    """Puts what was sent of a history that is played where its alerts are, years ago."""
    known = {each.id: each for each in alerts}

    def at(delivery: Delivery) -> Delivery:
        when = [
            known[name].started_ms if status == "firing" else known[name].at_ms
            for name, status in delivery.alerts
            if name in known
        ]
        return msgspec.structs.replace(delivery, at_ms=max(when)) if when else delivery

    return at


def _crossing(
    service: Service, document: Mapping[str, Any], days: Sequence[DayRow]
) -> Crossing | None:
    """When the score crosses the line by the days behind it, as workers project it."""
    line, score = document["line"], document["score"]
    if (
        not days
        or score is None
        or score < line["enter"]
        or document["zone"] not in ("healthy", "approaching")
        or document["lifecycle"] == "churned"
        or _ordinal(parse_ts(document["as_of"])) - days[-1].day.toordinal() > _FRESH_DAYS
    ):
        return None
    within = service.config.line_for(document["profile"].get("segment")).forecast_days
    if document["zone"] == "approaching":
        within *= 2
    last = days[-1].day
    scores = [
        (day.day.toordinal(), day.score)
        for day in days
        if day.score is not None and (last - day.day).days < WINDOW_DAYS
    ]
    return crossing(scores, line["enter"], float(within)) if within else None


def _now(document: Mapping[str, Any]) -> Now | None:
    if document["score"] is None:
        return None
    as_of_ms = parse_ts(document["as_of"])
    return Now(_ordinal(as_of_ms) + as_of_ms % _DAY_MS / _DAY_MS, document["score"])


def _fired(alerts: Sequence[KnownAlert]) -> Iterator[Fired]:
    for each in alerts:
        day = date.fromordinal(_ordinal(each.started_ms))
        words = f"{day.day} {day:%B}: {each.reason.replace('_', ' ')}"
        yield Fired(_ordinal(each.started_ms), each.reason, words)


def _entered(days: Sequence[DayRow], alerts: Sequence[KnownAlert]) -> Iterator[Fired]:
    """When it came into a worse zone, where its alert is not known any more."""
    known = {(each.reason, _ordinal(each.started_ms)) for each in alerts}
    order = ("healthy", "approaching", "danger")
    before = "unknown"
    for day in days:
        at = day.day.toordinal()
        is_known = any((day.zone, at + near) in known for near in (-1, 0))
        is_judged = before in order and day.zone in order
        if is_judged and not is_known and order.index(day.zone) > order.index(before):
            yield Fired(at, day.zone, f"{day.day.day} {day.day:%B}: {day.zone}")
        if day.zone in order:
            before = day.zone


def _name(account_id: str, document: Mapping[str, Any] | None, alerts: Sequence[KnownAlert]) -> str:
    if document is not None:
        return document["profile"].get("name") or account_id
    return next((each.name for each in alerts if each.name), account_id)


def _ordinal(ms: int) -> int:
    """The UTC day of an instant, as a proleptic Gregorian ordinal."""
    return ms // _DAY_MS + 719_163
