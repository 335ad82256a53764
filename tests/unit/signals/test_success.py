"""Stories of the relation: onboarding, check-ins, the renewal, who may be asked."""

from __future__ import annotations

from typing import Any

from .story import DEFAULT_PLAYS, HOUR_MS, Story, at, closed, text

DAY_MS = 24 * HOUR_MS
TEN = ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9"]


# -- onboarding ---------------------------------------------------------------------------------


def steps(**within_days: int) -> dict[str, Any]:
    found = [{"event": name, "within_days": days} for name, days in within_days.items()]
    return {"signals": {"stalled_onboarding": {"steps": found}}}


def test_a_step_that_is_not_reached_is_told_at_the_very_instant() -> None:
    story = Story(steps(invited=2, created=3))
    start_ms = at(0) + 10 * HOUR_MS
    story.use(start_ms)
    story.use(at(1), event="invited")
    story.tick(start_ms + 3 * DAY_MS - 1)
    assert story.alerts() == []
    story.tick(start_ms + 3 * DAY_MS)

    (alert,) = story.alerts()
    assert (alert.reason, alert.severity) == ("stalled_onboarding", "warning")
    assert (alert.at, alert.since) == (start_ms + 3 * DAY_MS, start_ms + 3 * DAY_MS)
    assert alert.summary == "acme: has not reached created within 3 days of its start."
    assert alert.evidence == {
        "missing": ["created"], "reached": ["invited"],
        "started_at": "2024-01-01T10:00:00Z", "due_at": "2024-01-04T10:00:00Z",
    }  # fmt: skip
    assert alert.play == DEFAULT_PLAYS.stalled_onboarding

    story.use(at(9), event="created")
    story.tick(at(10))
    assert story.told()[1:] == [("stalled_onboarding", "recovered", closed(at(9)))]
    assert story.play.status("acme")["measures"]["events"]["28d"] == 3  # steps are use as well


def test_a_step_reached_one_ms_before_is_no_news() -> None:
    story = Story(steps(created=3))
    story.use(at(0))
    story.use(at(3) - 1, event="created")
    story.tick(at(30))
    assert story.alerts() == []


def test_reached_once_is_reached() -> None:
    story = Story(steps(created=3))
    story.use(at(0), event="created")
    for day in range(1, 200):
        story.tick(at(day) + 2_000)
    story.use(at(200), event="created")
    story.tick(at(201))
    assert story.alerts("stalled_onboarding") == []


def test_the_next_step_is_another_alert() -> None:
    story = Story(steps(invited=2, created=9))
    story.use(at(0))
    story.use(at(3), event="invited")
    story.tick(at(20))
    assert story.told() == [
        ("stalled_onboarding", "firing", at(2)),
        ("stalled_onboarding", "recovered", closed(at(3))),
        ("stalled_onboarding", "firing", at(9)),
    ]


def test_the_start_is_what_the_profile_says() -> None:
    story = Story(steps(created=10))
    story.know(at(0), started_at=text(5))
    story.use(at(1))  # a trial
    story.tick(at(15) - 1)
    assert story.alerts() == []
    story.tick(at(15) + 2_000)  # the start of the day comes first
    assert story.told() == [("stalled_onboarding", "firing", at(15))]


def test_who_signed_up_and_never_came_is_told() -> None:
    story = Story(steps(created=10))
    story.know(at(0) + 5, started_at=text(0))
    for day in range(1, 20):
        story.know(at(day), name="Acme", started_at=text(0))  # said again each night
    story.tick(at(21))
    assert story.told() == [("stalled_onboarding", "firing", at(10))]

    story.use(at(22), event="created")
    story.tick(at(23))
    assert story.told()[1:] == [("stalled_onboarding", "recovered", closed(at(22)))]


def test_accounts_that_were_there_before_pulse_are_left_alone() -> None:
    story = Story(steps(invited=2, created=3))
    story.know(at(50), started_at=text(0))
    story.live(50, 60)
    assert story.alerts() == []


