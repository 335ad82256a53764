"""Working time, held against going through it hour by hour."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from pulse.engagement.days import HOUR_MS, NEVER
from pulse.engagement.holidays import Holidays
from pulse.engagement.working import earlier, later
from pulse.model.time import parse_ts

CHRISTMAS = [date(2024, 12, 25), date(2024, 12, 26), date(2024, 12, 28)]
HOLIDAYS = Holidays([day.toordinal() for day in CHRISTMAS])


def hours_between(begin_ms: int, end_ms: int, zone: ZoneInfo) -> int:
    """Working hours, counted one by one; both instants are at full hours."""
    hours = 0
    for at_ms in range(begin_ms, end_ms, HOUR_MS):
        day = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).date()
        hours += day.weekday() < 5 and day not in CHRISTMAS
    return hours


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("month", [3, 10, 12])
def test_only_working_days_count(timezone: str, month: int) -> None:
    chance, zone = random.Random(month), ZoneInfo(timezone)
    for _ in range(60):
        at_ms = parse_ts(f"2024-{month:02}-01T00:00:00Z") + chance.randrange(31 * 24) * HOUR_MS
        hours = chance.choice([1, 8, 24, 48, 100])
        due_ms = later(at_ms, hours * HOUR_MS, timezone, HOLIDAYS)
        assert hours_between(at_ms, due_ms, zone) == hours
        assert hours_between(at_ms, due_ms - HOUR_MS, zone) == hours - 1
        since_ms = earlier(at_ms, hours * HOUR_MS, timezone, HOLIDAYS)
        assert hours_between(since_ms, at_ms, zone) == hours
        assert hours_between(since_ms + HOUR_MS, at_ms, zone) == hours - 1


def test_one_is_the_inverse_of_the_other() -> None:
    chance = random.Random(1)
    start_ms = parse_ts("2024-12-20T00:00:00Z")
    for _ in range(2_000):
        at_ms = start_ms + chance.randrange(10 * 24) * HOUR_MS // chance.choice([1, 7])
        by_ms = chance.choice([1, HOUR_MS, 24 * HOUR_MS, 30 * HOUR_MS + 1])
        due_ms = later(at_ms, by_ms, "UTC", HOLIDAYS)
        assert earlier(due_ms, by_ms, "UTC", HOLIDAYS) >= at_ms
        assert earlier(due_ms - 1, by_ms, "UTC", HOLIDAYS) < at_ms


def test_at_the_end_of_time_nothing_is_due() -> None:
    assert later(parse_ts("9999-12-29T00:00:00Z"), 10_000 * HOUR_MS, "UTC", None) == NEVER
