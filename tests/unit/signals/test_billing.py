"""Stories of billing: a payment, a card, a subscription."""

from __future__ import annotations

import itertools

import pytest

from pulse.testing.histories import usage

from .story import DEFAULT_PLAYS, HOUR_MS, Story, at, closed, text

NOON = at(10.5)
DAY_MS = 24 * HOUR_MS


# -- a payment ----------------------------------------------------------------------------------


def test_a_failed_payment_is_told_at_the_close_of_its_minute_and_ends_when_one_succeeds() -> None:
    story = Story()
    story.say("payment_failed", NOON + 12_345)
    story.tick(NOON + 61_999)
    assert story.alerts() == []
    story.tick(NOON + 62_000)

    (alert,) = story.alerts()
    assert (alert.reason, alert.status, alert.severity) == ("payment_failed", "firing", "critical")
    assert (alert.at, alert.started_at, alert.since) == (
        NOON + 60_000, NOON + 60_000, NOON + 12_345,
    )  # fmt: skip
    assert alert.summary == "acme: a payment failed at 2024-01-11T12:00:12.345Z."
    assert alert.evidence == {"failed_at": "2024-01-11T12:00:12.345Z"}
    assert alert.play == DEFAULT_PLAYS.payment_failed

    story.say("payment_failed", NOON + DAY_MS)  # still the same
    story.say("payment_recovered", NOON + 3 * DAY_MS)
    story.tick(NOON + 4 * DAY_MS)
    _, ended = story.alerts()
    assert (ended.id, ended.status, ended.resolution) == (alert.id, "resolved", "recovered")
    assert ended.at == NOON + 3 * DAY_MS + 60_000
    assert ended.summary == "acme: payment failed has ended well, after 3 days."


def test_a_payment_that_succeeds_within_the_minute_is_no_news() -> None:
    for order in ((0, 1), (1, 0)):
        story = Story()
        lines = [
            story.line("payment_failed", NOON),
            story.line("payment_recovered", NOON + 59_999),
        ]
        story.tick(NOON)
        for n in order:
            story.play.add(lines[n])
        story.tick(NOON + 10 * DAY_MS)
        assert story.alerts() == []


def test_what_comes_late_does_not_count_against_what_is_known_since() -> None:
    story = Story()
    story.say("payment_recovered", NOON)
    story.tick(NOON + DAY_MS)
    story.play.add(story.line("payment_failed", NOON - 1))
    story.tick(NOON + 2 * DAY_MS)
    assert story.alerts() == []

    story.play.add(story.line("payment_failed", NOON + 1))  # late as well, but the latest word
    story.tick(NOON + 3 * DAY_MS)
    (alert,) = story.alerts()
    assert (alert.at, alert.since) == (closed(NOON + 2 * DAY_MS - 2_000), NOON + 1)


def test_what_is_sent_again_with_another_time_does_not_fail_again() -> None:
    story = Story()
    story.tick(NOON)
    story.play.add(usage("in_1", "acme", NOON, event="payment_failed"))
    story.say("payment_recovered", NOON + DAY_MS)
    story.tick(NOON + 3 * DAY_MS)
    story.play.add(usage("in_1", "acme", NOON + 3 * DAY_MS, event="payment_failed"))
    story.tick(NOON + 4 * DAY_MS)
    assert [alert.status for alert in story.alerts()] == ["firing", "resolved"]


def test_at_one_instant_the_greater_id_has_the_last_word() -> None:
    for order in itertools.permutations(range(3)):
        story = Story()
        events = ["payment_failed", "payment_recovered", "payment_failed"]
        lines = [story.line(event, NOON) for event in events]
        story.tick(NOON)
        for n in order:
            story.play.add(lines[n])
        story.tick(NOON + DAY_MS)
        assert story.told() == [("payment_failed", "firing", NOON + 60_000)]


# -- a card -------------------------------------------------------------------------------------


def test_a_card_that_expires_is_told_three_times() -> None:
    story = Story()
    story.say("card_updated", at(1), expires_at=text(100))
    for day in range(2, 120):
        story.tick(at(day) - 1)
        story.tick(at(day))

    assert story.told() == [
        ("card_expiring", "firing", at(40)),
        ("card_expiring", "escalated", at(70)),
        ("card_expiring", "firing", at(70)),
        ("card_expiring", "escalated", at(93)),
        ("card_expiring", "firing", at(93)),
    ]
    first, ended, second, _, last = story.alerts()
    assert ended.id == first.id != second.id
    assert (first.since, second.since) == (at(40), at(70))
    assert first.severity == "warning"
    assert first.summary == "acme: the card expires in 60 days."
    assert ended.summary == "acme: card expiring goes on in a new alert, after 30 days."
    assert second.evidence == {"expires_at": text(100), "days_left": 30}
    assert last.summary == "acme: the card expires in 7 days."
    assert last.play == DEFAULT_PLAYS.card_expiring

    story.say("card_updated", at(120), expires_at=text(1_000))
    story.tick(at(121))
    assert story.told()[5:] == [("card_expiring", "recovered", closed(at(120)))]