def test_a_step_over_before_pulse_knew_the_account_does_not_keep_an_alert_open() -> None:
    story = Story(steps(invited=2, created=9))
    story.know(at(5), started_at=text(0))
    story.live(5, 8)
    story.tick(at(9) + 2_000)
    assert story.told() == [("stalled_onboarding", "firing", at(9))]
    assert story.alerts()[0].evidence["missing"] == ["created"]

    story.use(at(10), event="created")
    story.tick(at(11))
    assert story.told()[1:] == [("stalled_onboarding", "recovered", closed(at(10)))]


# -- check-ins ----------------------------------------------------------------------------------


def test_an_account_that_nobody_has_spoken_with_is_told_at_the_very_instant() -> None:
    story = Story()
    story.say("check_in", at(1) + 4_321)
    due_ms = at(91) + 4_321
    story.tick(due_ms - 1)
    assert story.alerts() == []
    story.tick(due_ms)

    (alert,) = story.alerts()
    assert (alert.reason, alert.severity) == ("check_in_overdue", "warning")
    assert (alert.at, alert.since) == (due_ms, at(1) + 4_321)
    assert alert.summary == "acme: has had no check-in for 90 days."
    assert alert.evidence == {"last_check_in_at": "2024-01-02T00:00:04.321Z", "after_days": 90}
    assert alert.play == DEFAULT_PLAYS.check_in_overdue

    story.say("check_in", at(95))
    story.use(at(95))  # who never used the product has left by then
    story.tick(at(184))
    assert story.told()[1:] == [("check_in_overdue", "recovered", closed(at(95)))]
    story.tick(at(185) + 2_000)
    assert story.told()[2:] == [("check_in_overdue", "firing", at(185))]


def test_a_check_in_the_day_before_is_in_time() -> None:
    story = Story()
    for day in range(1, 500, 89):
        story.say("check_in", at(day))
    assert story.alerts() == []


def test_an_account_that_never_had_a_check_in_is_left_alone() -> None:
    story = Story()
    story.live(0, 200)
    assert story.alerts() == []


# -- the renewal --------------------------------------------------------------------------------


def fades(renewal_day: float | None, until: int = 160) -> Story:
    """It is used daily for 90 days, then hardly; in danger from about the 109th day on."""
    story = Story()
    facts = {} if renewal_day is None else {"renewal_at": text(renewal_day)}
    story.know(at(0), **facts)
    story.live(0, 90)
    story.live(90, until, worked=lambda day: day % 14 == 0)
    return story


