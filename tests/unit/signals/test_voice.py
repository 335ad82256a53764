"""Stories of what customers say: tickets, bugs, surveys."""

from __future__ import annotations

import itertools

import pytest

from .story import DEFAULT_PLAYS, HOUR_MS, Story, at, closed

DAY_MS = 24 * HOUR_MS
OPENED = at(10) + 7 * HOUR_MS + 1_234


# -- a ticket that waits ------------------------------------------------------------------------


def test_a_ticket_without_an_answer_is_told_at_the_very_instant() -> None:
    story = Story()
    story.say("support_opened", OPENED, id="T-17")
    due_ms = OPENED + DAY_MS
    story.tick(due_ms - 1)
    assert story.alerts() == []
    story.tick(due_ms)

    (alert,) = story.alerts()
    assert (alert.reason, alert.status, alert.severity) == ("support_waiting", "firing", "warning")
    assert (alert.at, alert.since) == (due_ms, OPENED)
    assert alert.summary == "acme: a ticket T-17 has waited 24 hours for a first answer."
    assert alert.evidence == {
        "oldest": "T-17", "opened_at": "2024-01-11T07:00:01.234Z", "open_hours": 24, "waiting": 1,
    }  # fmt: skip
    assert alert.play == DEFAULT_PLAYS.support_waiting

    story.say("support_answered", due_ms + 5 * HOUR_MS, id="T-17")
    story.tick(due_ms + DAY_MS)
    ended = story.alerts()[-1]
    assert (ended.id, ended.resolution) == (alert.id, "recovered")
    assert ended.at == closed(due_ms + 5 * HOUR_MS)


@pytest.mark.parametrize("before_ms", [1, 60_000, DAY_MS])
def test_a_ticket_answered_in_time_is_no_news(before_ms: int) -> None:
    story = Story()
    story.say("support_opened", OPENED, id="T-17")
    story.say("support_answered", OPENED + DAY_MS - before_ms, id="T-17")
    story.tick(at(100))
    assert story.alerts() == []


def test_an_answer_to_another_ticket_is_none() -> None:
    story = Story()
    story.say("support_opened", OPENED, id=17)
    story.say("support_answered", OPENED + 1, id=18)
    story.tick(OPENED + DAY_MS)
    assert story.alerts()[0].evidence["oldest"] == "17"


def test_several_tickets_are_one_alert_until_none_waits() -> None:
    story = Story()
    story.say("support_opened", at(1), id="A")
    story.say("support_opened", at(1) + HOUR_MS, id="B")
    story.say("support_opened", at(1.5), id="C")
    story.tick(at(3))
    assert story.told() == [("support_waiting", "firing", at(2))]

    story.say("support_answered", at(3), id="A")
    story.say("support_answered", at(3), id="B")
    story.tick(at(4))
    assert len(story.alerts()) == 1  # C waits
    story.say("support_answered", at(4), id="C")
    story.tick(at(5))
    assert story.told()[1:] == [("support_waiting", "recovered", closed(at(4)))]


def test_tickets_that_are_late_already_are_told_together() -> None:
    story = Story()
    story.tick(at(20))
    for n in range(3):
        story.play.add(story.line("support_opened", at(10) + n, properties={"id": f"T{n}"}))
    story.tick(at(21))

    (alert,) = story.alerts()
    assert alert.since == at(10)
    assert alert.summary == (
        "acme: a ticket T0 has waited 240 hours for a first answer, and 2 more."
    )
    assert alert.evidence["waiting"] == 3


def test_a_ticket_opened_again_waits_again() -> None:
    story = Story()
    story.say("support_opened", at(1), id="A")
    story.say("support_answered", at(1.5), id="A")
    story.say("support_opened", at(3), id="A")
    story.tick(at(10))
    assert story.told() == [("support_waiting", "firing", at(4))]


