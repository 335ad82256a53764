"""Two accounts become one, part by part."""

from __future__ import annotations

import random
from typing import Any

from mypy_extensions import i64

from pulse.engagement.account import Account, Activity
from pulse.engagement.days import Calendar
from pulse.engagement.distinct import LastSeen
from pulse.engagement.facts import FactLog
from pulse.engagement.notes import Notes
from pulse.engagement.profile import Profile
from pulse.engagement.recent import RecentIds
from pulse.engagement.uniting import unite

DAY, DAY_MS = 739_000, 86_400_000
ANY = Activity()


def account(day: int, timezone: str = "UTC") -> Account:
    return Account("acme", Calendar(timezone, day))


def seen(limit: int, **days: int) -> LastSeen:
    ids = LastSeen(limit)
    for name, day in sorted(days.items()):
        ids.touch(name, day, DAY)
    return ids


def test_distinct_ids_are_those_of_both() -> None:
    mine = seen(100, ada=DAY - 3, bob=DAY - 30)
    mine.unite(seen(100, ada=DAY, bob=DAY - 40, cid=DAY - 7), DAY)

    assert mine.days == {"ada": DAY, "bob": DAY - 30, "cid": DAY - 7}
    assert [each.events for each in mine.marks()] == [2, 2, 1]
    assert mine.live == (1, 2, 3)
    late = seen(100)
    late.unite(seen(100, ada=DAY), DAY + 92)
    assert late.is_empty()


def test_users_who_have_no_name_any_more_are_two() -> None:
    mine, other = seen(100, ada=DAY), seen(100, bob=DAY)
    mine.forget("ada")
    other.forget("bob")
    mine.unite(other, DAY)

    assert mine.live == (2, 2, 2)
    mine.touch("cleo", DAY, DAY)
    assert mine.forget("cleo")
    assert mine.live == (3, 3, 3)


def test_samples_are_of_the_same_share() -> None:
    few = {f"user-{n}": DAY for n in range(40)}
    many = {f"user-{n}": DAY for n in range(1_000)}
    whole = seen(100, **few | many)
    for one, two in ((few, many), (many, few)):
        mine = seen(100, **one)
        mine.unite(seen(100, **two), DAY)
        assert mine.level == whole.level
        assert mine.days == whole.days
        assert mine.windows() == whole.windows()


def test_what_is_split_makes_it_again() -> None:
    days = {f"user-{n}": DAY - n for n in range(30)}
    ids, whole = seen(100, **days), seen(100, **days)
    parts = ids.split(7)
    assert [len(each) for each in (ids, *parts)] == [7, 7, 7, 7, 2]
    for part in parts:
        ids.unite(part, DAY)

    assert ids.marks() == whole.marks()
    assert ids.live == whole.live


def test_recent_ids_are_known_by_when_they_came_first() -> None:
    mine, other = RecentIds(), RecentIds()
    for key, stamp_ms in ((1, 0), (2, 5_000), (3, 7_000)):
        mine.add(i64(key), stamp_ms)
    for key, stamp_ms in ((4, 0), (3, 2_000), (5, 9_000)):
        other.add(i64(key), stamp_ms)
    mine.unite(other, first_tick_ms=1_000, latest_ms=8_000)

    left = []
    for before_ms in (0, 1_000, 2_000, 5_000, 7_999, 8_000):
        mine.forget(before_ms, first_tick_ms=500)
        left.append(len(mine))
    assert left == [5, 3, 2, 1, 1, 0]


def test_many_recent_ids_are_found_again() -> None:
    chance, mine, other = random.Random(1), RecentIds(), RecentIds()
    keys = [chance.getrandbits(60) for _ in range(500)]
    for n, key in enumerate(keys):
        (mine if n % 2 else other).add(i64(key), n)
    parts = other.parts(60)
    assert [len(each) for each in parts] == [60, 60, 60, 60, 10]
    for part in parts:
        mine.unite(part, 0, 0)

    assert len(mine) == 500
    assert not any(mine.add(i64(key), 1_000) for key in keys)


def test_days_keep_their_dates_and_one_to_come_is_today() -> None:
    mine, other = account(DAY), account(DAY + 1, "Pacific/Kiritimati")
    for day, weight in ((DAY - 1, 5), (DAY, 3), (DAY + 1, 2)):
        other.calendar.day = DAY + 1
        other.add_to_day(day, weight * 1_000_000, 0, ANY)
    mine.events.today = 1_000_000
    unite(mine, other, ANY)

    assert mine.events.today == 6_000_000
    assert mine.events.tiles(DAY) == {DAY - 1: 5_000_000}
    assert mine.active_days(ANY) == 2


def test_active_days_that_are_not_kept_any_more_are_those_of_one() -> None:
    mine, other = account(DAY), account(DAY)
    mine.add_to_day(DAY - 1, 1, 0, ANY)
    other.add_to_day(DAY - 1, 1, 0, ANY)
    other.add_to_day(DAY - 2, 1, 0, ANY)
    mine.active_total += 40
    other.active_total += 100
    unite(mine, other, ANY)

    assert mine.active_total == 102


def test_notes_of_days_before_the_first_are_the_other_ones() -> None:
    mine, other = Notes(), Notes()
    for day in range(DAY - 40, DAY - 1):
        other.note(day, float(day % 50), (day % 7, 1, 1), (1, 1, 1))
    for day in range(DAY - 2, DAY + 1):
        mine.note(day, 99.0, (50, 50, 50), (1, 1, 1))
    mine.fill(other, DAY, DAY - 2)

    scores = {day: mine.score_on(day, DAY) for day in range(DAY - 42, DAY + 1)}
    theirs = {day: float(day % 50) for day in range(DAY - 40, DAY - 2)}
    none: dict[int, Any] = {DAY - 42: None, DAY - 41: None}
    assert scores == none | theirs | dict.fromkeys(range(DAY - 2, DAY + 1), 99.0)
    assert mine.users_on(DAY - 10) == ((DAY - 10) % 7, 1, 1)
    assert mine.users_on(DAY) == (50, 50, 50)
    new = Notes()
    new.fill(other, DAY, DAY - 2)
    assert new.score_on(DAY, DAY) == float((DAY - 2) % 50)
    new.fill(Notes(), DAY, DAY)
    assert new.known_from == DAY - 40


def test_a_profile_has_the_latest_word_and_nobody_has_bought_seats() -> None:
    mine, other = Profile(), Profile()
    mine.merge(5, "p", {"seats": 10, "plan": "pro"})
    other.merge(7, "p", {"seats": 50, "owner": None})
    other.merge(4, "p", {"plan": "basic", "name": "Acme"})
    mine.unite(other)

    assert {field: word[2] for field, word in mine.said().items()} == {
        "name": "Acme", "owner": None, "plan": "pro", "seats": 50,
    }  # fmt: skip
    assert mine.grown_ms == -1


def test_facts_have_the_latest_word_and_their_records_are_known() -> None:
    mine, other = account(DAY), account(DAY)
    other.say("payment", 5, "f", True)
    other.say("step/a", 5, "f", True)
    mine.say("payment", 4, "f", False)
    mine.say("step/a", 2, "f", True)
    assert isinstance(other.facts, FactLog)
    assert not other.facts.is_repeat(77, 1_000, 0)
    unite(mine, other, ANY)

    assert mine.facts is not None
    assert {m: (w.ts_ms, w.value) for m, w in mine.facts.words().items()} == {
        "payment": (5, True), "step/a": (2, True),
    }  # fmt: skip
    assert mine.facts.is_repeat(77, 2_000, 0)
