"""Windows counted again in the plainest way, to hold pulse's own against.

Nothing of pulse is used here. DESIGN, "Time", 2: a measure over W is the larger of two: over the
last W complete days, and over the W days that end today. (Here nothing comes late, so that "fixed
at the start of today" makes no difference.) Trend and key features as `docs/scorecard.md` has them.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

WINDOWS = (7, 28, 84)


class Use(NamedTuple):
    """One event."""

    at: datetime
    account: str
    user: str | None
    feature: str
    value: int


def read(path: Path, value: str) -> list[Use]:
    """The events of a file; `value` is the property that is their value."""
    uses = []
    with gzip.open(path) as lines:
        for line in lines:
            event: dict[str, Any] = json.loads(line)
            properties = event.get("properties", {})
            uses.append(
                Use(
                    datetime.fromisoformat(event["ts"].replace("Z", "+00:00")),
                    event["account_id"],
                    event.get("user_id"),
                    properties.get("feature", event["event"]),
                    properties.get(value, 0),
                )
            )
    return uses


def recount(
    uses: Iterable[Use], at: datetime, timezone: str, key: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """The measures of every account at an instant, from its events up to that instant.

    `key` are the patterns of key features.
    """
    zone = ZoneInfo(timezone)
    today = at.astimezone(zone).date()
    by_account: dict[str, list[tuple[date, Use]]] = defaultdict(list)
    last: dict[str, datetime] = {}
    for use in uses:
        if use.at <= at:
            by_account[use.account].append((use.at.astimezone(zone).date(), use))
            last[use.account] = max(last.get(use.account, use.at), use.at)
    return {
        account: {
            **_measures(days, today),
            "recency_days": round((at - last[account]) / timedelta(days=1), 3),
            "trend": _trend(days, today),
            "key_features": {f"{width}d": _used(days, today, width, key) for width in WINDOWS},
        }
        for account, days in by_account.items()
    }


def _measures(days: list[tuple[date, Use]], today: date) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {
        name: {} for name in ("events", "value", "active_users", "features", "active_days")
    }
    for width in WINDOWS:
        one_day = timedelta(days=1)
        complete = _count(days, today - width * one_day, today - one_day)
        running = _count(days, today - (width - 1) * one_day, today)
        for name, counts in out.items():
            counts[f"{width}d"] = max(complete[name], running[name])
    return out


def _trend(days: list[tuple[date, Use]], today: date) -> float | None:
    ages = [(today - day).days for day, _ in days]
    week = max(len([a for a in ages if 1 <= a <= 7]), len([a for a in ages if 0 <= a <= 6]))
    before = len([a for a in ages if 8 <= a <= 35])
    if not before or not any(35 <= a <= 92 for a in ages):
        return None
    return round(week / (before / 4), 3)


def _used(days: list[tuple[date, Use]], today: date, width: int, key: Sequence[str]) -> int:
    names = {use.feature for day, use in days if 0 <= (today - day).days <= width}
    return len([each for each in key if any(fnmatchcase(name, each) for name in names)])


def _count(days: list[tuple[date, Use]], first: date, last: date) -> dict[str, int]:
    inside = [(day, use) for day, use in days if first <= day <= last]
    return {
        "events": len(inside),
        "value": sum(use.value for _, use in inside),
        "active_users": len({use.user for _, use in inside if use.user is not None}),
        "features": len({use.feature for _, use in inside}),
        "active_days": len({day for day, _ in inside}),
    }