def test_the_order_in_which_records_come_does_not_matter() -> None:
    seen = set()
    for order in itertools.permutations(range(3)):
        story = Story()
        lines = [
            story.line("support_opened", at(1), properties={"id": "A"}),
            story.line("support_answered", at(1) + 20_000, properties={"id": "A"}),
            story.line("support_opened", at(1) + 40_000, properties={"id": "A"}),
        ]
        story.tick(at(1))
        for n in order:
            story.play.add(lines[n])
        story.tick(at(4))
        seen.add(tuple(story.told()))
    assert seen == {(("support_waiting", "firing", at(2) + 40_000),)}


def test_what_says_that_tickets_wait_is_configured() -> None:
    settings = {
        "facts": [
            {"event": "z.created", "means": "support_opened", "property": "properties.t.id"},
            {
                "event": "z.replied",
                "means": "support_answered",
                "property": "properties.t.id",
            },
        ],
        "signals": {"support_waiting": {"hours": 1}},
    }
    story = Story(settings)
    story.say("z.created", at(1), t={"id": 5})
    story.say("z.created", at(1), t={"id": 6})
    story.say("z.replied", at(1.01), t={"id": 6})
    story.say("support_opened", at(1), id="this is use")
    story.tick(at(2))

    (alert,) = story.alerts()
    assert alert.at == at(1) + HOUR_MS
    assert alert.summary == "acme: a ticket 5 has waited 1 hour for a first answer."
    assert story.play.outcome.counts["facts"] == 3


# -- a bug --------------------------------------------------------------------------------------


def test_a_bug_that_stays_open_is_told_after_a_week() -> None:
    story = Story()
    story.say("bug_reported", OPENED, id="B1")
    story.tick(OPENED + 7 * DAY_MS - 1)
    assert story.alerts() == []
    story.tick(OPENED + 30 * DAY_MS)

    (alert,) = story.alerts()
    assert (alert.reason, alert.severity) == ("bug_open", "warning")
    assert (alert.at, alert.since) == (OPENED + 7 * DAY_MS, OPENED)
    assert alert.summary == "acme: a bug B1 that they reported has been open for 7 days."
    assert alert.evidence == {
        "oldest": "B1", "opened_at": "2024-01-11T07:00:01.234Z", "open_hours": 168, "waiting": 1,
    }  # fmt: skip
    assert alert.play == DEFAULT_PLAYS.bug_open

    story.say("bug_closed", OPENED + 31 * DAY_MS, id="B1")
    story.tick(OPENED + 32 * DAY_MS)
    assert story.told()[1:] == [("bug_open", "recovered", closed(OPENED + 31 * DAY_MS))]


def test_a_bug_closed_in_time_is_no_news() -> None:
    story = Story()
    story.say("bug_reported", OPENED)
    story.say("bug_closed", OPENED + 7 * DAY_MS - 1)
    story.tick(at(100))
    assert story.alerts() == []


# -- a survey -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("survey", "score", "summary"),
    [
        ("nps", 6, "acme: answered NPS with 6."),
        ("nps", 0, "acme: answered NPS with 0."),
        ("nps", 5.5, "acme: answered NPS with 5.5."),
        ("csat", 2, "acme: answered CSAT with 2."),
    ],
)
def test_a_bad_answer_is_told(survey: str, score: float, summary: str) -> None:
    story = Story()
    story.say(survey, OPENED, score=score)
    story.tick(OPENED + HOUR_MS)

    (alert,) = story.alerts()
    assert (alert.reason, alert.severity, alert.summary) == ("detractor", "warning", summary)
    assert (alert.at, alert.since) == (closed(OPENED), OPENED)
    assert alert.evidence == {
        "survey": survey, "answer": score, "answered_at": "2024-01-11T07:00:01.234Z",
        "user_id": None, "bad_answers": 1,
    }  # fmt: skip
    assert alert.play == DEFAULT_PLAYS.detractor


