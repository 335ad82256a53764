"""Stories of a life: who never came, and who came back."""

from __future__ import annotations

import pytest

from .story import Story, at, text

# -- who never came -------------------------------------------------------------------------------


@pytest.mark.parametrize("hours", [1, 24])
def test_who_never_used_the_product_has_left_in_the_end(hours: int) -> None:
    story = Story()
    story.know(at(0), started_at=text(10.5))
    story.say("payment_failed", at(20))
    for hour in range(20 * 24, 190 * 24, hours):
        story.tick(at(hour / 24))
    assert story.lifecycle() == "new"
    story.tick(at(190.5) - 1)
    assert len(story.alerts()) == 1
    story.tick(at(190.5))
    assert story.lifecycle() == "churned"
    assert story.told()[1:] == [("payment_failed", "churned", at(190.5))]
    story.use(at(200) + 1)
    story.tick(at(201) + 2_000)
    assert story.lifecycle() == "new"


def test_who_was_met_by_a_fact_and_never_came_has_left_too() -> None:
    story = Story()
    story.say("payment_failed", at(0.5))
    for day in range(1, 400):
        story.tick(at(day) + 2_000)
    assert [said[1:] for said in story.told()] == [
        ("firing", at(0.5) + 60_000), ("churned", at(1 + 180))
    ]  # fmt: skip


# -- who resumes ----------------------------------------------------------------------------------


def test_who_resumes_has_no_zone_before_there_is_history_again() -> None:
    story = Story()
    story.live(0, 60)
    story.say("subscription_cancelled", at(60))
    story.tick(at(60) + 62_000)
    story.tick(at(400))
    story.say("subscription_resumed", at(400))
    story.tick(at(400) + 62_000)
    assert story.play.status("acme")["zone"] == "unknown"
    story.live(400, 428)
    assert story.play.status("acme")["zone"] == "unknown"
    story.live(428, 430)
    assert story.play.status("acme")["zone"] == "healthy"
    assert story.alerts("danger") == []


def test_who_resumes_and_does_not_come_is_in_danger_when_there_is_history() -> None:
    story = Story()
    story.live(0, 60)
    story.say("subscription_cancelled", at(60))
    story.say("subscription_resumed", at(70))
    for day in range(71, 110):
        story.tick(at(day) + 2_000)
    (told,) = story.alerts("danger")
    assert at(70 + 28) < told.at <= at(70 + 31)
