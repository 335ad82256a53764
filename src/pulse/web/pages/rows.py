"""A row of Today: an account of the board, its path, its alerts, and who has them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from pulse.history import HistoryError
from pulse.web.pages.sparkline import DAYS, Sparkline, sparkline

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulse.desk.books import KnownAlert
    from pulse.history import DayRow, History
    from pulse.web.service import Service
    from pulse.web.today.board import Entry

log = structlog.get_logger("pulse.web")

_SEVERITIES: Final = ("critical", "warning", "info")
_WEEK: Final = timedelta(days=7)


class Taken(NamedTuple):
    """Who has an alert, and how; `until_ms` where it is snoozed."""

    what: str
    author: str
    until_ms: int | None = None

    def __str__(self) -> str:
        if self.until_ms is None:
            return f"{self.what} by {self.author}"
        until = datetime.fromtimestamp(self.until_ms / 1000, tz=UTC)
        return f"{self.what} until {until:%Y-%m-%d} by {self.author}"


class Row(NamedTuple):
    """An account as Today shows it."""

    entry: Entry
    spark: Sparkline | None
    alerts: list[KnownAlert]
    """Those that fire, the worst first."""
    others: list[str]
    """Reasons of alerts that fire, of which no more is known here."""
    taken: list[Taken]
    change: float | None
    """Of the score against 28 days ago."""
    is_held_out: bool


def row_of(service: Service, entry: Entry, days: Sequence[DayRow], now_ms: int) -> Row:
    """All that is shown of an account."""
    known = entry.known
    today = _today(now_ms).toordinal()
    alerts = _alerts(service, entry)
    told = {each.reason for each in alerts}
    return Row(
        entry=entry,
        spark=sparkline(days, today, known.score, known.enter, entry.then),
        alerts=alerts,
        others=[each for each in entry.reasons if each not in told],
        taken=taken(service, entry),
        change=None if known.score is None or entry.then is None else known.score - entry.then,
        is_held_out=service.holdout.has(known.account_id, now_ms),
    )


def _alerts(service: Service, entry: Entry) -> list[KnownAlert]:
    firing = service.books.alerts.firing_of(entry.known.account_id)
    return sorted(firing, key=lambda each: (_SEVERITIES.index(each.severity), each.started_ms))


def taken(service: Service, entry: Entry) -> list[Taken]:
    """Who has its alerts that fire, each said once."""
    now_ms = service.now_ms()
    said = {_taken(service, each, now_ms) for each in _alerts(service, entry)}
    return sorted((each for each in said if each is not None), key=str)


def _taken(service: Service, alert: KnownAlert, now_ms: int) -> Taken | None:
    """Who has it; None where nobody does."""
    snooze = service.books.muted.snoozes.get(alert.id)
    if snooze is None or (snooze.until_ms is not None and snooze.until_ms <= now_ms):
        return None
    if service.books.outcomes.get(alert.id) is not None:
        return Taken("closed", snooze.author)
    if snooze.until_ms is None:
        return Taken("taken over", snooze.author)
    return Taken("snoozed", snooze.author, snooze.until_ms)


class Hands:
    """Which accounts are in somebody's hands now; for who looks at all of the board."""

    def __init__(self, service: Service) -> None:
        self._alerts = service.books.alerts
        self._firing_ids_of = self._alerts.firing_ids_of
        now_ms = service.now_ms()
        self._held = {
            alert_id
            for alert_id, snooze in list(service.books.muted.snoozes.items())
            if snooze.until_ms is None or snooze.until_ms > now_ms
        }

    def has(self, entry: Entry) -> bool:
        """Whether somebody has every alert of it that fires."""
        alerts = self._firing_ids_of(entry.known.account_id)
        return bool(alerts) and self._held.issuperset(alerts)

    def touch(self, entry: Entry) -> bool:
        """Whether somebody has one of its alerts that fire."""
        return not self._held.isdisjoint(self._firing_ids_of(entry.known.account_id))

    def missing(self, entries: Iterable[Entry]) -> int:
        """Of how many of these an alert fires that nobody has."""
        firing = self._alerts.firing_accounts()
        firing.intersection_update([each.known.account_id for each in entries])
        held = {each.account_id for each in map(self._alerts.get, self._held) if each is not None}
        return len(firing) - sum(
            self._held.issuperset(self._firing_ids_of(each)) for each in held & firing
        )


async def past(
    history: History | None, entries: Sequence[Entry], now_ms: int
) -> tuple[dict[str, list[DayRow]], dict[str, int]]:
    """The days of these accounts, and how many accounts were in each zone a week ago."""
    if history is None:
        return {}, {}
    today = _today(now_ms)
    since = today - timedelta(days=DAYS)

    def read() -> tuple[dict[str, list[DayRow]], dict[str, int]]:
        days = history.accounts((each.known.account_id for each in entries), since)
        return days, _zones_on(history, today - _WEEK)

    try:
        return await asyncio.to_thread(read)
    except HistoryError as error:
        log.warning("the history cannot be shown", reason=str(error))
        return {}, {}


def _zones_on(history: History, day: date) -> dict[str, int]:
    zones: dict[str, int] = {}
    for row in history.fleet(day):
        if row.day == day and row.lifecycle != "churned":
            zones[row.zone] = zones.get(row.zone, 0) + row.accounts
    return zones


def _today(now_ms: int) -> date:
    return datetime.fromtimestamp(now_ms / 1000, tz=UTC).date()