@pytest.mark.parametrize(("survey", "score"), [("nps", 7), ("nps", 6.5), ("csat", 3)])
def test_an_answer_that_is_not_bad_is_no_news(survey: str, score: float) -> None:
    story = Story()
    story.say(survey, OPENED, score=score)
    story.tick(at(100))
    assert story.alerts() == []


def test_a_better_answer_ends_it() -> None:
    story = Story()
    story.say("nps", at(1), score=3)
    story.say("nps", at(50), score=9)
    story.tick(at(200))
    assert story.told() == [
        ("detractor", "firing", closed(at(1))),
        ("detractor", "recovered", closed(at(50))),
    ]


def test_a_bad_answer_passes_after_90_days() -> None:
    story = Story()
    story.say("nps", at(1), score=3)
    story.tick(at(91) - 1)
    assert len(story.alerts()) == 1
    story.tick(at(91))
    assert story.told()[1:] == [("detractor", "passed", at(91))]
    assert story.alerts()[-1].summary == "acme: detractor is past its time, after 90 days."

    story.say("nps", at(100), score=4)  # the next one is another
    story.tick(at(101))
    assert len({alert.id for alert in story.alerts()}) == 2


def test_another_bad_answer_goes_on_with_it() -> None:
    story = Story()
    story.say("nps", at(1), score=3)
    story.say("csat", at(50), score=1)
    story.say("nps", at(60), score=10)
    story.tick(at(300))
    assert story.told() == [
        ("detractor", "firing", closed(at(1))),
        ("detractor", "passed", at(140)),
    ]


def test_an_answer_that_was_bad_and_better_within_a_minute_is_no_news() -> None:
    for order in ((0, 1), (1, 0)):
        story = Story()
        lines = [
            story.line("nps", at(1) + n * 1_000, properties={"score": score})
            for n, score in enumerate((0, 10))
        ]
        story.tick(at(1))
        for n in order:
            story.play.add(lines[n])
        story.tick(at(2))
        assert story.alerts() == []


def test_many_tickets_end_nothing_else() -> None:
    """Also where a system only says that they are opened."""
    steps = [{"event": "created", "within_days": 3}]
    story = Story({"signals": {"stalled_onboarding": {"steps": steps}}})
    story.use(at(0), event="created")
    story.say("payment_failed", at(1))
    story.say("card_updated", at(1), expires_at="2024-02")
    story.tick(at(1.5))
    before = [said[0] for said in story.told()]
    assert sorted(before) == ["card_expiring", "payment_failed"]
    for number in range(300):
        story.play.add(story.line("bug_reported", at(1.5) + number, properties={"id": number}))
    story.tick(at(2.5))
    assert story.told()[2:] == []


# -- working days -------------------------------------------------------------------------------

FRIDAY = at(4) + 17 * HOUR_MS


def waits(opened_ms: int, settings: dict[str, object] | None = None, **profile: object) -> int:
    """When a ticket has waited for too long that was opened then."""
    story = Story(settings)
    if profile:
        story.know(at(0), **profile)
    story.say("support_opened", opened_ms, id="T1")
    for hour in range(30 * 24):
        story.tick(at(5) + hour * HOUR_MS + 2_000)
    (alert,) = story.alerts()
    assert alert.since == opened_ms
    return alert.at


def test_a_weekend_is_no_time_to_wait() -> None:
    assert waits(FRIDAY) == at(7) + 17 * HOUR_MS
    assert waits(at(5) + 10 * HOUR_MS) == at(8)  # opened on Saturday: all of Monday
    story = Story()
    story.say("support_opened", FRIDAY, id="T1")
    story.say("support_answered", at(7) + 8 * HOUR_MS, id="T1")
    story.tick(at(30))
    assert story.alerts() == []


def test_by_the_accounts_own_days() -> None:
    # Friday 17:00 in London is Saturday in Auckland, where Monday begins thirteen hours sooner.
    assert waits(FRIDAY, timezone="Pacific/Auckland") == at(8) - 13 * HOUR_MS


