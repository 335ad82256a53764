"""Each cause of leaving has its trace in the events, and what only looks like one passes."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from copy import copy
from datetime import date
from functools import cache
from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from pulse.simulation.history import History
from pulse.simulation.product import EPOCH, FEATURES, STEPS
from pulse.simulation.setting import Setting
from pulse.simulation.story import CAUSES, LOOK_ALIKES
from pulse.simulation.users import key_feature

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.simulation.accounts import Account

pytestmark = pytest.mark.long

# From 2025-08-01 on, so that there is a January in the middle of it.
SETTING = Setting(accounts=300, days=300, seed=5, churn=0.6, first=20_301)


class Life:
    """An account, with its events by day (those of its users) and the facts about it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.began, self.over = account.story.began, account.story.over
        self.work: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self.facts: list[dict[str, Any]] = []

    def on(self, days: Iterable[int]) -> list[dict[str, Any]]:
        """The events of some days."""
        return [event for day in days for event in self.work.get(day, ())]

    def users(self, days: Iterable[int]) -> Counter[str]:
        """How much each user did on some days."""
        return Counter(event["user_id"] for event in self.on(days))

    def left_of_use(self, days: range) -> float:
        """Events a day, beside the four weeks before it began."""
        before = self.on(range(self.began - 28, self.began))
        return len(self.on(days)) / len(days) / max(len(before) / 28, 0.1)

    def said(self, event: str) -> list[dict[str, Any]]:
        """The facts of a name from its beginning on, in order."""
        return [
            fact
            for fact in self.facts
            if fact["event"] == event and _day(fact["ts"]) >= self.began - 1
        ]

    def open(self, opens: str, closes: str) -> int:
        """How many things were opened since it began, and never closed."""
        closed = {fact["properties"]["id"] for fact in self.said(closes)}
        return sum(fact["properties"]["id"] not in closed for fact in self.said(opens))


@cache
def history() -> History:
    return History(SETTING)


@cache
def lives() -> dict[str, Life]:
    found = {each.account_id: Life(each) for each in history().accounts}
    for day in history().days():
        for line in map(msgspec.json.decode, day):
            life = found[line["account_id"]]
            if "user_id" in line and "feature" in line["properties"]:
                life.work[_day(line["ts"])].append(line)
            elif "event" in line:
                life.facts.append(line)
    return found


def _day(ts: str) -> int:
    return _day_of(ts[:10])


@cache
def _day_of(text: str) -> int:
    return date.fromisoformat(text).toordinal() - EPOCH


def of(cause: str, outcome: str) -> list[Life]:
    """Lives with a cause, of which four weeks before it are seen, and all of it."""
    first, end = SETTING.first, SETTING.end
    return [
        life
        for life in lives().values()
        if history().outcome(life.account) == outcome
        and life.account.story.cause == cause
        and (cause == "never_adopted" or life.began >= max(first, life.account.started) + 28)
        and (outcome == "left" or life.over + 28 <= end)
    ]


def of_nothing() -> list[Life]:
    """New lives of those who were there from the beginning, and to whom nothing happens."""
    return [
        copy(life)
        for life in lives().values()
        if life.account.story.cause == "" and life.account.started < SETTING.first
    ]


def last_days(life: Life) -> range:
    return range(life.over - 14, life.over)


def champion_is_gone(life: Life) -> bool:
    before = life.users(range(life.began - 28, life.began - 1))
    champion, most = before.most_common(1)[0]
    after = life.users(range(life.began + 1, life.over))
    return most > 0.5 * before.total() and champion not in after and after.total() > 0


def feature_is_gone(life: Life) -> bool:
    name = FEATURES[key_feature(life.account.plan)].name
    before = Counter(
        each["properties"]["feature"] for each in life.on(range(life.began - 28, life.began))
    )
    after = Counter(
        each["properties"]["feature"] for each in life.on(range(life.began + 1, life.over))
    )
    return before[name] > 0.2 * before.total() and name not in after and after.total() > 0


