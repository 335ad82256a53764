"""Days of an account, for pictures and sentences."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from pulse.history import DayRow

FIRST = date(2026, 1, 1)


def day(number: int, score: float | None = 70.0, **changes: Any) -> DayRow:
    """The day so many after the first, healthy where nothing else is said."""
    row = DayRow(
        FIRST + timedelta(number),
        score,
        "healthy",
        "current",
        40.0,
        55.0,
        100.0,
        90.0,
        30.0,
        8,
        5,
        20,
    )
    return row._replace(**changes)
