"""What `pulse account` says of a year."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pulse.cli.account_year import as_json, days_of, year
from pulse.config import Config
from pulse.history import DayRow, History

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIRST = date(2025, 1, 6)


def row(day: int, score: float | None) -> DayRow:
    zone: Any = "unknown" if score is None else "danger" if score < 40 else "healthy"
    return DayRow(FIRST + timedelta(day), score, zone, "current", 40, 50, 0, 1, 1, 1, 1, 1)


def shown(days: Sequence[DayRow], *, can_draw: bool = True) -> list[str]:
    console = Console(width=200, color_system=None)
    with console.capture() as captured:
        for each in year(days, can_draw):
            console.print(each)
    return [line.rstrip() for line in captured.get().splitlines()]


def test_weeks_are_drawn_and_the_days_in_danger_named() -> None:
    days = [row(n, 90.0 if n < 70 else 10.0 if n < 84 else 60.0) for n in range(98)]
    _, _, scores, marks, months, said = shown(days)
    assert scores == "  " + "█" * 10 + "▁" * 2 + "▅" * 2
    assert marks == "  " + " " * 10 + "^" * 2
    assert months.split() == ["Jan", "Feb", "Mar", "Apr"]
    assert said == (
        "  highest 90.0 on 2025-01-06; lowest 10.0 on 2025-03-17; "
        "in danger (^) on 14 of 98 days, from 2025-03-17 on"
    )
    assert shown(days, can_draw=False)[2] == "  " + "9" * 10 + "1" * 2 + "6" * 2


def test_a_gap_is_a_gap_and_nothing_is_nothing() -> None:
    days = [row(0, 50.0), row(1, None), row(28, 50.0)]
    assert shown(days)[2] == "  ▅   ▅"
    assert "never in danger in 2 days" in shown(days)[-1]
    assert shown([row(0, None)]) == ["", "The year: nothing is known of it yet"]


def test_only_where_a_history_is_kept(tmp_path: Path) -> None:
    account = {"account_id": "acme", "as_of": "2026-01-01T00:00:00Z"}
    there = Config.model_validate({"history": {"file": str(tmp_path / "history")}})
    assert days_of(there, account) is None
    History(tmp_path / "history").prepare()
    assert days_of(there, account) == []
    off = Config.model_validate({"history": {**there.history.model_dump(), "enabled": False}})
    assert days_of(off, account) is None


def test_as_json() -> None:
    (said,) = as_json([row(0, 12.5)])
    assert (said["day"], said["score"], said["zone"]) == ("2025-01-06", 12.5, "danger")
