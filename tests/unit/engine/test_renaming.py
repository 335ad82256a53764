"""An account goes on under another id: nothing it knew is lost, and what comes later follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import arrival
from pulse.engine.arrival import FORM, FormError, read_arrival
from pulse.engine.columns import FIRST_PIECE, LOAD_HEADER
from pulse.engine.control import forget, load, loaded, read_rename, rename
from pulse.stream.state.pages import STATE_VERSION
from pulse.testing.histories import profile, usage
from pulse.testing.partitions import Partitions, forwarded
from pulse.testing.playing import Play

if TYPE_CHECKING:
    from pulse.model import Alert

DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
START_MS = 1_704_067_200_000
POLICY = policy(
    Config.model_validate(
        {
            "line": {
                "enter": 95,
                "exit": 97,
                "approach": 96,
                "min_history_days": 1,
                "min_active_days": 1,
                "dwell": "1h",
            },
            "signals": {
                "silence": {"days": 2, "min_active_days": 2},
                "champion_gone": {"days": 2, "min_events": 4},
            },
        }
    )
)
PLACES = {"acme": 0, "globex": 1, "initech": 2, "umbrella": 0}


class Story:
    """Accounts in three partitions; days go by, and on some of them users come every hour."""

    def __init__(self) -> None:
        self.all = Partitions(POLICY, 3, PLACES.__getitem__)
        self.day = 0
        self.at_ms = START_MS
        self.all.tick(START_MS)

    def days(self, number: int, *users: str, account: str = "acme") -> Story:
        for _ in range(number):
            for hour in range(8, 12) if users else ():
                self.at_ms = START_MS + self.day * DAY_MS + hour * HOUR_MS
                self.all.tick(self.at_ms)
                for user in users:
                    self.use(account, user)
            self.day += 1
            self.at_ms = START_MS + self.day * DAY_MS + MINUTE_MS
            self.all.tick(self.at_ms)
        return self

    def use(self, account: str, user: str, **fields: Any) -> None:
        unique = fields.pop("id", f"{self.at_ms}-{user}")
        self.all.add(account, usage(unique, account, self.at_ms, user_id=user, **fields))

    def rename(self, old: str, new: str) -> Story:
        self.all.rename(old, new)
        return self

    def alerts(self, account: str, reason: str | None = None) -> list[Alert]:
        told = [each for each in self.all.outcome.alerts if each.account_id == account]
        return [each for each in told if reason in (None, each.reason)]

    def told(self, account: str) -> list[tuple[str, str, str | None]]:
        return [(each.reason, each.status, each.resolution) for each in self.alerts(account)]

    def events(self, account: str) -> float:
        events = self.all.statuses()[account]["measures"]["events"]["84d"]
        assert isinstance(events, (int, float))
        return events

    @property
    def counts(self) -> dict[str, int]:
        return self.all.outcome.counts


def test_an_account_that_nobody_knows_there_is_taken_over_whole() -> None:
    story = Story().days(5, "ada", "bob")
    story.all.add("acme", profile("p", "acme", START_MS, name="Acme Ltd", seats=3))
    before = story.all.statuses()["acme"]
    story.rename("acme", "globex")

    after = story.all.statuses()
    assert after == {"globex": before | {"account_id": "globex"}}
    assert story.all.state_of("acme").gone == {"acme"}
    assert story.all.state_of("globex").account("globex").fact("name") == "Acme Ltd"
    assert story.counts["arrivals"] == 1
    assert b"acme" not in b"".join(
        state.packed(each)
        for state in story.all.states
        for page in state.pages
        for each in page.accounts
    )


def test_what_comes_later_for_the_old_id_is_counted_for_the_new_one() -> None:
    story = Story().days(2, "ada").rename("acme", "globex")
    story.use("acme", "ada", id="new", value=7)
    story.use("acme", "ada", id="new")
    story.all.add("acme", profile("p", "acme", story.at_ms, name="Acme"))
    many = [usage(f"m{n}", "acme", story.at_ms, user_id="ü\n") for n in range(3)]
    story.all.add("acme", usage("m9", "umbrella", story.at_ms), *many)
    story.use("acme", "ada", id="bad", ts="never")
    story.days(1)

    assert story.events("globex") == 8 + 1
    assert story.counts["renamed"] == 7
    assert story.counts["duplicates"] == 1
    assert sorted(story.all.statuses()) == ["globex", "umbrella"]
    letters = story.all.outcome.dead_letters
    assert [each.reason for each in letters] == ["wrong_shape"] * 4
    assert {msgspec.json.decode(each.raw)["account_id"] for each in letters} == {"globex"}


def test_the_alerts_end_and_what_still_holds_is_told_under_the_new_id() -> None:
    story = Story().days(6, "ada", "bob", "cid").days(5)
    (fell,) = story.alerts("acme", "silence")
    story.rename("acme", "globex").days(1)

    _, ended = story.alerts("acme", "silence")
    assert (ended.resolution, ended.id) == ("renamed", fell.id)
    assert ended.summary == "acme: silence goes on under the account's new id."
    (again,) = story.alerts("globex", "silence")
    assert (again.status, again.since) == ("firing", fell.since)
    story.use("globex", "ada")
    story.days(1)
    assert story.alerts("globex", "silence")[-1].resolution == "active_again"


def test_a_danger_goes_on_under_the_new_id() -> None:
    story = Story().days(20, "ada", "bob", "cid").days(8)
    zone = story.all.statuses()["acme"]["zone"]
    assert zone in ("danger", "approaching")
    opened = [each for each in story.alerts("acme") if each.reason == zone][-1]
    assert opened.status == "firing"
    story.rename("acme", "globex")

    assert (zone, "resolved", "renamed") in story.told("acme")
    assert story.told("globex")[0] == (zone, "firing", None)
    assert story.alerts("globex")[0].since == opened.since
    assert story.all.statuses()["globex"]["zone"] == zone


def test_who_is_not_known_yet_is_known_by_the_new_id() -> None:
    story = Story().rename("acme", "globex").rename("acme", "globex").days(2, "ada")

    assert sorted(story.all.statuses()) == ["globex"]
    assert story.events("globex") == 8
    assert "arrivals" not in story.counts


def test_an_account_that_is_known_there_becomes_one_with_it() -> None:
    story = Story().days(3, "ada", "bob").days(3, "ada", "cid", account="globex")
    at_ms = story.at_ms
    story.all.add("acme", profile("p1", "acme", at_ms, name="Old", seats=3))
    story.all.add("globex", profile("p2", "globex", at_ms + 1, name="New"))
    story.use("acme", "ada", id="twice")
    story.rename("acme", "globex")
    story.use("globex", "ada", id="twice")
    story.use("acme", "ada", id="twice")
    story.days(1)

    status = story.all.statuses()["globex"]
    assert status["measures"]["events"]["28d"] == 3 * 8 + 3 * 8 + 1
    assert status["measures"]["active_users"]["28d"] == 3
    assert status["measures"]["active_days"]["28d"] == 7
    assert story.counts["duplicates"] == 2
    account = story.all.state_of("globex").account("globex")
    assert (account.fact("name"), account.fact("seats")) == ("New", 3)
    assert account.first_ms == START_MS + 8 * HOUR_MS
    # What was measured before it came is known, too.
    assert account.notes.known_from == account.calendar.day - 6


def test_names_follow_one_another() -> None:
    story = Story().days(2, "ada").rename("acme", "globex").rename("globex", "initech")
    story.use("acme", "ada", id="a")
    story.use("globex", "ada", id="b")
    story.use("initech", "ada", id="c")

    assert sorted(story.all.statuses()) == ["initech"]
    assert story.events("initech") == 11
    # In the other order it comes to the same.
    other = Story().days(2, "ada").rename("globex", "initech").rename("acme", "globex")
    assert other.events("initech") == 8
    assert other.told("globex") == []


def test_a_name_can_be_given_back() -> None:
    story = Story().days(2, "ada").rename("acme", "globex").rename("globex", "acme")
    story.use("acme", "ada", id="a")
    story.use("globex", "ada", id="b")

    assert sorted(story.all.statuses()) == ["acme"]
    assert story.events("acme") == 10
    assert story.all.state_of("acme").gone == set()


def test_names_in_a_circle_lose_nothing() -> None:
    story = Story().days(2, "ada").rename("acme", "globex").rename("globex", "initech")
    story.rename("initech", "acme")
    for name in ("acme", "globex", "initech"):
        story.use(name, "ada", id=name)

    assert [sum(map(story.events, story.all.statuses()))] == [11]
    assert len(story.all.statuses()) == 1
    assert story.all.outcome.dead_letters == []


def test_a_circle_of_names_that_nobody_had_ends_in_the_dead_letter() -> None:
    story = Story().rename("acme", "globex").rename("globex", "acme").days(1, "ada")

    assert story.all.statuses() == {}
    assert [each.reason for each in story.all.outcome.dead_letters] == ["renamed"] * 4
    assert story.all.outcome.dead_letters[0].detail.endswith("or in a circle")
    play = Play(POLICY)
    for old, new in (("a", "b"), ("b", "a")):
        play.log.control("rename", rename(old, new, 0).value)
    play.log.add(usage("e", "a", START_MS))
    play.apply(play.log.records)
    assert [each.reason for each in play.outcome.dead_letters] == ["renamed"]


def test_what_comes_twice_is_taken_once() -> None:
    story = Story().days(2, "ada", account="globex").days(2, "ada")
    state, log = story.all.states[0], story.all.logs[0]
    offset = log.control("rename", rename("acme", "globex", 0).value)
    effects = story.all.engine.apply(state, log.records[offset:])
    value, headers = forwarded(effects.misplaced[0], 0)
    for _ in range(2):
        story.all.logs[1].add(value, *headers)
    story.all.apply()

    assert story.events("globex") == 16
    assert story.counts["duplicates"] == 1


def test_what_an_account_left_is_known_again_however_much_comes_after() -> None:
    story = Story().days(1, "ada").rename("acme", "globex")
    (left,) = story.all.state_of("globex").forwarded
    assert left[2] == FIRST_PIECE
    story.all.state_of("globex").forwarded |= {(9, n, 1): n for n in range(9_999)}
    for number in range(3):
        story.use("acme", "ada", id=f"{number}")

    kept = story.all.state_of("globex").forwarded
    assert left in kept
    assert len(kept) == 10_000


def test_it_is_taken_over_by_the_clock_of_its_partition() -> None:
    story = Story().days(2, "ada")
    story.all.logs[1].tick(story.at_ms + 3 * DAY_MS)
    story.all.apply()
    story.rename("acme", "globex")
    state = story.all.state_of("globex")

    assert state.account("globex").calendar.start_ms == START_MS + 5 * DAY_MS
    behind = Story().days(2, "ada")
    behind.all.states[1].clock_ms = START_MS
    behind.rename("acme", "globex")
    account = behind.all.state_of("globex").account("globex")
    assert account.seen.oldest_ms(0) == START_MS


def test_who_was_forgotten_stays_so() -> None:
    story = Story().days(2, "ada", "bob")
    story.all.control("acme", "forget", forget("acme", "bob", 0).value)
    # On its way it does not know of it.
    story.all.control("globex", "forget", forget(None, "ada", 0).value)
    story.rename("acme", "globex")
    story.use("acme", "bob", id="x")
    story.use("acme", "ada", id="y")

    state = story.all.state_of("globex")
    assert b"ada" not in state.packed("globex")
    assert b"bob" not in state.packed("globex")
    assert story.counts["forgotten"] == 2
    assert story.all.statuses()["globex"]["measures"]["active_users"]["7d"] == 2
    story.all.control("globex", "forget", forget("globex", None, 0).value)
    story.use("acme", "cid", id="z")
    assert story.all.statuses() == {}
    assert story.counts["forgotten"] == 3


def test_nothing_arrives_where_the_account_was_erased() -> None:
    story = Story().days(1, "ada")
    story.all.control("globex", "forget", forget("globex", None, 0).value)
    story.rename("acme", "globex")

    assert story.all.statuses() == {}
    assert story.counts["forgotten"] == 1


def test_of_who_was_erased_after_it_was_renamed_it_is_not_told_where_it_went() -> None:
    story = Story().days(1, "ada").rename("acme", "globex")
    story.all.control("acme", "forget", forget("acme", None, 0).value)
    story.use("acme", "ada", id="x")

    assert story.events("globex") == 4
    assert [each.to for each in story.all.state_of("acme").forgotten.values()] == [""]
    assert story.counts["forgotten"] == 1


@pytest.mark.parametrize("size", [2_000, 3_000])
def test_a_large_account_leaves_in_pieces(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(arrival, "PIECE_BYTES", size)
    story = Story()
    for number in range(300):
        story.use("acme", f"user-{number % 80}", id=f"e{number}")
    before = story.all.state_of("acme").account("acme")
    seen = [each.name for each in before.users.marks()]
    story.rename("acme", "globex")

    assert story.counts["arrivals"] > 2
    after = story.all.state_of("globex").account("globex")
    assert [each.name for each in after.users.marks()] == seen
    story.use("globex", "user-0", id="e0")
    story.use("globex", "user-0", id="e299")
    assert story.counts["duplicates"] == 2
    assert story.all.statuses()["globex"]["measures"]["active_users"]["7d"] == 80


@pytest.mark.parametrize(
    "said",
    [
        {"account": ""},
        {"to": "a\n"},
        {"to": 7},
        {"to": "x" * 257},
        {"ts": -1},
        {"to": "acme"},
    ],
)
def test_what_cannot_be_read_renames_nobody(said: dict[str, Any]) -> None:
    fine = {"type": "rename", "ts": 0, "account": "acme", "to": "globex"}
    value = msgspec.json.encode(fine | said)
    story = Story().days(1, "ada")
    story.all.control("acme", "rename", value)

    assert read_rename(value) is None
    assert story.counts["unknown_control"] == 1
    assert sorted(story.all.statuses()) == ["acme"]


def test_what_stands_in_the_wrong_partition_renames_nobody() -> None:
    story = Story().days(1, "ada")
    story.all.control("globex", "rename", rename("acme", "globex", 0).value)

    assert story.counts["unknown_control"] == 1
    assert sorted(story.all.statuses()) == ["acme"]


def test_an_arrival_that_cannot_be_read_is_counted() -> None:
    story = Story().days(1, "ada")
    fine = msgspec.msgpack.encode([FORM, "globex", ["acme"], 0, b"\x05nonsense", 7])
    for number, value in enumerate((b"", b"\x90", b"no", fine)):
        origin = ("pulse-forwarded-from", b"events/0/%d/0" % number)
        story.all.logs[1].add(value, ("pulse-control", b"arrival"), origin)
    story.all.logs[1].add(fine, ("pulse-control", b"arrival"))
    story.all.apply()

    assert story.counts["unknown_control"] == 5
    with pytest.raises(FormError, match=f"written in form {FORM + 1}"):
        read_arrival(msgspec.msgpack.encode([FORM + 1, "globex"]))


def test_the_form_of_an_account_is_that_of_the_state() -> None:
    assert FORM == STATE_VERSION


def test_of_an_account_that_is_forgotten_no_name_is_left_where_one_was_renamed_to_it() -> None:
    story = Story().days(2, "ada").rename("acme", "globex")
    assert b"globex" in written(story)
    for account in ("acme", "globex", "initech"):  # each of the partitions
        story.all.control(account, "forget", forget("globex", None, 0).value)

    assert b"globex" not in written(story)
    story.use("acme", "ada", id="later")
    assert story.all.statuses() == {}


def written(story: Story) -> bytes:
    """All that the states' pages hold."""
    return b"".join(
        state.packed(each)
        for state in story.all.states
        for page in state.pages
        for each in page.accounts
    )