def test_a_card_renewed_in_time_is_no_news() -> None:
    story = Story()
    story.say("card_updated", at(1), expires_at=text(100))
    story.say("card_updated", at(40) - 1, expires_at=text(1_000))
    story.tick(at(200))
    assert story.alerts() == []


def test_a_month_ends_when_the_month_does() -> None:
    story = Story()
    story.say("card_updated", at(1), expires_at="2024-04")
    story.tick(at(61))

    (alert,) = story.alerts()
    assert alert.evidence["expires_at"] == "2024-05-01T00:00:00Z"
    assert alert.at == at(31 + 29 + 31 + 30 - 60)


def test_a_card_that_has_expired_already_is_told_at_once() -> None:
    story = Story()
    story.say("card_updated", at(10), expires_at=text(9))
    story.tick(at(11))

    (alert,) = story.alerts()
    assert (alert.at, alert.since) == (closed(at(10)), at(2))
    assert alert.summary == "acme: the card has expired."
    assert alert.evidence["days_left"] == 0


def test_another_card_that_expires_soon_is_another_alert() -> None:
    story = Story()
    story.say("card_updated", at(10), expires_at=text(12))
    story.say("card_updated", at(11), expires_at=text(61))
    story.tick(at(12))

    assert [said[1] for said in story.told()] == ["firing", "escalated", "firing"]
    assert story.alerts()[-1].summary == "acme: the card expires in 50 days."
    assert story.alerts()[0].summary == "acme: the card expires in 2 days."


# -- a subscription -----------------------------------------------------------------------------


def test_who_cancels_has_left_and_all_else_ends() -> None:
    story = Story()
    story.live(0, 28)
    story.say("payment_failed", at(28))
    story.say("support_opened", at(28) + HOUR_MS, id="T1")
    story.tick(at(30))
    assert {said[0] for said in story.told()} == {"payment_failed", "support_waiting"}

    story.say("subscription_cancelled", at(30) + 5_000)
    story.tick(at(31))
    ended_ms = closed(at(30))
    assert sorted(story.told()[2:]) == [
        ("payment_failed", "churned", ended_ms),
        ("subscription_cancelled", "firing", ended_ms),
        ("support_waiting", "churned", ended_ms),
    ]
    (alert,) = story.alerts("subscription_cancelled")
    assert (alert.since, alert.severity) == (at(30) + 5_000, "critical")
    assert alert.lifecycle == "churned"
    assert alert.summary == "acme: the subscription was cancelled at 2024-01-31T00:00:05Z."
    assert alert.evidence == {"cancelled_at": "2024-01-31T00:00:05Z"}
    assert alert.play == DEFAULT_PLAYS.subscription_cancelled
    (left,) = [a for a in story.alerts("payment_failed") if a.status == "resolved"]
    assert left.summary == "acme has left: the subscription is cancelled."


def test_who_has_cancelled_raises_nothing_more() -> None:
    steps = [{"event": "s", "within_days": 40}]
    story = Story({"signals": {"stalled_onboarding": {"steps": steps}}})
    story.know(at(0), seats=3, renewal_at=text(60), started_at=text(-300))
    story.say("card_updated", at(1), expires_at=text(90))
    story.say("check_in", at(1))
    story.live(0, 29)
    story.say("subscription_cancelled", at(29) + HOUR_MS)
    before = len(story.alerts())
    story.say("payment_failed", at(30))
    story.say("support_opened", at(31), id="T1")
    story.say("bug_reported", at(31), id="B1")
    story.say("nps", at(32), score=0)
    story.live(33, 40, users=["ada"])  # some still use it up
    for day in range(40, 300):
        story.tick(at(day) + 2_000)

    assert [said[:2] for said in story.told()[before:]] == [("subscription_cancelled", "firing")]
    assert story.lifecycle() == "churned"


