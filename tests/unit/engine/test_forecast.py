"""Approaching by the band or by projection, and saying which."""

from __future__ import annotations

from datetime import date, timedelta

from pulse.config import Config
from pulse.config.policy import policy
from pulse.model.time import format_ms, parse_ts
from pulse.testing.histories import usage
from pulse.testing.playing import Play

DAY_MS = 86_400_000
START_MS = parse_ts("2024-01-01T00:00:00Z")
SCORECARD = [{"measure": "active_days", "window": "28d", "weight": 1, "target": 28}]


def fading(forecast_days: int, until: int) -> Play:
    """An account used on each of 60 days, then on every third: a third of a point a day."""
    line = {"enter": 40, "exit": 50, "approach": 50, "forecast_days": forecast_days}
    play = Play(policy(Config.model_validate({"scorecard": SCORECARD, "line": line})))
    for day in range(until):
        if day < 60 or day % 3 == 0:
            at_ms = START_MS + day * DAY_MS + 36_000_000
            play.tick(at_ms)
            play.add(usage(f"e{day}", "acme", at_ms, user_id="ada"))
        play.tick(START_MS + (day + 1) * DAY_MS + 2_000)
    play.settle()
    return play


def approaching(play: Play) -> list[tuple[str, str]]:
    return [
        (format_ms(alert.at)[:10], alert.status)
        for alert in play.outcome.alerts
        if alert.reason == "approaching"
    ]


def test_falling_scores_are_told_before_the_band() -> None:
    by_band, projected = fading(0, 120), fading(14, 120)
    [(band_day, _), *_] = approaching(by_band)
    [(first_day, _), *_] = approaching(projected)

    assert first_day < band_day
    first = next(each for each in projected.outcome.alerts if each.reason == "approaching")
    assert first.evidence["by"] == "projection"
    assert first.score is not None
    assert first.score >= 50
    crosses = date.fromisoformat(str(first.evidence["crosses_on"]))
    soonest, latest = map(date.fromisoformat, map(str, first.evidence["crosses_between"]))  # type: ignore[arg-type]  # any JSON
    assert soonest <= crosses <= latest
    assert crosses <= date.fromisoformat(first_day) + timedelta(days=14)
    assert f"At this pace it crosses on {crosses}" in first.summary
    crossed = next(each for each in projected.outcome.alerts if each.reason == "danger")
    since = date.fromisoformat(format_ms(crossed.since)[:10])
    # A score falls by whole days, so it may come a day sooner or later.
    assert soonest - timedelta(days=1) <= since <= latest + timedelta(days=1)


def test_the_band_is_said_where_it_is_the_band() -> None:
    play = fading(0, 120)
    first = next(each for each in play.outcome.alerts if each.reason == "approaching")

    assert first.evidence["by"] == "band"
    assert first.score is not None
    assert first.score < 50


def test_a_fall_that_ends_in_time_ends_the_alert() -> None:
    play = fading(14, 80)
    assert approaching(play) == [(approaching(play)[0][0], "firing")]
    for day in range(80, 110):
        at_ms = START_MS + day * DAY_MS + 36_000_000
        play.tick(at_ms)
        play.add(usage(f"e{day}", "acme", at_ms, user_id="ada"))
        play.tick(START_MS + (day + 1) * DAY_MS + 2_000)
    play.settle()

    assert [status for _, status in approaching(play)] == ["firing", "resolved"]
    assert play.status("acme")["zone"] == "healthy"


def test_a_steady_account_is_never_projected() -> None:
    play = Play(policy(Config()))
    for day in range(200):
        if day % 7 < 5:
            at_ms = START_MS + day * DAY_MS + 36_000_000
            play.tick(at_ms)
            for user in "abc":
                play.add(usage(f"{day}{user}", "acme", at_ms, user_id=user))
        play.tick(START_MS + (day + 1) * DAY_MS + 2_000)

    assert play.outcome.alerts == []
