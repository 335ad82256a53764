"""Holidays neither lower a score nor count as silence, for those who have them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pulse.config import Config, ConfigError
from pulse.config.policy import policy
from pulse.engagement.holidays import Holidays
from pulse.model.time import format_ms, parse_ts
from pulse.testing.histories import profile, usage
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from pathlib import Path

DAY_MS = 86_400_000
START_MS = parse_ts("2024-09-02T00:00:00Z")  # a Monday
CLOSED = [date(2024, 12, 23) + timedelta(days=day) for day in range(14)]  # a works holiday


def config(**more: Any) -> Config:
    holidays = {"days": [day.isoformat() for day in CLOSED], **more}
    return Config.model_validate({"holidays": [holidays]})


def year(found: Config, country: str, events: int = 8) -> Play:
    """Mondays to Fridays from September to January, nothing while it is closed."""
    play = Play(policy(found))
    play.add(profile("p", "acme", START_MS, country=country, segment="pro"))
    for day in range(150):
        today = date(2024, 9, 2) + timedelta(days=day)
        at_ms = START_MS + day * DAY_MS + 36_000_000
        play.tick(at_ms)
        if day % 7 < 5 and today not in CLOSED:
            for number in range(events):
                user = f"user {number % 4}"
                play.add(usage(f"{day}-{number}", "acme", at_ms + number, user_id=user))
        play.tick(START_MS + (day + 1) * DAY_MS + 2_000)
    play.settle()
    return play


def test_two_weeks_of_holidays_raise_nothing() -> None:
    assert year(config(countries=["DE"]), "DE").outcome.alerts == []
    assert year(config(segments=["pro"]), "FR").outcome.alerts == []
    assert year(config(), "FR").outcome.alerts == []


def test_who_does_not_have_them_is_told_of() -> None:
    for found in (config(countries=["DE"]), config(segments=["enterprise"])):
        reasons = {alert.reason for alert in year(found, "FR").outcome.alerts}
        assert "usage_drop" in reasons


def test_silence_waits_as_long_as_the_holidays_last() -> None:
    closed = [date(2024, 10, 10), date(2024, 10, 20), date(2024, 10, 29)]
    said = {"holidays": [{"days": [day.isoformat() for day in closed]}]}
    play = Play(policy(Config.model_validate(said)))
    last_ms = parse_ts("2024-10-04T10:00:00Z")
    for day in range(30):
        play.add(usage(f"e{day}", "acme", last_ms - (29 - day) * DAY_MS))
    for day in range(40):
        play.tick(last_ms + day * DAY_MS + 3_600_000)

    [silence] = [alert for alert in play.outcome.alerts if alert.reason == "silence"]
    # 21 days are over on the 25th; two holidays lie before, and put off to the 27th it stays.
    assert format_ms(silence.at) == "2024-10-27T10:00:00Z"


def test_holidays_are_put_off_over_holidays() -> None:
    assert Holidays([5, 6, 7]).put_off(0, 5) == 8
    assert Holidays([6]).put_off(0, 5) == 5
    assert Holidays([0, 5]).put_off(0, 5) == 6


def test_a_date_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pulse.yaml"
    file.write_text("holidays:\n  - days: [2024-02-30]\n")
    with pytest.raises(ConfigError, match="2:"):
        Config.load(file)
    file.write_text("holidays:\n  - days: [2024-12-25]\n    countries: [DE]\n")
    assert Config.load(file).holidays[0].days == (date(2024, 12, 25),)
