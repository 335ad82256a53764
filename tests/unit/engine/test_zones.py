"""Zones over time: who never changes, who does, and what ends an episode."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, MINUTE_MS
from pulse.engagement.line import Line
from pulse.engagement.scorecard import MeasureRule, Scorecard, Target
from pulse.engine import SegmentPolicy
from pulse.model.time import format_ms, parse_ts
from pulse.testing.histories import profile, usage
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.engine import Policy

HOUR_MS = 3_600_000
START_MS = parse_ts("2024-01-01T00:00:00Z")  # a Monday, and 2024 is a leap year
POLICY = policy(Config())


def at(day: float) -> int:
    return START_MS + round(day * DAY_MS)


def days(
    play: Play, first: int, last: int, worked: Callable[[int], bool] = lambda day: True
) -> None:
    """Lives through days: three users at ten o'clock on those that are worked."""
    for day in range(first, last):
        if worked(day):
            play.tick(at(day + 10 / 24))
            for user in ("ada", "bob", "cyd"):
                play.add(usage(f"{day} {user}", "acme", at(day + 10 / 24), user_id=user))
        play.tick(at(day + 1) + 2_000)


def states(play: Play) -> list[tuple[str, str, str | None]]:
    alerts = play.outcome.alerts_in_order()
    return [(alert.reason, alert.status, alert.resolution) for alert in alerts]


def instants(play: Play, reason: str) -> list[str]:
    return [format_ms(a.at) for a in play.outcome.alerts_in_order() if a.reason == reason]


# -- who never changes --------------------------------------------------------------------------


def local(day: int, hour: int, timezone: str) -> int:
    """An hour of the clock on the wall there."""
    moment = datetime(2024, 1, 1, hour, tzinfo=ZoneInfo(timezone)) + timedelta(days=day)
    return round(moment.timestamp() * 1000)


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Kiritimati", "Europe/Berlin", "Asia/Beirut"])
@pytest.mark.parametrize("week", ["every day", "weekdays", "once"])
def test_a_steady_account_never_changes_zone(week: str, timezone: str) -> None:
    worked = {"every day": range(7), "weekdays": range(5), "once": (2,)}[week]
    play = Play(POLICY)
    play.add(profile("p", "acme", START_MS - DAY_MS, timezone=timezone, seats=4))
    zones = []
    for day in range(366):
        if day % 7 in worked:
            at_ms = local(day, 10, timezone)
            play.tick(at_ms)
            for user in ("ada", "bob", "cyd"):
                play.add(usage(f"{day} {user}", "acme", at_ms, user_id=user, event=f"use.{user}"))
        for hour in (0, 6, 12, 18):
            play.tick(at(day) + hour * HOUR_MS + 2_000)
            zones.append(play.status("acme")["zone"])

    assert zones == sorted(zones, reverse=True)  # unknown, then healthy
    assert zones[40 * 4] == "healthy"
    assert play.outcome.alerts == []


def test_an_account_that_moves_round_the_world_and_back_stays_healthy() -> None:
    play = Play(POLICY)
    days(play, 0, 60)
    for day, timezone in ((60, "Pacific/Kiritimati"), (80, "Pacific/Pago_Pago"), (100, None)):
        play.add(profile(f"move {day}", "acme", at(day), timezone=timezone))
        days(play, day, day + 20)
    days(play, 120, 200)

    assert play.status("acme")["zone"] == "healthy"
    assert play.outcome.alerts == []
    assert play.status("acme")["measures"]["active_days"] == {"7d": 7, "28d": 28, "84d": 84}


# -- who does -----------------------------------------------------------------------------------


def test_an_account_that_fades_approaches_crosses_and_falls_silent() -> None:
    play = Play(POLICY)
    days(play, 0, 90)
    days(play, 90, 118, lambda day: day % 7 == 0)
    days(play, 118, 180, lambda day: False)

    assert states(play) == [
        ("usage_drop", "firing", None),
        ("approaching", "firing", None),
        ("approaching", "resolved", "crossed"),
        ("danger", "firing", None),
        ("usage_drop", "resolved", "settled"),
        ("silence", "firing", None),
    ]
    _, approaching, crossed, danger, _, silence = play.outcome.alerts_in_order()
    assert approaching.id == crossed.id
    assert crossed.at == danger.at
    assert (danger.previous_zone, danger.zone) == ("approaching", "danger")
    assert silence.at == at(112 + 10 / 24 + 21)
    assert "active days 28 → 4" in approaching.summary


