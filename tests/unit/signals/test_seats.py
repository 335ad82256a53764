"""Stories of seats: nobody uses them, or there are not enough."""

from __future__ import annotations

import pytest

from .story import DEFAULT_PLAYS, HOUR_MS, Story, at, text

TEN = ["u0", "u1", "u2", "u3", "u4", "u5", "u6", "u7", "u8", "u9"]


# -- unused seats -------------------------------------------------------------------------------


def test_seats_that_nobody_uses_are_told_by_the_age_of_the_account() -> None:
    story = Story()
    story.know(at(0), seats=20, name="Acme")
    story.live(0, 300, users=TEN[:5])  # a quarter of them

    (alert,) = story.alerts("unused_seats")
    assert (alert.at, alert.since) == (at(181), at(181))  # 180 days after ten o'clock on the first
    assert alert.severity == "warning"
    assert alert.summary == "Acme: pays for 20 seats and uses 5 of them (25 %)."
    assert alert.evidence == {
        "seats": 20, "active_users_28d": 5, "unused": 15, "share": 0.25, "asked": 0.5,
        "age_days": 180,
    }  # fmt: skip
    assert alert.play == DEFAULT_PLAYS.unused_seats


def test_they_are_used_again_or_given_back() -> None:
    for facts, users in (({}, TEN), ({"seats": 4}, TEN[:1])):
        story = Story()
        story.know(at(0), seats=10, started_at=text(-200))
        story.live(0, 42, users=TEN[:1])
        story.know(at(42), **facts)
        story.live(42, 60, users=users)
        fired, ended = story.alerts("unused_seats")
        assert (fired.at, ended.resolution) == (at(29), "recovered")
        assert ended.at == at(43)
        assert story.told("unused_seats")[2:] == []


def test_the_months_of_a_roll_out_are_no_news() -> None:
    story = Story()
    story.know(at(0), seats=100)
    story.live(0, 59, users=TEN[:1])
    story.live(59, 200, users=[f"u{n}" for n in range(60)])
    assert story.alerts("unused_seats") == []


def test_seats_used_by_just_enough_are_no_news() -> None:
    story = Story()
    story.know(at(0), seats=8, started_at=text(-500))
    story.live(0, 60, users=TEN[:6])  # three quarters
    assert story.alerts() == []


def test_few_seats_are_no_news() -> None:
    story = Story()
    story.know(at(0), seats=4, started_at=text(-500))
    story.live(0, 60, users=TEN[:1])
    assert story.alerts("unused_seats") == []


def test_an_account_that_pulse_has_just_met_is_watched_for_28_days_first() -> None:
    story = Story()
    story.know(at(5), seats=10, started_at=text(-500))
    story.live(5, 40, users=TEN[:1])
    assert story.told("unused_seats") == [("unused_seats", "firing", at(6 + 28))]


@pytest.mark.parametrize("started", [-10, -1_000])
def test_seats_that_nobody_ever_used_are_told_with_nothing_else_happening(started: int) -> None:
    story = Story()
    story.know(at(0), seats=10, started_at=text(started))
    for day in range(1, 300):
        story.tick(at(day) + 2_000)
    due = max(29, started + 60)
    assert story.told() == [
        ("unused_seats", "firing", at(due)),
        ("unused_seats", "churned", at(181)),
    ]
    assert story.alerts()[0].evidence["active_users_28d"] == 0
    assert story.alerts()[1].summary == "acme has left: it never used the product."


def test_seats_that_have_just_been_bought_have_their_time_to_be_used() -> None:
    story = Story({"signals": {"outgrows_seats": {"enabled": False}}})
    story.know(at(0), seats=6, started_at=text(-360))
    story.live(0, 40, users=TEN[:5])
    story.know(at(40), seats=20)
    for day in range(41, 200):
        story.know(at(day), seats=20)  # said again each night
        story.live(day, day + 1, users=TEN[:5] if day < 150 else TEN[:1])
    (alert,) = story.alerts("unused_seats")
    # A quarter is in use, and half of them is asked for 180 days later; then it is a twentieth.
    assert alert.evidence["asked"] == 0.1
    assert alert.at > at(150 + 27)


def test_a_seat_more_is_no_roll_out() -> None:
    story = Story()
    story.know(at(0), seats=20, started_at=text(-360))
    story.live(0, 20, users=TEN[:5])
    story.know(at(20), seats=21)
    story.live(20, 40, users=TEN[:5])
    assert story.told("unused_seats") == [("unused_seats", "firing", at(29))]


# -- more users than seats ----------------------------------------------------------------------


def test_an_account_that_outgrows_its_seats_is_told() -> None:
    story = Story()
    story.know(at(0), seats=10)
    story.live(0, 40, users=TEN[:9])
    assert story.alerts() == []
    story.live(40, 45, users=TEN)

    (alert,) = story.alerts()
    assert (alert.reason, alert.severity) == ("outgrows_seats", "info")
    assert (alert.at, alert.since) == (at(43), at(43))  # Saturday and Sunday are 40 and 41
    assert alert.summary == "acme: outgrows its 10 seats: 10 users in 28 days."
    assert alert.evidence == {"seats": 10, "active_users_28d": 10, "share": 1.0}
    assert alert.play == DEFAULT_PLAYS.outgrows_seats

    story.know(at(50), seats=12)
    story.live(50, 51, users=TEN)
    assert story.told()[1:] == [("outgrows_seats", "recovered", at(51))]
    assert story.alerts()[-1].summary == "acme: outgrows seats has ended well, after 8 days."


def test_an_account_that_pulse_has_just_met_outgrows_nothing_yet() -> None:
    story = Story()
    story.know(at(5), seats=10)
    story.live(5, 40, users=TEN)
    assert story.told() == [("outgrows_seats", "firing", at(6 + 28))]


@pytest.mark.parametrize("often", [30, 32, 40, 50])
def test_who_comes_now_and_then_does_not_end_it_again_and_again(often: int) -> None:
    story = Story()
    story.know(at(0), seats=5)
    for day in range(300):
        users = TEN[:4] if day % 7 < 5 else []
        for user in [*users, *(TEN[4:5] if day % often == 3 else [])]:
            story.use(at(day) + HOUR_MS, user)
        story.tick(at(day + 1) + 2_000)
    assert [said[1] for said in story.told("outgrows_seats")] == ["firing"]


def test_users_who_have_left_do_not_make_it_usual() -> None:
    story = Story()
    story.know(at(0), seats=10)
    story.live(0, 60, users=TEN)
    story.live(60, 140, users=TEN[:7])
    story.know(at(140), seats=11)  # a little more
    story.live(140, 150, users=TEN[:7])
    fired, ended = story.alerts("outgrows_seats")
    # Gone for 28 days, and for 28 days so many fewer.
    assert (ended.id, ended.resolution, ended.at) == (fired.id, "no_longer", at(60 + 28 + 27))
    assert ended.summary == "acme: outgrows seats no longer holds, after 86 days."


def test_an_account_with_few_seats_or_none_known_outgrows_nothing() -> None:
    for facts in ({"seats": 4}, {}):
        story = Story()
        story.know(at(0), **facts)
        story.live(0, 40, users=TEN)
        assert story.alerts() == []
