from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from pulse.alerting.stages.hours import Hours, Interval, next_time

WORK = Interval(name="work", weekdays=(0, 1, 2, 3, 4), times=((540, 720), (780, 1020)))
NIGHT = Interval(name="night", times=((0, 360), (1320, 1440)))
GAP = Interval(name="gap", times=((150, 300),))  # begins where the clocks are put forward
SUNDAY = Interval(name="sunday", weekdays=(6,))
EASTER = Interval(name="easter", dates=(date(2024, 3, 31), date(2024, 4, 1)))


def ms(text: str, zone: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def minute_by_minute(hours: Hours, at_ms: int, zone: str) -> int | None:
    """When it opens, found by looking at each minute."""
    if hours.closed_by(at_ms, zone) is None:
        return None
    at_ms += 60_000 - at_ms % 60_000
    while hours.closed_by(at_ms, zone) is not None:
        at_ms += 60_000
    return at_ms


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize(
    "hours",
    [
        Hours(active=(WORK,)),
        Hours(active=(WORK, SUNDAY), mute=(EASTER,)),
        Hours(mute=(NIGHT,)),
        Hours(active=(GAP,)),
        pytest.param(Hours(active=(GAP, SUNDAY), mute=(NIGHT,)), marks=pytest.mark.long),
    ],
)
def test_it_opens_when_a_look_at_every_minute_says_so(hours: Hours, zone: str) -> None:
    # Both changes of the clocks in all three zones are within these days.
    for begin in (
        "2024-03-08T05:07:13",
        "2024-03-29T16:00",
        "2024-04-05T16:59",
        "2024-10-25T18:30",
    ):
        for step in range(40):
            at_ms = ms(begin, zone) + step * 7 * 1_234_567
            assert hours.held_until(at_ms, zone) == minute_by_minute(hours, at_ms, zone)


def test_without_intervals_it_is_always_open() -> None:
    assert Hours().held_until(0, "UTC") is None


def test_what_never_opens_is_looked_at_again_within_a_year() -> None:
    never = Hours(active=(Interval(name="past", dates=(date(2020, 1, 1),)),))
    at_ms = ms("2024-01-01T00:00", "UTC")

    assert never.held_until(at_ms, "UTC") == at_ms + 370 * 86_400_000


def test_many_that_ask_within_a_minute_cost_one_search(monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[int] = []
    search = Hours.opens_ms
    monkeypatch.setattr(Hours, "opens_ms", lambda *args: searches.append(args[1]) or search(*args))
    hours = Hours(active=(Interval(name="rare", dates=(date(2024, 11, 30),)),))
    at_ms = ms("2024-01-01T00:00", "UTC")
    found = {hours.held_until(at_ms + 59 * number, "UTC") for number in range(1_000)}

    assert found == {ms("2024-11-30T00:00", "UTC")}
    assert len(searches) == 1


def test_the_next_digest_is_at_its_hour_in_the_receivers_day() -> None:
    zone = "Europe/Berlin"
    friday = ms("2024-03-29T09:00", zone)

    assert next_time(friday - 1, 540, (), zone) == friday
    assert next_time(friday, 540, (), zone) == ms("2024-03-30T09:00", zone)
    assert next_time(friday, 540, (0,), zone) == ms("2024-04-01T09:00", zone)
    assert next_time(friday, 540, (4,), zone) == ms("2024-04-05T09:00", zone)
