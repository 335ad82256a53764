"""When things are due, and what comes too late or too early for them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, MINUTE_MS
from pulse.engagement.packing import pack
from pulse.engagement.usage import UsageRules, WeightRule
from pulse.engine import Effects, Engine, PartitionState, SegmentPolicy
from pulse.engine.ticks import HistoryClock
from pulse.model.time import format_ms, parse_ts
from pulse.testing.histories import Log, LogEntry, profile, usage
from pulse.testing.playing import Play, checked

HOUR_MS = 3_600_000
START_MS = parse_ts("2024-01-01T00:00:00Z")
POLICY = policy(Config())


def at(day: float) -> int:
    return START_MS + round(day * DAY_MS)


def five_active_days() -> Play:
    """The last use is on the fifth day, 10:00:00.500."""
    play = Play(POLICY)
    for day in range(5):
        play.tick(at(day) + 10 * HOUR_MS)
        play.add(usage(f"e{day}", "acme", at(day) + 10 * HOUR_MS + 500))
    return play


SILENT_AT_MS = at(4 + 21) + 10 * HOUR_MS + 500


def silences(play: Play) -> list[int]:
    return [alert.at for alert in play.outcome.alerts if alert.reason == "silence"]


# -- silence ------------------------------------------------------------------------------------


def test_silence_is_due_to_the_millisecond() -> None:
    play = five_active_days()
    play.tick(SILENT_AT_MS - 1)
    assert play.outcome.alerts == []

    play.tick(SILENT_AT_MS)
    (alert,) = play.outcome.alerts
    assert (alert.reason, alert.at) == ("silence", SILENT_AT_MS)
    assert (alert.started_at, alert.since) == (SILENT_AT_MS, SILENT_AT_MS - 21 * DAY_MS)
    assert alert.evidence == {"last_active_at": "2024-01-05T10:00:00.500Z", "active_days": 5}


@pytest.mark.parametrize("late_ms", [1, DAY_MS, 60 * DAY_MS])
def test_a_worker_that_lags_stamps_it_the_same(late_ms: int) -> None:
    prompt, lagging = five_active_days(), five_active_days()
    prompt.tick(SILENT_AT_MS)
    lagging.tick(SILENT_AT_MS + late_ms)

    assert lagging.outcome.alerts[0] == prompt.outcome.alerts[0]


def test_what_is_not_meaningful_breaks_no_silence() -> None:
    rules = UsageRules(weights=(WeightRule("ping", 0),))
    play = five_active_days()
    play.engine = Engine(replace(POLICY, usage=rules))
    play.tick(SILENT_AT_MS - HOUR_MS)
    play.add(usage("ping", "acme", SILENT_AT_MS - HOUR_MS, event="ping"))
    play.tick(SILENT_AT_MS)

    assert [alert.at for alert in play.outcome.alerts] == [SILENT_AT_MS]
    assert play.outcome.counts["weightless"] == 1


def test_an_event_in_the_last_minute_puts_it_off() -> None:
    play = five_active_days()
    play.tick(SILENT_AT_MS - 30_000)
    play.add(usage("just", "acme", SILENT_AT_MS - 1))
    play.tick(SILENT_AT_MS + 20 * DAY_MS)

    assert silences(play) == []


def test_it_ends_at_the_close_of_the_minute_of_the_next_event() -> None:
    play = five_active_days()
    play.tick(SILENT_AT_MS)
    back_ms = at(30) + HOUR_MS + 30_000
    play.tick(back_ms)
    play.add(usage("back", "acme", back_ms))
    play.tick(at(30) + HOUR_MS + MINUTE_MS + 1_999)
    assert len(play.outcome.alerts) == 1

    play.tick(at(30) + HOUR_MS + MINUTE_MS + 2_000)
    fired, ended = play.outcome.alerts
    assert (ended.id, ended.status, ended.resolution) == (fired.id, "resolved", "active_again")
    assert ended.at == at(30) + HOUR_MS + MINUTE_MS


def test_an_event_of_a_later_minute_closes_one_without_any_tick() -> None:
    play = five_active_days()
    play.tick(SILENT_AT_MS)
    back_ms = at(30) + HOUR_MS
    play.tick(back_ms)
    play.add(usage("back", "acme", back_ms))
    play.add(usage("next", "acme", back_ms + MINUTE_MS))

    assert play.outcome.alerts[-1].at == back_ms + MINUTE_MS


def test_an_event_before_the_tick_finds_what_was_due_before_it() -> None:
    play = five_active_days()
    play.tick(SILENT_AT_MS - HOUR_MS // 2)
    play.add(usage("after", "acme", SILENT_AT_MS + HOUR_MS // 2))

    assert silences(play) == [SILENT_AT_MS]


def test_silence_can_be_switched_off() -> None:
    play = five_active_days()
    play.engine = Engine(replace(POLICY, silence=None))
    play.tick(at(100))

    assert silences(play) == []


def test_an_account_active_on_few_days_never_falls_silent() -> None:
    play = Play(POLICY)
    for day in range(4):
        play.tick(at(day))
        play.add(usage(f"e{day}", "acme", at(day)))
    play.tick(at(100))

    assert play.outcome.alerts == []


# -- late and early -----------------------------------------------------------------------------


def test_a_late_event_counts_at_once_but_changes_no_past_evaluation() -> None:
    play = five_active_days()
    play.tick(at(10))
    play.add(usage("late", "acme", at(6), value=1))

    assert play.outcome.counts["late_days"] == 1
    assert play.status("acme")["measures"]["events"]["28d"] == 6
    account = play.state.account("acme")
    today = account.row_on(account.calendar.day, POLICY.activity)
    play.tick(at(11) + 2_000)
    account = play.state.account("acme")
    tomorrow = account.row_on(account.calendar.day, POLICY.activity)
    again = account.row_on(today.day, POLICY.activity) if today is not None else None
    assert today is not None
    assert tomorrow is not None
    assert again is not None
    assert today.measures.events[1] == again.measures.events[1] == 5_000_000
    assert tomorrow.measures.events[1] == 6_000_000


@pytest.mark.parametrize(
    ("late_ms", "age"),
    [(3 * MINUTE_MS, "late_minutes"), (2 * HOUR_MS, "late_hours"), (3 * DAY_MS, "late_days")],
)
def test_late_events_are_counted_by_age(late_ms: int, age: str) -> None:
    play = Play(POLICY)
    play.tick(at(10))
    play.add(usage("e", "acme", at(10) - late_ms))

    assert {name: n for name, n in play.outcome.counts.items() if name.startswith("late")} == {
        age: 1
    }


def test_nothing_of_the_minute_at_hand_is_late() -> None:
    play = Play(POLICY)
    play.tick(at(10) + 61_999)
    play.add(usage("e", "acme", at(10)))
    assert play.outcome.counts["late_minutes"] == 0

    play.tick(at(10) + 62_000)
    play.add(usage("e2", "acme", at(10)))
    assert play.outcome.counts["late_minutes"] == 1


@pytest.mark.parametrize(
    ("at_ms", "reason"),
    [
        (at(200) + HOUR_MS, None),
        (at(200) + HOUR_MS + 1, "future"),
        (at(110), None),
        (at(110) - 1, "too_late"),
        (parse_ts("3000-01-01T00:00:00Z"), "future"),
        (0, "too_late"),
    ],
)
def test_how_far_from_the_clock_an_event_may_be(at_ms: int, reason: str | None) -> None:
    play = Play(POLICY)
    play.tick(at(200))
    play.add(usage("e", "acme", at_ms))

    assert [letter.reason for letter in play.outcome.dead_letters] == ([reason] if reason else [])
    assert ("acme" in play.state.ids()) is (reason is None)


def test_before_the_first_tick_the_broker_says_what_time_it_is() -> None:
    engine, state = Engine(POLICY), PartitionState()
    values = [usage("a", "acme", at(0)), usage("b", "acme", "3000-01-01T00:00:00Z")]
    records = [LogEntry(n, value, (), at(0)) for n, value in enumerate(values)]
    effects = engine.apply(state, records)

    assert [(letter.offset, letter.reason) for letter in effects.dead_letters] == [(1, "future")]
    assert effects.dead_letters[0].detail == (
        "ts 3000-01-01T00:00:00Z, appended 2024-01-01T00:00:00Z"
    )


def test_the_end_of_time_is_no_trap() -> None:
    play = Play(replace(POLICY, timezone="Pacific/Kiritimati"))
    play.add(usage("a", "acme", "9999-12-30T09:00:00Z"))
    play.add(usage("b", "acme", "9999-12-31T23:59:59.999Z"))
    play.tick("9999-12-31T23:59:59.999Z")

    assert play.status("acme")["measures"]["events"]["7d"] == 2


def test_an_event_shortly_in_the_future_is_not_lost_when_its_time_comes() -> None:
    play = Play(POLICY)
    play.tick(at(10) - MINUTE_MS)
    play.add(usage("early", "acme", at(10) + HOUR_MS // 2))
    play.add(usage("now", "acme", at(10) - MINUTE_MS))
    play.tick(at(11))

    assert play.status("acme")["measures"]["events"]["7d"] == 2
    assert play.status("acme")["last_active_at"] == format_ms(at(10) + HOUR_MS // 2)


# -- duplicates ---------------------------------------------------------------------------------


def duplicate(second: bytes, wait_ms: int = 0) -> Play:
    play = Play(POLICY)
    play.tick(at(10))
    play.add(usage("e", "acme", at(10)))
    play.tick(at(10) + wait_ms)
    play.add(second)
    return play


def test_the_same_id_of_the_same_account_and_source_is_a_duplicate() -> None:
    play = duplicate(usage("e", "acme", at(10) + 5, event="other"))

    assert play.outcome.counts["duplicates"] == 1
    assert play.status("acme")["measures"]["events"]["7d"] == 1


@pytest.mark.parametrize(
    "other",
    [
        usage("e2", "acme", at(10)),
        usage("e", "other", at(10)),
        usage("e", "acme", at(10), source="crm"),
    ],
)
def test_another_id_account_or_source_is_none(other: bytes) -> None:
    assert duplicate(other).outcome.counts["duplicates"] == 0


def test_one_that_says_default_is_of_the_same_source_as_one_that_says_nothing() -> None:
    again = usage("e", "acme", at(10), source="default")

    assert duplicate(again).outcome.counts["duplicates"] == 1


@pytest.mark.parametrize(("wait_ms", "times"), [(DAY_MS - 1, 1), (DAY_MS, 0)])
def test_duplicates_are_known_for_24_hours_of_the_clock(wait_ms: int, times: int) -> None:
    play = duplicate(usage("e", "acme", at(10)), wait_ms)

    assert play.outcome.counts["duplicates"] == times


@pytest.mark.parametrize(
    ("event", "wait_ms", "times"),
    [
        ("payment_failed", 7 * DAY_MS - 1, 1),
        ("payment_failed", 7 * DAY_MS, 0),
        ("card_updated", 7 * DAY_MS - 1, 1),
        ("subscription_cancelled", 7 * DAY_MS - 1, 1),
        ("support_opened", DAY_MS, 0),
    ],
)
def test_billing_facts_are_known_for_7_days(event: str, wait_ms: int, times: int) -> None:
    play = Play(POLICY)
    said = {"event": event, "properties": {"expires_at": "2030-01"}}
    for at_ms in (at(10), at(10) + wait_ms):
        play.tick(at_ms)
        play.add(usage("e", "acme", at_ms, **said))
        play.state.fold(play.state.live.pop("acme"))  # as it is written

    assert play.outcome.counts["duplicates"] == times
    assert play.outcome.counts["facts"] == 2 - times


def test_the_7_days_count_from_the_first_however_often_it_is_repeated() -> None:
    play = Play(POLICY)
    for wait_ms in (0, 7 * DAY_MS - 1, 7 * DAY_MS):
        play.tick(at(10) + wait_ms)
        play.add(usage("e", "acme", at(10) + wait_ms, event="payment_failed"))

    assert (play.outcome.counts["duplicates"], play.outcome.counts["facts"]) == (1, 2)


def test_what_is_known_of_a_billing_fact_is_forgotten_without_another_one() -> None:
    play = Play(POLICY)
    play.tick(at(10))
    for n in range(100):
        play.add(usage(f"e{n}", "acme", at(10), event="payment_failed"))
    sizes = []
    for day in range(20):
        play.tick(at(10) + day * DAY_MS)
        sizes.append(len(play.state.packed("acme")))

    assert sizes[-1] < sizes[1] - 100 * 8


def test_what_came_before_the_first_tick_is_known_from_that_tick_on() -> None:
    play = Play(POLICY)
    play.add(usage("e", "acme", at(9)))
    play.tick(at(10))
    play.tick(at(11) - 1)
    play.add(usage("e", "acme", at(9)))
    assert play.outcome.counts["duplicates"] == 1

    play.tick(at(11))
    play.add(usage("e", "acme", at(9)))
    assert play.outcome.counts["duplicates"] == 1


def test_a_profile_can_be_a_duplicate_too() -> None:
    play = Play(POLICY)
    play.add(profile("p", "acme", at(0), plan="pro"), profile("p", "acme", at(0), plan="free"))

    assert play.state.account("acme").fact("plan") == "pro"
    assert (play.outcome.counts["profiles"], play.outcome.counts["duplicates"]) == (1, 1)


# -- ticks --------------------------------------------------------------------------------------


def refused(value: bytes, timestamp: int | None = None) -> int:
    engine, state = Engine(POLICY), PartitionState()
    record = LogEntry(0, value, (("pulse-control", b"tick"),), timestamp)
    return engine.apply(state, [record]).counts["ticks_refused"]


@pytest.mark.parametrize(
    ("value", "timestamp", "times"),
    [
        (b'{"ts":5000}', None, 0),
        (b'{"ts":5000}', -1, 0),
        (b'{"ts":5000,"type":"tick"}', 0, 0),
        (b'{"ts":5001}', 0, 1),
        (b'{"ts":-1}', None, 1),
        (b'{"ts":999999999999999999}', None, 1),
        (b'{"ts":"now"}', None, 1),
        (b"{}", None, 1),
        (b"\xff", None, 1),
        (b"", None, 1),
    ],
)
def test_a_tick_that_makes_no_sense_is_refused_and_counted(
    value: bytes, timestamp: int | None, times: int
) -> None:
    assert refused(value, timestamp) == times


def test_an_older_tick_changes_nothing() -> None:
    play = five_active_days()
    play.tick(at(20))
    play.tick(at(10))

    assert play.state.clock_ms == at(20)


def test_a_control_record_nobody_knows_is_counted() -> None:
    play = Play(POLICY)
    play.control("erase-everything")

    assert play.outcome.counts == {"unknown_control": 1}


def test_alerts_of_played_history_are_marked_also_those_that_a_tick_left_for_later() -> None:
    fleet = [f"account {n}" for n in range(20)]
    log = Log()
    log.control("history")
    for day in range(30):
        log.tick(at(day))
        for account in fleet:
            log.add(usage(f"{day}", account, at(day)))
    for day in range(30, 50):
        log.tick(at(day))
    log.tick(at(70))  # more is due now than a tick works off
    log.control("live")
    for second in range(100):
        log.tick(at(70) + 1000 * second)
    engine, state = Engine(POLICY, least_slice=0), PartitionState()
    everything = [*map(checked, engine.apply(state, log.records).alerts + engine.settle(state))]
    alerts = [alert for alert in everything if alert.account_id in fleet]

    assert {alert.reason for alert in alerts} == {"approaching", "danger", "silence"}
    assert all(alert.historical for alert in alerts)


def test_a_midnight_is_worked_off_in_slices() -> None:
    engine, state = Engine(POLICY, least_slice=3), PartitionState()
    fleet = [f"account {n}" for n in range(20)]
    log = Log()
    log.tick(at(0))
    for account in fleet:
        log.add(usage("e", account, at(0)))
    engine.apply(state, log.records)

    def begun() -> int:
        return sum(
            account.calendar.start_ms == at(1) for account in map(state.account, state.ids())
        )

    done = []
    for second in range(1, 12):
        engine.tick(state, at(1) + 1000 * second, Effects())
        done.append(begun())
    assert done == [0, 3, 6, 9, 12, 15, 18, 20, 20, 20, 20]


def test_a_midnight_is_over_after_ten_minutes_however_many_accounts_there_are() -> None:
    engine, state = Engine(POLICY, least_slice=1), PartitionState()
    log = Log()
    log.tick(at(1) - 1000)
    for number in range(2_000):
        log.add(usage("e", f"account {number}", at(1) - 1000))
    engine.apply(state, log.records)
    for second in range(603):
        engine.tick(state, at(1) + 1000 * second, Effects())

    assert all(account.calendar.start_ms == at(1) for account in map(state.account, state.ids()))


# -- as of an instant ---------------------------------------------------------------------------


def test_a_status_is_of_the_day_its_instant_lies_in() -> None:
    play = five_active_days()
    for day in range(5, 11):
        play.tick(at(day) + HOUR_MS)
    play.tick(at(12))  # midnight itself: the day is begun at the next tick
    account = play.state.account("acme")
    before = pack(account)

    assert account.calendar.end_ms == at(12)
    assert play.status("acme")["measures"]["active_days"]["7d"] == 0
    assert pack(account) == before
    play.tick(at(12) + 2_000)
    assert play.status("acme")["measures"]["active_days"]["7d"] == 0


def test_a_status_takes_what_is_due_as_done() -> None:
    quick = SegmentPolicy(POLICY.default.scorecard, replace(POLICY.default.line, dwell_ms=0))
    rules = replace(POLICY, default=quick)
    lazy, eager = Play(rules, least_slice=0), Play(rules)
    for play in (lazy, eager):
        for day in range(40):
            play.tick(at(day))
            for number in range(20):
                play.add(usage(f"{day}", f"account {number}", at(day)))
    behind = 0
    for day in range(41, 80):
        for tick_ms in (at(day) - 1000, at(day) + 2000):
            lazy.tick(tick_ms)
            eager.tick(tick_ms)
        assert lazy.statuses() == eager.statuses()
        behind += len(lazy.outcome.alerts) < len(eager.outcome.alerts)
    lazy.settle()

    assert behind
    assert lazy.outcome.alerts_in_order() == eager.outcome.alerts_in_order()


# -- the clock of played history ----------------------------------------------------------------


def test_ticks_of_history_lie_on_whole_hours_before_the_events() -> None:
    clock = HistoryClock(not_after_ms=at(100))
    ticks = [clock.before(at(0) + ms) for ms in (1, 2, HOUR_MS, HOUR_MS - 1, 5 * HOUR_MS + 7)]

    assert ticks == [at(0), None, at(0) + HOUR_MS, None, at(0) + 5 * HOUR_MS]
    assert clock.furthest_ms == at(0) + 5 * HOUR_MS + 7
    assert clock.last(clock.furthest_ms) == clock.furthest_ms


def test_a_wrong_year_moves_no_clock() -> None:
    clock = HistoryClock(not_after_ms=at(1))
    clock.before(at(0))

    assert clock.before(at(1) + HOUR_MS + 1) is None
    assert clock.furthest_ms == at(0)
    assert clock.before(at(1) + HOUR_MS) == at(1) + HOUR_MS