def test_who_comes_back_recovers() -> None:
    play = Play(POLICY)
    days(play, 0, 60)
    days(play, 60, 120, lambda day: False)
    before = len(play.outcome.alerts)
    days(play, 120, 150)

    assert states(play)[before:] == [
        ("silence", "resolved", "active_again"),
        ("danger", "resolved", "recovered"),
    ]
    assert play.status("acme")["zone"] == "healthy"
    assert play.status("acme")["lifecycle"] == "current"


def test_who_has_left_raises_nothing_more() -> None:
    play = Play(POLICY)
    days(play, 0, 60)
    days(play, 60, 400, lambda day: False)
    left_at = at(59 + 10 / 24 + 180)

    assert states(play)[-2:] == [
        ("danger", "resolved", "churned"),
        ("silence", "resolved", "churned"),
    ]
    assert {alert.at for alert in play.outcome.alerts[-2:]} == {left_at}
    assert play.status("acme")["lifecycle"] == "churned"


@pytest.mark.parametrize("returns_at", [250.5, 59 + 10 / 24 + 180 + 1 / 24, 59 + 10 / 24 + 180])
def test_who_had_left_begins_again(returns_at: float) -> None:
    play = Play(POLICY)
    days(play, 0, 60)
    days(play, 60, int(returns_at), lambda day: False)
    play.tick(at(returns_at) - 1)
    play.add(usage("back", "acme", at(returns_at), user_id="ada"))
    before = len(play.outcome.alerts)
    play.tick(at(returns_at) + 2 * MINUTE_MS)

    assert play.state.account("acme").alerts == {}
    assert play.status("acme")["zone"] == "healthy"
    assert play.status("acme")["lifecycle"] == "resurrected"
    assert len(play.outcome.alerts) == before

    days(play, int(returns_at) + 1, int(returns_at) + 100, lambda day: False)
    assert ("danger", "firing", None) in states(play)[before:]


def test_the_first_alert_after_the_return_is_another_one() -> None:
    play = Play(POLICY)
    days(play, 0, 60)
    days(play, 60, 300, lambda day: False)
    days(play, 300, 340)
    days(play, 340, 420, lambda day: False)
    fired = [a.id for a in play.outcome.alerts if (a.reason, a.status) == ("danger", "firing")]

    assert len(fired) == len(set(fired)) == 2


def test_an_account_is_resurrected_for_a_while() -> None:
    play = Play(POLICY)
    days(play, 0, 30)
    days(play, 30, 70, lambda day: False)
    assert play.status("acme")["lifecycle"] == "dormant"
    days(play, 70, 71)
    assert play.status("acme")["lifecycle"] == "resurrected"
    days(play, 71, 110)
    assert play.status("acme")["lifecycle"] == "current"


# -- unknown ------------------------------------------------------------------------------------


def test_too_young_or_hardly_used_is_unknown_and_never_red() -> None:
    play = Play(POLICY)
    days(play, 0, 4)
    days(play, 4, 170, lambda day: False)

    assert play.status("acme")["zone"] == "unknown"
    assert play.status("acme")["score"] == 0.0
    assert play.outcome.alerts == []


def seat_policy(floor_days: int = 28) -> Policy:
    """A score that seats alone make: it is missing when they are."""
    card = Scorecard((MeasureRule("seats", "active_users", 0, 1, 0, Target("per_seat", 1.0)),))
    line = Line(40, 50, 55, 0, floor_days * DAY_MS, 5)
    return replace(POLICY, default=SegmentPolicy(card, line), silence=None)


def test_entering_unknown_freezes_an_episode() -> None:
    play = Play(seat_policy())
    play.add(profile("p1", "acme", at(0), seats=3))
    days(play, 0, 40)
    play.add(profile("p2", "acme", at(40), seats=30))
    days(play, 40, 45)
    assert states(play) == [("danger", "firing", None)]

    play.add(profile("p3", "acme", at(45), seats=None))  # nobody knows any more
    days(play, 45, 50)
    assert play.status("acme")["zone"] == "unknown"
    assert play.status("acme")["score"] is None
    assert states(play) == [("danger", "firing", None)]

    play.add(profile("p4", "acme", at(50), seats=30))  # still there: the same episode
    days(play, 50, 55)
    assert play.status("acme")["zone"] == "danger"
    assert states(play) == [("danger", "firing", None)]

    play.add(profile("p5", "acme", at(55), seats=3))
    days(play, 55, 60)
    assert states(play) == [("danger", "firing", None), ("danger", "resolved", "recovered")]
    assert len({alert.id for alert in play.outcome.alerts}) == 1


