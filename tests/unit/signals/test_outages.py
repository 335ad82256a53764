"""Stories of a source that stops: what is told of its accounts when it runs again."""

from __future__ import annotations

import pytest

from .story import HOUR_MS, Story, at


def stop(story: Story, first_ms: int, end_ms: int) -> None:
    """The source is stopped from one instant to another."""
    for state, at_ms in (("stopped", first_ms), ("running", end_ms)):
        story.tick(at_ms)
        story.play.source("default", state, at_ms)


@pytest.mark.parametrize("hours", [0, 1])
def test_who_is_back_is_told_whatever_was_not_observed(hours: int) -> None:
    story = Story()
    for day in range(95):
        if hours and day == 78:
            stop(story, at(day), at(day) + hours * HOUR_MS)
        if day % 7 < 5:
            if day < 61 or day >= 84:
                story.use(at(day) + 9 * HOUR_MS, "ada", times=4)
            story.use(at(day) + 10 * HOUR_MS, "bob")
        story.tick(at(day + 1) + 2_000)
    assert story.told("champion_gone") == [
        ("champion_gone", "firing", at(61 + 14)),
        ("champion_gone", "active_again", at(85)),
    ]


@pytest.mark.parametrize("days", [1.5, 5, 20])
def test_a_step_that_fell_due_meanwhile_is_told_when_the_source_runs_again(days: float) -> None:
    steps = [{"event": "created", "within_days": 2}, {"event": "invited", "within_days": 1}]
    story = Story({"signals": {"stalled_onboarding": {"steps": steps}}})
    story.use(at(0.25))
    story.use(at(0.5), event="invited")
    story.tick(at(1.25))
    stop(story, at(1.25), at(1.25 + days))
    for hour in range(40 * 24):
        story.tick(at(1.25 + days) + hour * HOUR_MS)
    (alert,) = story.alerts("stalled_onboarding")
    assert alert.since == at(2.25)
    # At once, or when most of a week has been observed again.
    assert at(1.25 + days) <= alert.at <= at(6.25 + days)


def test_an_outage_does_not_bring_back_the_steps_of_old_accounts() -> None:
    """Whoever did not reach a step long ago is left alone, also where steps are named later."""
    story = Story()
    story.live(0, 100)
    steps = [{"event": "created", "within_days": 2}]
    other = Story({"signals": {"stalled_onboarding": {"steps": steps}}})
    other.play.state, other.play.log = story.play.state, story.play.log
    stop(other, at(101), at(102))
    for day in range(103, 130):
        other.tick(at(day) + 2_000)
    assert other.alerts("stalled_onboarding") == []