def test_holidays_are_no_time_to_wait() -> None:
    monday = {"holidays": [{"days": ["2024-01-08"], "countries": ["JP"]}]}
    assert waits(FRIDAY, monday) == at(7) + 17 * HOUR_MS
    assert waits(FRIDAY, monday, country="JP") == at(8) + 17 * HOUR_MS


def test_all_hours_count_where_it_is_so_configured() -> None:
    settings = {"signals": {"support_waiting": {"working_days": False}}}
    assert waits(FRIDAY, settings) == at(5) + 17 * HOUR_MS


def test_several_tickets_over_a_weekend_are_told_at_their_own_instants() -> None:
    story = Story()
    story.say("support_opened", FRIDAY, id="A")
    story.say("support_opened", at(6), id="B")
    for hour in range(5 * 24):
        story.tick(at(7) + hour * HOUR_MS + 2_000)
        if hour == 18:
            story.say("support_answered", at(7) + 18 * HOUR_MS + 3_000, id="A")
    assert story.told() == [
        ("support_waiting", "firing", at(7) + 17 * HOUR_MS),
        ("support_waiting", "recovered", closed(at(7) + 18 * HOUR_MS + 3_000)),
        ("support_waiting", "firing", at(8)),
    ]


# -- who answered -------------------------------------------------------------------------------


def answers(story: Story, at_ms: int, user: str, score: float, survey: str = "nps") -> None:
    story.tick(at_ms)
    story.play.add(story.line(survey, at_ms, user_id=user, properties={"score": score}))


def test_another_users_good_answer_ends_nothing() -> None:
    story = Story()
    answers(story, at(1), "ada", 0)
    answers(story, at(2), "bob", 10)
    story.tick(at(20))
    (alert,) = story.alerts()
    assert alert.summary == "acme: ada answered NPS with 0."
    assert (alert.evidence["user_id"], alert.evidence["bad_answers"]) == ("ada", 1)

    answers(story, at(20), "ada", 9)
    story.tick(at(21))
    assert story.told()[1:] == [("detractor", "recovered", closed(at(20)))]


def test_it_lasts_until_the_last_bad_answer_is_made_good() -> None:
    story = Story()
    answers(story, at(1), "ada", 0)
    answers(story, at(50), "bob", 1, "csat")
    story.tick(at(95))  # ada's has passed
    assert len(story.alerts()) == 1
    answers(story, at(100), "bob", 5, "csat")
    story.tick(at(300))
    assert story.told()[1:] == [("detractor", "recovered", closed(at(100)))]


def test_it_passes_with_the_last_bad_answer_whatever_others_say() -> None:
    story = Story()
    answers(story, at(1), "ada", 0)
    answers(story, at(50), "bob", 1)
    answers(story, at(90), "cyd", 10)
    story.tick(at(300))
    assert story.told()[1:] == [("detractor", "passed", at(140))]


def test_of_several_the_latest_is_told() -> None:
    story = Story()
    story.tick(at(1))
    for n, user in enumerate(("ada", "bob", "cyd")):
        story.play.add(story.line("nps", at(1) + n, user_id=user, properties={"score": n}))
    story.tick(at(2))
    (alert,) = story.alerts()
    assert alert.summary == "acme: cyd answered NPS with 2, one of 3 bad answers."


def test_the_answers_of_many_push_out_only_answers() -> None:
    story = Story()
    story.say("payment_failed", at(1))
    for n in range(600):
        story.play.add(story.line("nps", at(1) + n, user_id=f"u{n}", properties={"score": 9}))
    story.tick(at(2))
    assert story.told() == [("payment_failed", "firing", closed(at(1)))]
    facts = story.play.state.account("acme").facts
    assert facts is not None
    assert len(facts.words()) == 257
