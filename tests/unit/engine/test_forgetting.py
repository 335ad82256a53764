"""An account, or a user, is forgotten: nothing of it is left, and nothing comes back."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine.control import FORGET, forget, read_forget
from pulse.testing.changelog import Outside, Owner
from pulse.testing.histories import profile, usage
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from pulse.model import Alert

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
START_MS = 1_704_067_200_000
POLICY = policy(
    Config.model_validate(
        {
            "line": {"min_history_days": 1, "min_active_days": 1, "dwell": "1h"},
            "signals": {
                "silence": {"days": 2, "min_active_days": 2},
                "champion_gone": {"days": 2, "min_events": 4},
            },
        }
    )
)

REASONS = ["champion_gone", "detractor"]


class Story:
    """Accounts whose users come daily; ada does most of the work."""

    def __init__(self) -> None:
        self.play = Play(POLICY)
        self.day = 0
        self.add(profile("p", "acme", START_MS, name="Acme Ltd", owner="bob"))

    def days(
        self, number: int, *users: str, accounts: tuple[str, ...] = ("acme", "globex")
    ) -> Story:
        for _ in range(number):
            for hour in range(8, 12):
                at_ms = START_MS + self.day * DAY_MS + hour * HOUR_MS
                self.play.tick(at_ms)
                for user in users:
                    for account in accounts if user == "ada" or hour == 8 else ():
                        unique = f"{self.day}-{hour}-{user[0]}"
                        self.add(usage(unique, account, at_ms, user_id=user))
            self.day += 1
            self.play.tick(START_MS + self.day * DAY_MS + 60_000)
        return self

    def add(self, line: bytes) -> None:
        self.play.add(line)

    def say(self, account: str, event: str, user: str, **properties: Any) -> None:
        at_ms = START_MS + self.day * DAY_MS
        self.add(
            usage(f"s{self.day}", account, at_ms, event=event, user_id=user, properties=properties)
        )

    def forget(self, account: str | None, user: str | None = None) -> Story:
        self.play.log.control("forget", forget(account, user, START_MS).value)
        self.play.apply(self.play.log.records[-1:])
        return self

    def alerts(self, account: str) -> list[Alert]:
        return [each for each in self.play.outcome.alerts if each.account_id == account]

    def ended(self, account: str) -> list[tuple[str, str | None]]:
        return [(each.reason, each.resolution) for each in self.alerts(account) if each.resolution]

    @property
    def forgotten(self) -> int:
        return self.play.outcome.counts["forgotten"]


def names(story: Story) -> bytes:
    """All of the state as it is written."""
    state = story.play.state
    return b"".join(state.packed(each) for page in state.pages for each in page.accounts)


def test_an_account_is_gone_with_its_alerts_and_stays_so() -> None:
    story = Story().days(5, "bob", "cid").days(3)
    assert [each.reason for each in story.alerts("acme")] == ["silence"]
    story.forget("acme")

    assert story.ended("acme") == [("silence", "forgotten")]
    last = story.alerts("acme")[-1]
    assert last.summary == "acme: silence has ended, since it was to be forgotten."
    assert (last.score, last.zone, last.profile.changes()) == (None, "unknown", {})
    assert last.evidence == {"last_active_at": None, "active_days": 0}
    assert sorted(story.play.state.ids()) == ["globex"]
    assert story.play.state.gone == {"acme"}
    assert b"acme" not in names(story)
    assert b"Acme" not in names(story)

    story.days(3, "ada", accounts=("acme",))
    story.add(usage("bad", "acme", START_MS, properties={"value": "no number"}))
    story.add(profile("p2", "acme", START_MS + 9 * DAY_MS, name="Acme Ltd"))
    story.days(100)
    assert story.forgotten == 14
    assert story.play.outcome.dead_letters == []
    assert sorted(story.play.state.ids()) == ["globex"]
    assert len(story.ended("acme")) == 1


def test_who_is_not_known_yet_never_will_be() -> None:
    story = Story().forget("initech").forget("initech").days(2, "ada", accounts=("initech", "acme"))

    assert sorted(story.play.state.ids()) == ["acme"]
    assert story.forgotten == 8
    assert len(story.play.state.forgotten) == 1


def test_what_is_read_again_from_before_is_counted_as_it_was() -> None:
    state = Story().days(1, "ada").forget("acme", "ada").forget(None, "bob").play.state
    here = state.position

    assert state.is_user_forgotten("acme", "ada", here)
    assert state.is_user_forgotten("globex", "bob", here)
    assert not state.is_user_forgotten("globex", "ada", here)
    assert not state.is_user_forgotten("acme", "bob", here - 3)
    assert not state.is_user_forgotten("acme", "ada", here - 3)


@pytest.mark.parametrize("account", ["acme", None])
def test_a_user_s_name_is_gone_and_the_counts_are_not(account: str | None) -> None:
    story, other = Story().days(5, "ada", "bob"), Story().days(5, "ada", "bob")
    before = story.play.statuses()
    story.forget(account, "ada")

    assert story.play.statuses() == before
    assert (b"ada" in names(story)) == (account is not None)
    kept = story.play.state.account("acme").users.days
    assert "bob" in kept
    assert len(kept) == 2
    # What she does from now on is dropped, where she was forgotten.
    story.days(2, "ada", "bob")
    other.days(2, "ada", "bob")
    assert story.forgotten == (8 if account else 16)
    assert "ada" not in story.play.state.account("acme").users.days
    same = story.play.status("globex") == other.play.status("globex")
    assert same == (account is not None)
    assert story.play.status("acme")["measures"]["active_users"]["28d"] == 2
    # Nobody is called a champion who has no name.
    story.days(4, "bob")
    other.days(4, "bob")
    assert "champion_gone" not in {each.reason for each in story.alerts("acme")}


def test_alerts_about_the_user_end() -> None:
    story = Story().days(8, "ada", "bob").days(4, "bob")
    story.say("acme", "nps", "ada", score=0)
    story.days(1, "bob")
    firing = [each.reason for each in story.alerts("acme")]
    assert firing == REASONS
    assert b"ada" in names(story)
    story.forget(None, "ada").days(10, "bob")

    assert story.ended("acme") == [("champion_gone", "forgotten"), ("detractor", "forgotten")]
    assert story.ended("globex") == [("champion_gone", "forgotten")]
    assert b"ada" not in names(story)
    ends = [each.to_json() for each in story.alerts("acme") if each.resolution]
    assert not [each for each in ends if b"ada" in each]
    assert len([each for each in story.alerts("acme") if each.reason in REASONS]) == 4


def history() -> list[Any]:
    """A log in which all of this happens, with days before and after."""
    story = Story().days(6, "ada", "bob")
    story.say("globex", "nps", "ada", score=0)
    story.days(4, "bob").forget("globex", "ada").days(1, "ada", "bob").forget("acme")
    story.days(2, "ada", "bob", accounts=("acme", "globex", "initech"))
    story.forget(None, "bob").forget("umbrella").days(3, "ada", "bob", "cid")
    return story.play.log.records


@pytest.mark.parametrize("page_accounts", [1, 64])
@pytest.mark.parametrize("kept_back", [0, 9])
def test_a_crash_after_any_write_changes_nothing(page_accounts: int, kept_back: int) -> None:
    log = history()
    calm = Outside(log)
    owner = Owner(POLICY, calm, page_accounts=page_accounts)
    expected = owner.finish(), owner.packed(), sorted(owner.state.forgotten), calm.alerts
    assert sorted(expected[0]) == ["globex", "initech"]

    for seed in range(20):
        chance, outside = random.Random(seed), Outside(log)
        owner = Owner(POLICY, outside, kept_back=kept_back, page_accounts=page_accounts)
        for _ in range(12):
            owner.work(chance.randrange(1, 40))
            if chance.random() < 0.6:
                owner.write()
                continue
            owner.begin_flush()
            for _ in range(chance.randrange(7)):
                owner.step()
            owner = Owner(POLICY, outside, kept_back=kept_back, page_accounts=page_accounts)
        found = owner.finish(), owner.packed(), sorted(owner.state.forgotten), outside.alerts
        assert found == expected


def test_how_the_log_is_cut_changes_nothing() -> None:
    log = history()
    whole, single = Play(POLICY), Play(POLICY)
    whole.apply(log)
    for record in log:
        single.apply([record])
    whole.settle()
    single.settle()

    assert whole.statuses() == single.statuses()
    assert whole.outcome.alerts_in_order() == single.outcome.alerts_in_order()
    assert whole.outcome.counts == single.outcome.counts


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"account": ""},
        {"user": "a\n"},
        {"account": 7},
        {"user": "x" * 257},
        {"ts": -1, "user": "u"},
    ],
)
def test_what_cannot_be_read_forgets_nobody(said: dict[str, Any]) -> None:
    value = msgspec.json.encode({"type": "forget", "ts": 0} | said)
    play = Play(POLICY)
    play.log.control(FORGET.decode(), value)
    play.apply(play.log.records)

    assert read_forget(value) is None
    assert play.outcome.counts == {"unknown_control": 1}
