"""The danger line: hysteresis and dwell."""

from __future__ import annotations

from pulse.engagement.days import NO_INSTANT
from pulse.engagement.line import Line, Trigger, zone_of

ENTER, EXIT, DWELL_MS = 40.0, 50.0, 100


def follow(trigger: Trigger, *scores: tuple[int, float]) -> list[bool]:
    return [trigger.follow(score, ENTER, EXIT, DWELL_MS, at_ms) for at_ms, score in scores]


def test_it_goes_on_when_the_score_has_been_below_for_the_dwell() -> None:
    trigger = Trigger()

    assert follow(trigger, (0, 39.9), (99, 10.0), (100, 39.9)) == [False, False, True]
    assert (trigger.on, trigger.since_ms, trigger.turning_ms) == (True, 0, NO_INSTANT)


def test_the_line_itself_is_not_below_the_line() -> None:
    trigger = Trigger()
    follow(trigger, (0, 40.0), (1000, 40.0))

    assert trigger.on is False
    assert trigger.turning_ms == NO_INSTANT


def test_a_score_that_comes_back_in_time_starts_the_dwell_again() -> None:
    trigger = Trigger()
    follow(trigger, (0, 30.0), (50, 41.0), (60, 30.0), (159, 30.0))
    assert trigger.on is False

    follow(trigger, (160, 30.0))
    assert (trigger.on, trigger.since_ms) == (True, 60)


def test_nothing_flaps_between_enter_and_exit() -> None:
    trigger = Trigger()
    follow(trigger, (0, 30.0), (100, 30.0))
    turned = follow(trigger, *((200 + n, 40.0 + n % 10) for n in range(500)))

    assert not any(turned)
    assert trigger.on is True


def test_it_goes_off_when_the_score_has_been_at_the_exit_for_the_dwell() -> None:
    trigger = Trigger()
    follow(trigger, (0, 30.0), (100, 30.0))

    assert follow(trigger, (200, 50.0), (299, 50.0), (300, 50.0)) == [False, False, True]
    assert (trigger.on, trigger.since_ms) == (False, 200)


def test_without_a_dwell_it_turns_at_once() -> None:
    trigger = Trigger()

    assert trigger.follow(39.0, ENTER, EXIT, 0, at_ms=7) is True
    assert trigger.since_ms == 7


def test_danger_hides_approaching() -> None:
    danger, approach = Trigger(), Trigger()
    assert zone_of(danger, approach) == "healthy"
    approach.on = True
    assert zone_of(danger, approach) == "approaching"
    danger.on = True
    assert zone_of(danger, approach) == "danger"


def test_the_band_is_left_as_far_above_as_danger_is() -> None:
    line = Line(40, 50, 55, 0, 0, 0)

    assert line.approach_exit == 65
