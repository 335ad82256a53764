"""What is due without a record: at its instant, in order, at a cost that depends on what is due."""

from __future__ import annotations

import pytest

from pulse.engine import PartitionState
from pulse.testing.changelog import Outside, Owner
from pulse.testing.histories import profile

from .story import HOUR_MS, MINUTE_MS, Story, at

DAY_MS = 24 * HOUR_MS


def test_deadlines_are_met_in_their_order_whatever_the_tick_finds() -> None:
    story = Story()
    story.say("bug_reported", at(1) + 3, id="B")  # due on the 8th day
    story.say("support_opened", at(2) + 2, id="T")  # on the 3rd
    story.say("check_in", at(2) + 1)  # on the 92nd
    story.say("card_updated", at(2), expires_at=at(70))  # on the 10th, 40th and 63rd
    story.say("nps", at(2) + 4, score=1)  # passes on the 92nd
    story.tick(at(200))

    told = story.told()
    assert [said[2] for said in told] == sorted(said[2] for said in told)
    assert [said for said in told if said[1] in ("firing", "passed")] == [
        ("detractor", "firing", at(2) + MINUTE_MS),
        ("support_waiting", "firing", at(3) + 2),
        ("bug_open", "firing", at(8) + 3),
        ("card_expiring", "firing", at(10)),
        ("card_expiring", "firing", at(40)),
        ("card_expiring", "firing", at(63)),
        ("check_in_overdue", "firing", at(92) + 1),
        ("detractor", "passed", at(92) + 4),
    ]


@pytest.mark.parametrize("step_ms", [1_000, MINUTE_MS, HOUR_MS, 40 * DAY_MS])
def test_an_alert_is_stamped_with_when_it_was_due(step_ms: int) -> None:
    story = Story()
    story.say("support_opened", at(2) + HOUR_MS + 777, id="T")
    due_ms = at(3) + HOUR_MS + 777
    for tick_ms in range(due_ms - 3 * min(step_ms, DAY_MS // 4), due_ms, min(step_ms, DAY_MS // 4)):
        story.tick(tick_ms)
    assert story.alerts() == []
    story.tick(due_ms + step_ms - 1_000)
    assert story.told() == [("support_waiting", "firing", due_ms)]


def test_a_parked_account_meets_its_deadlines() -> None:
    story = Story()
    story.live(0, 20)
    story.say("check_in", at(60))
    for day in range(61, 140):
        story.tick(at(day) + 2_000)
    account = story.play.state.account("acme")
    assert account.parked  # nobody looks at it but for its deadlines
    story.tick(at(150) - 1)
    assert story.alerts("check_in_overdue") == []
    story.tick(at(150))
    assert story.told("check_in_overdue") == [("check_in_overdue", "firing", at(150))]


def test_a_packed_account_meets_its_deadlines() -> None:
    story = Story()
    story.play.state = PartitionState(live_accounts=0)
    story.say("support_opened", at(2) + HOUR_MS, id="T")
    assert "acme" in story.play.state.folded
    story.tick(at(3))
    story.tick(at(3) + HOUR_MS - 1)
    assert story.alerts() == []
    assert story.play.state.folded["acme"].soon_at == at(3) + HOUR_MS
    story.tick(at(3) + HOUR_MS)
    assert story.told() == [("support_waiting", "firing", at(3) + HOUR_MS)]
    assert "acme" in story.play.state.folded


def test_at_midnight_the_day_begins_first() -> None:
    story = Story()
    story.say("support_opened", at(2), id="T")
    story.tick(at(3) + 1_999)
    assert story.alerts() == []
    story.tick(at(3) + 2_000)
    assert story.told() == [("support_waiting", "firing", at(3))]


def test_an_account_read_back_from_its_page_meets_its_deadlines() -> None:
    story = Story()
    story.say("support_opened", at(2) + HOUR_MS, id="T")
    story.tick(at(2) + 2 * HOUR_MS)
    story.tick(at(3) + HOUR_MS - 1)
    story.tick(at(3) + HOUR_MS)
    outside = Outside(story.play.log.records)
    first = Owner(story.policy, outside)
    first.work(4)
    first.write()
    second = Owner(story.policy, outside)
    assert outside.alerts == {}
    second.finish()
    (alert,) = outside.alerts.values()
    assert (alert.reason, alert.at) == ("support_waiting", at(3) + HOUR_MS)


def test_what_is_told_late_is_due_at_once_and_since_then() -> None:
    story = Story()
    story.live(0, 28)
    story.tick(at(40))
    story.play.add(story.line("support_opened", at(20), properties={"id": "T"}))
    story.play.add(story.line("support_answered", at(30), properties={"id": "T"}))
    story.play.add(story.line("bug_reported", at(20), properties={"id": "B"}))
    story.tick(at(40) + 2 * MINUTE_MS)
    (alert,) = story.alerts("bug_open")
    assert (alert.at, alert.since) == (at(40), at(20))
    assert story.alerts("support_waiting") == []


@pytest.mark.parametrize("live", [0, 100_000])
@pytest.mark.parametrize("others", [10, 1_000])
def test_a_tick_evaluates_those_for_which_something_is_due(others: int, live: int) -> None:
    story = Story()
    state = story.play.state = PartitionState(live_accounts=live)
    story.tick(at(0))
    due = {f"due-{n}" for n in range(7)}
    for number in range(others):
        name = f"other-{number}"
        story.play.add(
            profile(f"p{number}", name, at(0), seats=4, renewal_at=at(90)),
            story.line("used", at(0), name, user_id="ada"),
            story.line("check_in", at(0), name),
            story.line("card_updated", at(0), name, properties={"expires_at": at(300)}),
        )
    for name in sorted(due):
        story.play.add(
            story.line("used", at(0), name, user_id="ada"),
            story.line("support_opened", at(0) + HOUR_MS, name),
        )
    story.tick(at(0) + 3 * HOUR_MS)
    for hour in range(4, 25):  # the day's start, in slices
        story.tick(at(0) + hour * HOUR_MS)
    story.tick(at(1) + HOUR_MS - 1)
    assert len(state) == others + 7
    state.take_touched()
    waiting = len(state.soon)

    story.tick(at(1) + HOUR_MS)

    assert state.touched == due
    assert waiting - len(state.soon) == 7  # and nobody else was as much as looked at
    assert {alert.account_id for alert in story.alerts()} == due