def test_what_a_load_holds_back_is_told_before_the_account_goes() -> None:
    story = Story().days(3, "ada").days(3)
    assert ("silence", "firing", None) in story.told("acme")
    story.all.control("acme", "load", load("load-1", 0).value)
    line = usage("past", "acme", story.at_ms, user_id="ada")
    story.all.logs[PLACES["acme"]].add(line, (LOAD_HEADER, b"load-1"))
    story.all.tick(story.at_ms + 2 * MINUTE_MS)
    ended = ("silence", "resolved", "active_again")
    assert ended not in story.told("acme")

    story.rename("acme", "globex")
    assert story.told("acme").count(ended) == 1
    # The load has begun in this partition alone: nobody would let it go in the other.
    assert story.all.state_of("globex").account("globex").load is None


def test_what_a_load_holds_is_held_under_the_new_id() -> None:
    story = Story().days(3, "ada")
    for account in PLACES:
        story.all.control(account, "load", load("load-1", 0).value)
    line = usage("past", "acme", story.at_ms, user_id="ada")
    story.all.logs[PLACES["acme"]].add(line, (LOAD_HEADER, b"load-1"))
    for _ in range(6):  # it says so at least once a day
        story.at_ms += DAY_MS // 2
        story.all.tick(story.at_ms)
        for account in PLACES:
            story.all.control(account, "load", load("load-1", 1).value)
    assert {each.caused_by for each in story.alerts("acme", "silence")} == {"load"}

    story.rename("acme", "globex")
    story.all.tick(story.at_ms + 2 * MINUTE_MS)
    told = story.alerts("globex")
    assert told
    assert {each.caused_by for each in told} == {"load"}
    for account in PLACES:
        story.all.control(account, "loaded", loaded("load-1", 0).value)
    left = story.all.state_of("globex").account("globex").load
    assert left is not None
    assert not left.is_on


def test_nothing_is_renamed_to_an_id_that_was_erased() -> None:
    story = Story().days(2, "ada")
    for account in ("acme", "globex", "initech"):  # each of the partitions
        story.all.control(account, "forget", forget("globex", None, 0).value)
    before = story.all.statuses()
    story.rename("acme", "globex")

    assert story.all.statuses() == before
    assert story.counts["forgotten"] == 1
    assert b"globex" not in written(story)


def test_a_line_of_a_load_stays_one_on_its_way() -> None:
    story = Story().days(2, "ada").rename("acme", "globex")
    story.all.control("globex", "load", load("load-1", 0).value)
    line = usage("past", "acme", story.at_ms, user_id="ada")
    story.all.logs[PLACES["acme"]].add(line, (LOAD_HEADER, b"load-1"))
    story.all.apply()

    mark = story.all.state_of("globex").account("globex").load
    assert mark is not None
    assert mark.is_on
