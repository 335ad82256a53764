"""A year of an account's scores, as `pulse account` shows it."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.padding import Padding
from rich.text import Text

from pulse.cli.reading import ZONE_STYLES
from pulse.cli.words import listed
from pulse.history import History

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from pulse.config import Config
    from pulse.history import DayRow

_WEEKS: Final = 53
_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_DIGITS: Final = "0123456789"
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_WORST: Final = ("danger", "approaching", "unknown", "healthy")


def days_of(config: Config, account: dict[str, Any]) -> list[DayRow] | None:
    """The days of the year before an account's `as_of`; None where no history is kept here.

    Raises `HistoryError`.
    """
    file = Path(config.history.file)
    if not config.history.enabled or not file.is_file():
        return None
    until = date.fromisoformat(account["as_of"][:10])
    return History(file).account(account["account_id"], until - timedelta(weeks=_WEEKS))


def as_json(days: Sequence[DayRow]) -> list[dict[str, Any]]:
    """The same, as it is written out: oldest first."""
    return [{**day._asdict(), "day": day.day.isoformat()} for day in days]


def year(days: Sequence[DayRow], can_draw: bool) -> Iterator[RenderableType]:
    """The weeks of a year, drawn, and what there is to say of them."""
    scored = [day for day in days if day.score is not None]
    if not scored:
        yield Text("\nThe year: nothing is known of it yet", "dim")
        return
    yield Text("\nThe year, week by week")
    months, scores, line = _drawn(scored, can_draw)
    for row in (scores, line, months):
        yield Padding(row, (0, 0, 0, 2), expand=False)
    yield Text(f"  {_said(scored)}")


def _drawn(days: Sequence[DayRow], can_draw: bool) -> tuple[Text, Text, Text]:
    """The months, each week's mean score, and below which of them the line was."""
    signs = _BLOCKS if can_draw else _DIGITS
    last = days[-1].day
    weeks: dict[int, list[DayRow]] = {}
    for day in days:
        weeks.setdefault((last - day.day).days // 7, []).append(day)
    scores, marks, months = Text(), Text(), ""
    for back in range(max(weeks), -1, -1):
        begins = last - timedelta(days=7 * back + 6)
        if begins.day <= 7 and len(months) <= max(weeks) - back:
            months = months.ljust(max(weeks) - back)
            months += _MONTHS[3 * begins.month - 3 : 3 * begins.month]
        week = weeks.get(back)
        if week is None:
            scores.append(" ")
            marks.append(" ")
            continue
        mean = sum(day.score or 0.0 for day in week) / len(week)
        zone = min((day.zone for day in week), key=_WORST.index)
        scores.append(signs[min(int(mean * len(signs) / 100.0), len(signs) - 1)], ZONE_STYLES[zone])
        marks.append("^" if zone == "danger" else " ", ZONE_STYLES["danger"])
    return Text(months, "dim"), scores, marks


def _said(days: Sequence[DayRow]) -> str:
    low = min(days, key=lambda day: day.score or 0.0)
    high = max(days, key=lambda day: day.score or 0.0)
    parts = [f"highest {high.score:.1f} on {high.day}", f"lowest {low.score:.1f} on {low.day}"]
    below = [day.day for day in days if day.zone == "danger"]
    if below:
        entered = [day for day in below if day - timedelta(days=1) not in set(below)]
        since = listed([day.isoformat() for day in entered[-3:]])
        parts.append(f"in danger (^) on {len(below)} of {len(days)} days, from {since} on")
    else:
        parts.append(f"never in danger in {len(days)} days")
    return "; ".join(parts)