def test_nothing_starts_while_it_is_unknown() -> None:
    play = Play(seat_policy())
    play.add(profile("p1", "acme", at(0), seats=3))
    days(play, 0, 40)
    play.add(profile("p2", "acme", at(40), seats=None))
    days(play, 40, 42)
    play.add(profile("p3", "acme", at(42) + HOUR_MS, seats=30))
    play.tick(at(42) + 2 * HOUR_MS)
    assert play.status("acme")["zone"] == "unknown"  # known again at the start of the next day
    assert states(play) == []

    days(play, 42, 44)
    assert instants(play, "danger") == [format_ms(at(43))]


def test_what_was_turning_starts_again_after_unknown() -> None:
    slow = seat_policy()
    line = replace(slow.default.line, dwell_ms=3 * DAY_MS)
    slow = replace(slow, default=replace(slow.default, line=line))
    play = Play(slow)
    for day, seats in ((0, 3), (40, 30), (42, None), (43, 30)):
        play.add(profile(f"p{day}", "acme", at(day), seats=seats))
        days(play, day, {0: 40, 40: 42, 42: 43, 43: 60}[day])

    # Below the line since the 40th day; again since the 44th, which is when it counts from.
    assert instants(play, "danger") == [format_ms(at(47))]


# -- dwell and segments -------------------------------------------------------------------------


def quick(dwell_ms: int) -> Policy:
    base = seat_policy()
    line = replace(base.default.line, dwell_ms=dwell_ms)
    return replace(base, default=replace(base.default, line=line))


@pytest.mark.parametrize("dwell_ms", [0, MINUTE_MS, 90_000, 5 * HOUR_MS, DAY_MS, 3 * DAY_MS + 1])
@pytest.mark.parametrize("step_ms", [1_000, HOUR_MS, 10 * DAY_MS])
def test_an_alert_is_stamped_with_the_instant_the_dwell_ended(dwell_ms: int, step_ms: int) -> None:
    play = Play(quick(dwell_ms))
    play.add(profile("p1", "acme", at(0), seats=3))
    days(play, 0, 40)
    changed_ms = at(40) + 7 * HOUR_MS + 12_345
    play.tick(changed_ms)
    play.add(profile("p2", "acme", changed_ms, seats=30))
    closed_ms = at(40) + 7 * HOUR_MS + MINUTE_MS
    due_ms = closed_ms + dwell_ms
    if step_ms == 1_000:
        play.tick(due_ms - 1)
        assert states(play) == []
        for tick_ms in range(due_ms, due_ms + 3_000, step_ms):
            play.tick(tick_ms)
    else:
        play.tick(due_ms + step_ms)

    assert states(play) == [("danger", "firing", None)]
    (alert,) = play.outcome.alerts
    assert (alert.at, alert.started_at, alert.since) == (due_ms, due_ms, closed_ms)


def segmented(names: Iterable[str]) -> Policy:
    base = quick(0)
    strict = replace(base.default, line=replace(base.default.line, enter=80, exit=90, approach=95))
    return replace(base, segments=dict.fromkeys(names, strict))


def test_a_segment_has_its_own_line() -> None:
    play = Play(segmented(["enterprise"]))
    play.add(profile("p1", "acme", at(0), seats=4))
    days(play, 0, 40)
    assert play.status("acme")["zone"] == "healthy"  # 75, line 40

    play.add(profile("p2", "acme", at(40), segment="enterprise"))
    play.tick(at(40) + 62_000)
    assert play.status("acme")["zone"] == "danger"  # 75, line 80
    line = play.status("acme")["line"]
    assert (line["enter"], line["exit"], line["approach"]) == (80, 90, 95)

    play.add(profile("p3", "acme", at(40) + 62_000, segment=None))
    play.tick(at(40) + 200_000)
    assert play.status("acme")["zone"] == "healthy"
    assert states(play)[-1] == ("danger", "resolved", "recovered")