def test_a_renewal_near_in_danger_is_told_with_the_danger() -> None:
    story = fades(130.25, until=125)
    (danger,) = story.alerts("danger")
    (alert,) = story.alerts("renewal_at_risk")

    assert alert.severity == "critical"
    assert alert.at == danger.at
    assert alert.since == danger.since  # the renewal was near before
    days = -(-(at(130.25) - alert.at) // DAY_MS)
    assert alert.summary == f"acme: renews in {days} days and is in danger."
    assert alert.evidence == {"renewal_at": "2024-05-10T06:00:00Z", "days_left": days}
    assert alert.play == DEFAULT_PLAYS.renewal_at_risk

    story.tick(at(130.25) - 1)
    assert len(story.alerts("renewal_at_risk")) == 1
    story.tick(at(130.25))
    assert story.told("renewal_at_risk")[1:] == [("renewal_at_risk", "passed", at(130.25))]


def test_an_account_in_danger_is_told_at_the_very_instant_its_renewal_is_near() -> None:
    story = fades(200.25)
    alert = story.alerts("renewal_at_risk")[0]
    assert (alert.at, alert.since) == (at(140.25), at(140.25))
    assert alert.evidence["days_left"] == 60


def test_a_renewal_far_off_or_past_or_unknown_is_no_news() -> None:
    for day in (230, 100, None):
        assert fades(day).alerts("renewal_at_risk") == []


def test_a_renewal_of_a_healthy_account_is_no_news() -> None:
    story = Story()
    story.know(at(0), renewal_at=text(100))
    story.live(0, 120)
    assert story.alerts() == []


def test_who_renews_or_recovers_is_at_no_risk() -> None:
    story = fades(150, until=125)
    story.know(at(125), renewal_at=text(150 + 365))
    story.tick(at(126))
    assert story.told("renewal_at_risk")[1:] == [("renewal_at_risk", "recovered", closed(at(125)))]

    story = fades(180, until=125)
    story.live(125, 150)
    (ended,) = [a for a in story.alerts("danger") if a.resolution]
    assert story.told("renewal_at_risk")[1:] == [("renewal_at_risk", "recovered", ended.at)]


# -- worth asking -------------------------------------------------------------------------------


def test_an_account_that_does_well_for_twelve_weeks_is_worth_asking() -> None:
    story = Story()
    story.know(at(0), seats=6)
    story.live(0, 150, users=TEN[:5], worked=lambda _: True)

    (alert,) = story.alerts()
    assert (alert.reason, alert.severity) == ("ready_to_ask", "info")
    # Twelve active days are asked for: with eight the score is above 90.
    assert (alert.at, alert.since) == (at(8 + 83), at(8))
    assert alert.summary == "acme: has been doing well for 84 days: score 99.7, never below 91.4."
    assert alert.evidence == {
        "score": 99.72, "least_score": 91.39, "days": 84, "active_users_28d": 5,
    }  # fmt: skip
    assert alert.play == DEFAULT_PLAYS.ready_to_ask

    story.live(150, 185, users=TEN[:1])
    fired, ended = story.alerts("ready_to_ask")
    assert (ended.id, ended.resolution) == (fired.id, "no_longer")
    assert "ready to ask no longer holds" in ended.summary
    assert ended.score is not None
    assert ended.score < 80


def test_one_bad_week_begins_the_twelve_anew() -> None:
    story = Story()
    story.know(at(0), seats=6)
    story.live(0, 60, users=TEN[:5], worked=lambda _: True)
    story.live(60, 78, users=TEN[:5], worked=lambda _: False)
    story.live(78, 150, users=TEN[:5], worked=lambda _: True)
    assert story.alerts("ready_to_ask") == []


def test_few_users_or_something_wrong_is_no_time_to_ask() -> None:
    story = Story()
    story.live(0, 150, users=TEN[:4])
    assert story.alerts() == []

    story = Story()
    story.live(0, 90, users=TEN[:5])
    story.say("nps", at(90), score=2)
    story.live(90, 150, users=TEN[:5])
    assert [said[0] for said in story.told()] == ["detractor"]


def test_to_outgrow_its_seats_is_nothing_wrong() -> None:
    story = Story()
    story.know(at(0), seats=5)
    story.live(0, 150, users=TEN[:5])
    assert {said[0] for said in story.told()} == {"outgrows_seats", "ready_to_ask"}


def test_a_step_that_is_a_fact_as_well_is_both() -> None:
    story = Story(steps(check_in=3))
    story.use(at(0))
    story.say("check_in", at(1))
    story.tick(at(30))
    assert story.alerts() == []
    story.tick(at(91) + 2_000)
    assert story.told() == [("check_in_overdue", "firing", at(91))]
    assert story.play.outcome.counts["facts"] == 1


def test_a_step_that_is_not_said_as_a_fact_must_be_is_not_reached() -> None:
    story = Story(steps(nps=3))
    story.use(at(0))
    story.say("nps", at(1), score="ten")
    story.say("nps", at(5), score=10)
    story.tick(at(30))
    assert len(story.play.outcome.dead_letters) == 1
    assert [said[1:] for said in story.told()] == [
        ("firing", at(3)), ("recovered", closed(at(5)))
    ]  # fmt: skip