@pytest.mark.parametrize("idle_days", [3, 60, 250])
def test_who_resumes_begins_again(idle_days: int) -> None:
    story = Story()
    story.live(0, 60)
    story.say("subscription_cancelled", at(60))
    story.tick(at(60 + idle_days))
    assert story.lifecycle() == "churned"
    story.say("subscription_resumed", at(60 + idle_days))
    story.tick(at(60 + idle_days) + 62_000)

    assert story.lifecycle() == "resurrected"
    assert story.told() == [
        ("subscription_cancelled", "firing", closed(at(60))),
        ("subscription_cancelled", "recovered", closed(at(60 + idle_days))),
    ]
    # From here it is as quiet as one that has just begun: silence counts from now.
    for hour in range(24 * 30):
        story.tick(at(60 + idle_days) + hour * HOUR_MS)
    back_ms = closed(at(60 + idle_days))
    (silence,) = story.alerts("silence")
    assert (silence.at, silence.since) == (back_ms + 21 * DAY_MS, back_ms)
    assert "nothing meaningful for 21 days" in silence.summary
    assert story.lifecycle() == "dormant"


def test_who_resumes_within_the_minute_never_left() -> None:
    seen = []
    for order in ((0, 1), (1, 0)):
        story = Story()
        story.live(0, 60)
        lines = [
            story.line("subscription_cancelled", at(60) + 1_000),
            story.line("subscription_resumed", at(60) + 2_000),
        ]
        for n in order:
            story.play.add(lines[n])
        story.tick(at(61))
        assert story.alerts() == []
        seen.append(story.play.statuses())
    assert seen[0] == seen[1]
    assert seen[0]["acme"]["lifecycle"] == "current"


def test_a_subscription_that_was_never_cancelled_is_resumed_in_vain() -> None:
    story = Story()
    story.live(0, 40)
    story.say("subscription_resumed", at(40))
    story.tick(at(41))
    assert story.alerts() == []
    assert story.lifecycle() == "current"


# -- facts that cannot be read ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "properties", "detail"),
    [
        ("nps", {"score": "seven"}, "properties.score: not a number"),
        ("nps", {}, "properties.score: not a number"),
        ("csat", {"score": True}, "properties.score: not a number"),
        ("csat", {"score": 1e300}, "properties.score: not a number"),
        ("card_updated", {}, "properties.expires_at: not an instant, nor a month like 2027-04"),
        (
            "card_updated",
            {"expires_at": "04/27"},
            "properties.expires_at: not an instant, nor a month like 2027-04",
        ),
        (
            "card_updated",
            {"expires_at": "2027-13"},
            "properties.expires_at: not an instant, nor a month like 2027-04",
        ),
        ("support_opened", {"id": ["T1"]}, "properties.id: not a name or a number"),
        ("support_opened", {"id": True}, "properties.id: not a name or a number"),
        (
            "bug_reported",
            {"id": "x" * 129},
            "properties.id: not a printable name of at most 128 characters",
        ),
        (
            "bug_closed",
            {"id": "a\x00b"},
            "properties.id: not a printable name of at most 128 characters",
        ),
    ],
)
def test_a_bad_fact_is_a_dead_letter(
    event: str, properties: dict[str, object], detail: str
) -> None:
    story = Story()
    story.live(0, 2)
    story.say(event, at(2), **properties)
    story.use(at(2))  # what is around it is counted
    story.tick(at(3))

    (letter,) = story.play.outcome.dead_letters
    assert (letter.reason, letter.detail) == ("wrong_shape", detail)
    assert story.alerts() == []
    assert story.play.status("acme")["measures"]["events"]["7d"] == 7


def test_of_a_fact_only_what_it_says_is_read() -> None:
    story = Story()
    story.say("payment_failed", at(2), value="12.00 EUR", feature=["whatever"])
    story.tick(at(3))
    assert story.play.outcome.dead_letters == []
    assert story.told() == [("payment_failed", "firing", closed(at(2)))]


def test_facts_are_no_use_of_the_product() -> None:
    story = Story()
    for day in range(10):
        story.say("payment_failed", at(day))
        story.say("nps", at(day), score=10)
    story.tick(at(40))

    assert story.play.status("acme")["measures"]["events"]["28d"] == 0
    assert story.play.status("acme")["last_active_at"] is None
    assert story.play.outcome.counts["facts"] == 20


def test_a_card_that_expires_at_a_number_of_seconds_has_not_expired_in_1970() -> None:
    story = Story()
    story.say("card_updated", at(1), expires_at=at(100) // 1_000)
    for day in range(2, 45):
        story.tick(at(day) + 2_000)
    assert story.told() == [("card_expiring", "firing", at(40))]
