"""Which day an instant belongs to, where days are not 24 hours of UTC."""

from __future__ import annotations

from datetime import date

import pytest

from pulse.engagement.days import DAY_MS, MINUTE_MS, Calendar, day_of, day_start
from pulse.model.time import format_ms, parse_ts

HOUR_MS = 3_600_000


def number(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def begins(day: str, timezone: str) -> str:
    return format_ms(day_start(number(day), timezone))


def hours(day: str, timezone: str) -> float:
    n = number(day)
    return (day_start(n + 1, timezone) - day_start(n, timezone)) / HOUR_MS


@pytest.mark.parametrize(
    ("timezone", "day", "start", "length_h"),
    [
        ("UTC", "2024-02-29", "2024-02-29T00:00:00Z", 24),
        ("UTC", "2023-03-01", "2023-03-01T00:00:00Z", 24),
        ("Pacific/Kiritimati", "2024-01-01", "2023-12-31T10:00:00Z", 24),
        ("Pacific/Pago_Pago", "2024-01-01", "2024-01-01T11:00:00Z", 24),
        ("Asia/Kathmandu", "2024-01-01", "2023-12-31T18:15:00Z", 24),
        # Clocks go forward, clocks go back.
        ("Europe/Berlin", "2024-03-31", "2024-03-30T23:00:00Z", 23),
        ("Europe/Berlin", "2024-10-27", "2024-10-26T22:00:00Z", 25),
        ("Australia/Lord_Howe", "2024-10-06", "2024-10-05T13:30:00Z", 23.5),
        # There is no midnight: the day begins at one.
        ("America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", 23),
        ("Africa/Cairo", "2024-04-26", "2024-04-25T22:00:00Z", 23),
        # There are two: the first counts.
        ("America/Havana", "2024-11-03", "2024-11-03T04:00:00Z", 25),
        # Clocks go back a minute after midnight, into the day before.
        ("America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z", 25),
        # Dates that never were.
        ("Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", 24),
        ("Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", 0),
        ("Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", 24),
        ("Pacific/Kwajalein", "1993-08-21", "1993-08-21T12:00:00Z", 0),
        # An offset with seconds; a day begins with a minute all the same.
        ("Africa/Monrovia", "1970-06-01", "1970-06-01T00:45:00Z", 24),
    ],
)
def test_when_a_day_begins_and_how_long_it_is(
    timezone: str, day: str, start: str, length_h: float
) -> None:
    assert begins(day, timezone) == start
    assert hours(day, timezone) == length_h


@pytest.mark.parametrize(
    ("timezone", "at", "day"),
    [
        ("UTC", "2024-02-29T23:59:59.999Z", "2024-02-29"),
        ("UTC", "2024-03-01T00:00:00Z", "2024-03-01"),
        ("Pacific/Kiritimati", "2023-12-31T09:59:59.999Z", "2023-12-31"),
        ("Pacific/Kiritimati", "2023-12-31T10:00:00Z", "2024-01-01"),
        # 00:30 before and after the clock goes back to midnight.
        ("America/Havana", "2024-11-03T04:30:00Z", "2024-11-03"),
        ("America/Havana", "2024-11-03T05:30:00Z", "2024-11-03"),
        # 23:30 for the second time, after the first minute of the new day.
        ("America/St_Johns", "2010-11-07T02:29:59Z", "2010-11-06"),
        ("America/St_Johns", "2010-11-07T03:00:00Z", "2010-11-07"),
        ("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"),
        ("Pacific/Apia", "9999-12-31T23:59:59Z", "9999-12-30"),
        ("America/Los_Angeles", "1970-01-01T00:00:00Z", "1969-12-31"),
    ],
)
def test_which_day_holds_an_instant(timezone: str, at: str, day: str) -> None:
    assert date.fromordinal(day_of(parse_ts(at), timezone)).isoformat() == day


def lived(calendar: Calendar, zones: list[str]) -> list[tuple[int, int, int]]:
    """Steps through days, each in the zone given: (number, start, end) of each."""
    days = [(calendar.day, calendar.start_ms, calendar.end_ms)]
    for timezone in zones:
        calendar.step(timezone)
        days.append((calendar.day, calendar.start_ms, calendar.end_ms))
    return days


EAST, WEST = "Pacific/Kiritimati", "Pacific/Pago_Pago"  # UTC+14, UTC-11


def test_moving_from_plus_14_to_minus_11_and_back() -> None:
    calendar = Calendar(EAST, number("2024-01-10"))
    days = lived(calendar, [EAST, WEST, WEST, EAST, EAST])

    assert [
        (date.fromordinal(day).isoformat(), format_ms(start), (end - start) / HOUR_MS)
        for day, start, end in days
    ] == [
        ("2024-01-10", "2024-01-09T10:00:00Z", 24),
        ("2024-01-11", "2024-01-10T10:00:00Z", 24),
        # It is the 10th in the west already past 23:00; the number does not go back.
        ("2024-01-12", "2024-01-11T10:00:00Z", 49),
        ("2024-01-13", "2024-01-13T11:00:00Z", 24),
        # In the east the 15th has begun: a number is skipped.
        ("2024-01-15", "2024-01-14T11:00:00Z", 23),
        ("2024-01-16", "2024-01-15T10:00:00Z", 24),
    ]


def test_days_of_the_past_keep_the_zone_they_were_lived_in() -> None:
    calendar = Calendar(EAST, number("2024-01-10"))
    days = lived(calendar, [EAST, WEST, WEST, EAST, "Europe/Berlin", "Europe/Berlin"])

    for day, start, end in days:
        for at_ms in range(start, end, 30 * MINUTE_MS):
            assert calendar.day_of(at_ms) == day


def test_a_date_that_the_zone_skipped_is_no_day() -> None:
    calendar = Calendar("Pacific/Apia", number("2011-12-29"))
    calendar.step("Pacific/Apia")

    assert date.fromordinal(calendar.day).isoformat() == "2011-12-31"
    assert calendar.start_ms == parse_ts("2011-12-30T10:00:00Z")
    assert calendar.day_of(parse_ts("2011-12-30T09:59:00Z")) == number("2011-12-29")


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Berlin", "Pacific/Apia", "America/Sao_Paulo"])
def test_a_jump_ends_where_steps_would(timezone: str) -> None:
    start = number("2011-10-01")
    stepped, jumped = Calendar(timezone, start), Calendar(timezone, start)
    at_ms = parse_ts("2012-04-05T06:07:08Z")
    while stepped.end_ms <= at_ms:
        stepped.step(timezone)
    jumped.jump(at_ms)

    assert (jumped.day, jumped.start_ms, jumped.end_ms) == (
        stepped.day,
        stepped.start_ms,
        stepped.end_ms,
    )


def test_a_jump_does_not_go_back() -> None:
    calendar = Calendar(EAST, number("2024-01-10"))
    calendar.step(WEST)  # one long day, ahead of the west's date
    day = calendar.day
    calendar.jump(calendar.start_ms + HOUR_MS)

    assert calendar.day == day


def test_zones_of_long_ago_are_forgotten() -> None:
    calendar = Calendar("UTC", number("2024-01-01"))
    zones = ["Europe/Berlin", "Asia/Tokyo", "UTC"]
    for timezone in zones:
        for _ in range(10):
            calendar.step(timezone)
    before = calendar.start_ms - 15 * DAY_MS
    calendar.forget(before)

    assert [timezone for _, _, timezone in calendar.segments] == ["Asia/Tokyo", "UTC"]
    assert calendar.day_of(before) == day_of(before, "Asia/Tokyo")