def was_never_adopted(life: Life) -> bool:
    steps = {fact["event"] for fact in life.facts} & {event for event, *_ in STEPS}
    return steps <= {STEPS[0][0]} and len(life.on(last_days(life))) <= 5


def has_unused_seats(life: Life) -> bool:
    came = len(life.users(range(life.over - 28, life.over)))
    return came < 0.5 * life.account.seats


TRACES: dict[str, Callable[[Life], bool]] = {
    "champion_left": champion_is_gone,
    "never_adopted": was_never_adopted,
    "slow_fade": lambda life: life.left_of_use(last_days(life)) < 0.3,
    "sudden_stop": lambda life: not life.on(range(life.began + 1, life.over)),
    "payment_failed": lambda life: (
        len(life.said("payment_failed")) > len(life.said("payment_recovered"))
    ),
    "support_unanswered": lambda life: life.open("support_opened", "support_answered") >= 3,
    "bug_open": lambda life: life.open("bug_reported", "bug_closed") >= 1,
    "seats_unused": has_unused_seats,
    "feature_abandoned": feature_is_gone,
}


def test_every_cause_has_a_trace_to_look_for() -> None:
    assert TRACES.keys() == CAUSES.keys()


@pytest.mark.parametrize("cause", CAUSES)
def test_a_cause_can_be_seen_before_they_leave(cause: str) -> None:
    found = of(cause, "left")
    seen = [life for life in found if TRACES[cause](life)]

    assert len(found) >= 3
    # Use is random, and somebody may have been on vacation before it began.
    assert len(seen) >= 0.8 * len(found), [
        life.account.account_id for life in found if life not in seen
    ]


@pytest.mark.parametrize("cause", sorted(CAUSES.keys() - {"never_adopted"}))
def test_who_stays_has_no_such_trace(cause: str) -> None:
    """What is looked for above is not found just as well where nothing happens."""
    plain = []
    for life in of_nothing():
        life.began, life.over = SETTING.first + 60, SETTING.first + 120
        plain.append(life)

    assert len(plain) > 30
    assert sum(map(TRACES[cause], plain)) < 0.1 * len(plain)


@pytest.mark.parametrize("cause", ["vacation", "quiet_january"])
def test_a_dip_passes(cause: str) -> None:
    lives = of(cause, "stayed")
    dips = [life.left_of_use(range(life.began + 1, life.over - 1)) for life in lives]
    after = [life.left_of_use(range(life.over + 2, life.over + 28)) for life in lives]

    assert len(dips) >= 5
    assert median(dips) < 0.3
    assert 0.75 < median(after) < 1.3


def test_champions_are_replaced_and_payments_made_good() -> None:
    replaced = of("champion_replaced", "stayed")
    assert len(replaced) >= 3
    gone = [life for life in replaced if champion_is_gone(life)]
    assert len(gone) >= 0.7 * len(replaced)
    assert median(life.left_of_use(range(life.began + 7, life.over)) for life in gone) > 0.6

    paid = of("payment_recovered", "stayed")
    assert len(paid) >= 3
    for life in paid:
        assert len(life.said("payment_recovered")) >= len(life.said("payment_failed")) >= 1


def test_the_causes_are_told_as_they_are() -> None:
    rows = list(csv.DictReader(history().causes()))
    known = {each.account_id: each for each in history().accounts}

    assert [row["account_id"] for row in rows] == list(known)
    left = Counter(row["cause"] for row in rows if row["outcome"] == "left")
    assert left.keys() == CAUSES.keys()
    stayed = Counter(row["cause"] for row in rows if row["outcome"] == "stayed")
    assert stayed.keys() == LOOK_ALIKES.keys()
    assert stayed[""] > 0.4 * stayed.total()
    for row in rows:
        assert bool(row["cause"]) == bool(row["began_at"])
        assert row["outcome"] == "stayed" or row["cause"]
