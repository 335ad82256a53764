"""One account's arithmetic: days, activity, profile, the days behind it, snapshots."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from pulse.engagement.account import NEVER, Account, Activity, OpenAlert
from pulse.engagement.days import DAY_MS, day_start
from pulse.engagement.measures import MICRO, Measures, readable
from pulse.engagement.packing import header, pack, unpack

START = date(2024, 1, 1).toordinal()
START_MS = day_start(START, "UTC")
ANY = Activity()


def account() -> Account:
    return Account("acme", "UTC", START)


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

    assert acme.merge("plan", 100, "b", "pro")
    assert not acme.merge("plan", 99, "z", "older")
    assert not acme.merge("plan", 100, "a", "same instant, lesser id")
    assert not acme.merge("plan", 100, "b", "the same record")
    assert acme.merge("plan", 100, "c", None)
    assert acme.fact("plan") is None
    assert not acme.merge("plan", 100, "b", "pro")
    assert acme.fact("owner") is None


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
    assert [acme.score_on(today - age) for age in (0, 92, 93)] == [99.5, 53.5, None]


def test_a_day_without_data_has_no_score() -> None:
    acme = account()
    acme.begin_day("UTC", ANY)
    acme.note_day(None)

    assert acme.score_on(acme.calendar.day) is None


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
    acme.merge("mrr", 5, "p1", 12.5)
    acme.merge("owner", 6, "p2", None)
    acme.danger.follow(10.0, 40, 50, 0, 1000)
    acme.approach.follow(10.0, 40, 50, 99, 1000)
    acme.known, acme.zone, acme.score = True, "danger", 12.25
    acme.alerts = {"danger": OpenAlert(1000, 900)}
    acme.seen = {2**64 - 1: 0, 7: 1000}
    acme.front_ms, acme.open_ms, acme.force = 60_000, 60_000, True
    acme.deadline_ms, acme.parked, acme.quiet = 77, True, False
    acme.resurrected_ms = 88
    return acme


def fields(thing: Any) -> Any:
    """All that a thing of ours holds, as plain data."""
    kind = type(thing)
    slots = getattr(kind, "__mypyc_attrs__", getattr(kind, "__slots__", None))
    if slots is None or isinstance(thing, tuple):
        return thing
    return {slot: fields(getattr(thing, slot)) for slot in slots if slot not in NO_STATE}


NO_STATE = ("page", "soon_at", "day_at", "used", "first_day")


@pytest.mark.parametrize("make", [account, full])
def test_packing_loses_nothing(make: Any) -> None:
    acme = make()
    packed = pack(acme)
    again = unpack(packed)

    assert fields(again) == fields(acme)
    assert pack(again) == packed


def test_what_was_unpacked_shares_nothing() -> None:
    acme = full()
    before = fields(unpack(pack(acme)))
    twin = unpack(pack(acme))
    use(twin, 140, user="somebody", feature="something")
    twin.begin_day("UTC", ANY)
    twin.note_day(1.0)
    twin.merge("mrr", 99, "p9", 1)
    twin.danger.reset()
    twin.alerts.clear()
    twin.seen.clear()

    assert fields(acme) == before


def test_it_is_known_of_a_packed_account_when_it_is_due() -> None:
    acme = account()
    assert header(pack(acme))[:3] == ("acme", NEVER, acme.calendar.end_ms)
    acme.deadline_ms, acme.open_ms = START_MS + 90_000, START_MS
    assert header(pack(acme)).soon_ms == START_MS + 90_000
    acme.force = True
    assert header(pack(acme)).soon_ms == START_MS + 60_000
    acme.parked = True
    assert header(pack(acme)).day_ms == NEVER
