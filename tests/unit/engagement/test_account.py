"""One account's arithmetic: days, activity, profile, the days behind it, snapshots."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from mypy_extensions import i64

from pulse.engagement.account import Account, Activity, OpenAlert
from pulse.engagement.codec import Reader, Writer
from pulse.engagement.days import DAY_MS, NEVER, Calendar, day_start
from pulse.engagement.load import Began, Ended, LoadMark
from pulse.engagement.measures import MICRO, Measures, readable
from pulse.engagement.packing import header, pack, unpack
from pulse.engagement.profile import Profile

START = date(2024, 1, 1).toordinal()
START_MS = day_start(START, "UTC")
ANY = Activity()


def account() -> Account:
    return Account("acme", Calendar("UTC", START))


def use(acme: Account, day: float, rule: Activity = ANY, **what: Any) -> None:
    """One event so many days after the start; days up to it are begun."""
    at_ms = START_MS + round(day * DAY_MS)
    while acme.calendar.end_ms <= at_ms:
        acme.begin_day("UTC", rule)
    acme.add(
        at_ms,
        what.get("weight", MICRO),
        what.get("value", 0),
        what.get("user"),
        what.get("feature", "f"),
        rule,
    )


def windows(acme: Account, measure: str, rule: Activity = ANY) -> tuple[int, ...]:
    got: tuple[int, ...] = getattr(acme.measures(acme.calendar.start_ms, rule), measure)
    return got


def test_a_day_with_any_event_is_active() -> None:
    acme = account()
    for day in (0, 0.5, 1, 3):
        use(acme, day)

    assert windows(acme, "active_days") == (3, 3, 3)
    assert acme.active_days(ANY) == 3


def test_a_day_can_demand_a_minimum() -> None:
    rule = Activity(day_events=2 * MICRO, day_value=10 * MICRO)
    acme = account()
    use(acme, 0.1, rule, value=20 * MICRO)  # one event
    use(acme, 1.1, rule, value=5 * MICRO)
    use(acme, 1.2, rule, value=4 * MICRO)  # two, of little value
    use(acme, 2.1, rule, value=5 * MICRO)
    assert windows(acme, "active_days", rule) == (0, 0, 0)

    use(acme, 2.2, rule, value=5 * MICRO)
    assert windows(acme, "active_days", rule) == (1, 1, 1)


def test_late_events_make_a_day_active_or_take_it_back() -> None:
    rule = Activity(day_value=10 * MICRO)
    acme = account()
    use(acme, 0.1, rule, value=6 * MICRO)
    use(acme, 3, rule)
    assert acme.active_days(rule) == 0

    use(acme, 0.2, rule, value=6 * MICRO)
    assert (acme.active_days(rule), windows(acme, "active_days", rule)) == (1, (1, 1, 1))

    use(acme, 0.3, rule, value=-6 * MICRO)
    assert (acme.active_days(rule), windows(acme, "active_days", rule)) == (0, (0, 0, 0))


def test_a_window_below_its_minimum_counts_as_empty() -> None:
    # 15 minutes of viewing in 28 days, not a login.
    rule = Activity(windows=(None, (0, 900 * MICRO), None))
    acme = account()
    for day in range(20):
        use(acme, day, rule, value=40 * MICRO, user="ada")
    seen = acme.measures(START_MS, rule)

    assert seen.events == (7 * MICRO, 0, 20 * MICRO)
    assert seen.value == (280 * MICRO, 0, 800 * MICRO)
    assert (seen.active_users, seen.features, seen.active_days) == (
        (1, 0, 1),
        (1, 0, 1),
        (7, 0, 20),
    )

    use(acme, 20, rule, value=100 * MICRO, user="ada")
    assert acme.measures(START_MS, rule).value[1] == 900 * MICRO


def test_a_window_can_demand_events() -> None:
    rule = Activity(windows=((2 * MICRO, 0), None, None))
    acme = account()
    use(acme, 0, rule)
    assert windows(acme, "events", rule) == (0, MICRO, MICRO)
    use(acme, 0.5, rule)
    assert windows(acme, "events", rule) == (2 * MICRO,) * 3


def test_first_and_last_do_not_depend_on_order() -> None:
    acme = account()
    for day in (5, 3.5, 5.5, 4):
        use(acme, day)

    assert acme.first_ms == START_MS + 3.5 * DAY_MS
    assert acme.last_ms == START_MS + 5.5 * DAY_MS


@pytest.mark.parametrize(
    ("first", "now", "days"),
    [(0.9, 0.95, 0), (0.9, 1.1, 1), (0, 84, 84), (0, 200, 84), (10, 40.5, 30)],
)
def test_how_many_days_the_own_past_holds(first: float, now: float, days: int) -> None:
    acme = account()
    use(acme, first)
    use(acme, now)

    assert acme.baseline_days() == days


def test_the_latest_word_on_a_field_wins() -> None:
    acme = account()

    assert acme.merge(100, "b", {"plan": "pro", "seats": 7})
    assert not acme.merge(99, "z", {"plan": "older"})
    assert not acme.merge(100, "a", {"plan": "same instant, lesser id"})
    assert not acme.merge(100, "b", {"plan": "the same record"})
    assert acme.merge(100, "c", {"plan": None})
    assert acme.fact("plan") is None
    assert not acme.merge(100, "b", {"plan": "pro"})
    assert acme.fact("owner") is None
    assert acme.fact("seats") == 7


def test_what_evaluations_need_of_a_profile_follows_it() -> None:
    acme = account()
    acme.merge(1, "a", {"seats": 7, "mrr": 12.5, "segment": "smb", "timezone": "Asia/Tokyo"})
    profile = acme.profile
    assert profile is not None
    assert (profile.seats, profile.mrr, profile.segment, profile.timezone) == (
        7.0, 12.5, "smb", "Asia/Tokyo",
    )  # fmt: skip

    acme.merge(2, "b", {"seats": None, "segment": None})
    assert (profile.seats, profile.mrr, profile.segment) == (0.0, 12.5, "")


def test_a_past_day_is_told_as_it_was_measured() -> None:
    acme = account()
    told: list[tuple[float, Measures]] = []
    for day in range(150):
        if day % 3 != 2:
            use(acme, day + 0.5, user=f"user {day % 9}", feature=f"f {day // 40}", value=day - 20)
        if day > 7 and day % 5 == 0:  # late, and then later
            use(acme, day + 0.4 - day % 7, value=1000, user="late")
        acme.begin_day("UTC", ANY)
        told.append((day / 2, acme.measures(acme.calendar.start_ms, ANY)))
        acme.note_day(day / 2)
        for age in (0, 1, 7, 27, 28):
            row = acme.row_on(acme.calendar.day - age, ANY)
            if age >= len(told):
                assert row is None
                continue
            score, measured = told[-1 - age]
            assert row is not None
            assert row.score == score
            assert readable(row.measures) | {"recency_days": 0} == (
                readable(measured) | {"recency_days": 0}
            )


def test_nothing_is_known_of_a_day_too_far_back() -> None:
    acme = account()
    for day in range(200):
        acme.begin_day("UTC", ANY)
        acme.note_day(day / 2)
    today = acme.calendar.day

    assert acme.row_on(today - 29, ANY) is None
    assert acme.row_on(today + 1, ANY) is None
    assert [acme.notes.score_on(today - age, today) for age in (0, 92, 93)] == [99.5, 53.5, None]


def test_a_day_without_data_has_no_score() -> None:
    acme = account()
    acme.begin_day("UTC", ANY)
    acme.note_day(None)

    today = acme.calendar.day
    assert acme.notes.score_on(today, today) is None


def full() -> Account:
    """An account in which nothing is as it began."""
    acme = account()
    rule = Activity(day_value=5)
    for day in range(0, 130, 3):
        use(acme, day, rule, value=7, user=f"user {day % 5}", feature=f"feature {day % 4}")
        acme.note_day(float(day) / 2)
    for number in range(600):
        acme.features.touch(f"many {number}", acme.calendar.day, acme.calendar.day)
    acme.begin_day("Asia/Tokyo", rule)
    acme.begin_day("Pacific/Pago_Pago", rule)
    acme.merge(5, "p1", {"mrr": 12.5})
    acme.merge(6, "p2", {"owner": None})
    acme.say("ticket/7", 7, "f1", True)
    acme.say("subscription", 8, "f2", True)
    acme.danger.follow(10.0, 40, 50, 0, 1000)
    acme.approach.follow(10.0, 40, 50, 99, 1000)
    acme.known, acme.zone, acme.score = True, "danger", 12.25
    acme.alerts = {"danger": OpenAlert(1000, 900)}
    for key, stamp_ms in ((-(2**63), 0), (7, 1000)):
        acme.seen.add(i64(key), stamp_ms)
    acme.forget_ms = 77
    acme.front_ms, acme.open_ms, acme.force = 60_000, 60_000, True
    acme.deadline_ms, acme.parked, acme.quiet = 77, True, False
    acme.resurrected_ms = 88
    acme.projected, acme.stage = True, 2
    acme.sources.see(0x7FFF_FFFF)
    acme.sources.before, acme.sources.frozen = [5, 7], True
    acme.sources.miss(acme.calendar.day - 3, acme.calendar.day)
    acme.load = LoadMark("load-1")
    acme.load.began = {"danger": Began(1000, "load-1")}
    acme.load.ended = [Ended("silence", OpenAlert(900, 800, "u1"), "active_again")]
    return acme


def told(acme: Account) -> dict[str, Any]:
    """All that can be asked of an account, today and on 30 days to come."""
    today, seen = acme.calendar.day, []
    scores = [acme.notes.score_on(today - age, today) for age in range(100)]
    rows = [acme.row_on(today - age, ANY) for age in range(30)]
    plain = {name: getattr(acme, name) for name in PLAIN}
    for name in ("events", "value", "active"):
        plain[name] = (getattr(acme, name).today, getattr(acme, name).tiles(today))
    for name in ("users", "features"):
        ids = getattr(acme, name)
        plain[name] = (ids.level, ids.marks(), ids.live, ids.fixed)
    calendar, danger, approach = acme.calendar, acme.danger, acme.approach
    plain["calendar"] = (calendar.segments, calendar.day, calendar.start_ms, calendar.end_ms)
    plain["triggers"] = [(t.on, t.since_ms, t.turning_ms) for t in (danger, approach)]
    plain["profile"] = None if acme.profile is None else acme.profile.said()
    facts = acme.facts
    plain["facts"] = None if facts is None else (facts.words(), facts.cancelled_ms)
    sources = acme.sources
    plain["sources"] = (sources.lately, sources.before, sources.unseen, sources.frozen)
    load = acme.load
    plain["load"] = None if load is None else (load.on, load.began, load.ended)
    plain["seen"] = [acme.seen.add(i64(key), 2000) for key in (-(2**63), 7, 8)]
    for _ in range(30):
        seen.append(readable(acme.measures(acme.calendar.end_ms, ANY)))
        acme.begin_day("UTC", ANY)
    return plain | {
        "scores": scores,
        "rows": [row and (row.score, readable(row.measures)) for row in rows],
        "measures": seen,
    }


PLAIN = (
    "account_id", "active_total", "alerts", "deadline_ms", "first_ms", "force", "forget_ms",
    "front_ms", "known", "last_day", "last_ms", "late", "line_day", "line_enter", "moved",
    "moved_ms", "open_ms", "parked", "projected", "quiet", "resurrected_ms", "score", "stage",
    "zone",
)  # fmt: skip
NO_STATE = {
    "active", "approach", "calendar", "danger", "day_at", "events", "facts", "features",
    "first_day", "load",
    "notes", "page", "profile", "seen", "soon_at", "sources", "touched_in", "used", "users",
    "value",
}  # fmt: skip
"""What is told in another way, and what is no state."""


def test_all_of_an_account_is_told() -> None:
    kind: Any = Account
    slots = getattr(kind, "__mypyc_attrs__", getattr(kind, "__slots__", ()))
    assert set(PLAIN) | NO_STATE == {slot for slot in slots if not slot.startswith("__")}


@pytest.mark.parametrize("make", [account, full])
def test_packing_loses_nothing(make: Any) -> None:
    packed = pack(make())
    again = unpack(*packed)

    assert pack(again) == packed
    assert told(again) == told(make())


def test_what_is_looked_at_after_unpacking_packs_to_the_same() -> None:
    packed = pack(full())
    again = unpack(*packed)
    today = again.calendar.day
    assert again.row_on(today - 3, ANY) is not None
    assert again.events.tiles(today)

    assert pack(again) == packed


def test_what_was_unpacked_shares_nothing() -> None:
    acme = full()
    before = pack(acme)
    twin = unpack(*pack(acme))
    use(twin, 140, user="somebody", feature="something")
    twin.begin_day("UTC", ANY)
    twin.note_day(1.0)
    twin.merge(99, "p9", {"mrr": 1})
    twin.danger.reset()
    twin.alerts.clear()
    twin.seen.forget(10**15, 0)

    assert pack(acme) == before


def test_it_is_known_of_a_packed_account_when_it_is_due() -> None:
    acme = account()
    assert header(*pack(acme))[:3] == ("acme", NEVER, acme.calendar.end_ms)
    acme.deadline_ms, acme.open_ms = START_MS + 90_000, START_MS
    assert header(*pack(acme)).soon_ms == START_MS + 90_000
    acme.force = True
    assert header(*pack(acme)).soon_ms == START_MS + 60_000
    acme.parked = True
    assert header(*pack(acme)).day_ms == NEVER


def test_only_many_more_seats_are_a_roll_out_and_it_is_read_as_it_was_written() -> None:
    profile = Profile()
    for at_ms, seats in ((1, 10), (2, 10), (3, 10.5), (4, 12), (5, 12), (6, 8)):
        profile.merge(at_ms, "p", {"seats": seats})
    assert profile.grown_ms == 4
    writer, copy = Writer(), Profile()
    profile.write(writer)
    copy.read(Reader(writer.done(), 0))
    assert (copy.grown_ms, copy.seats) == (4, 8)
