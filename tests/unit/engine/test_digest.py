"""The digest once a history has ended: what all partitions make of it together, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.engagement.days import DAY_MS
from pulse.engine import Engine, PartitionState
from pulse.engine.tombstones import Tombstone, tombstone_key
from pulse.testing.histories import Log, profile
from pulse.testing.playing import Play

from .test_fleet import Ring, at, day_of_fleet, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.model import Alert

POLICY = rules(line={"min_history_days": 7, "min_active_days": 1, "dwell": "0s"})
DAYS = 60


def past(add: Callable[[bytes], object], tick: Callable[[int], object]) -> None:
    for number in range(24):
        name, mrr = f"a{number:02}", None if number % 3 == 0 else 100 * (number % 4)
        tick(at(0) + 1_000)
        add(profile("p", name, at(0), name=f"No. {number}", mrr=mrr))
    for day in range(DAYS):
        tick(at(day + 9 / 24))
        day_of_fleet(add, day, 24)


def digest_of(alerts: list[Alert]) -> Alert:
    (found,) = [each for each in alerts if each.reason == "digest"]
    return found


@pytest.fixture(scope="module")
def alone() -> Play:
    play = Play(POLICY)
    play.control("history")
    past(play.add, play.tick)
    play.control("live")
    return play


def test_it_counts_who_is_in_danger_and_names_the_worst(alone: Play) -> None:
    alert = digest_of(alone.outcome.alerts)
    zones = {name: status["zone"] for name, status in alone.statuses().items()}
    in_danger = [name for name, zone in zones.items() if zone == "danger"]
    counted = alert.evidence["by_reason"]
    worst = alert.evidence["worst"]

    assert isinstance(counted, dict)
    assert isinstance(worst, list)
    assert counted["danger"] == len(in_danger) > 5
    assert counted["approaching"] == sum(zone == "approaching" for zone in zones.values())
    assert alert.evidence["accounts"] == 24
    named = [each for each in worst if isinstance(each, dict)]
    assert [each["account_id"] for each in named if "danger" in str(each["reasons"])] == sorted(
        in_danger,
        key=lambda name: (
            -(0 if int(name[1:]) % 3 == 0 else 100 * (int(name[1:]) % 4)),
            alone.status(name)["score"],
            name,
        ),
    )
    assert (alert.historical, alert.at) == (False, alone.state.clock_ms)
    assert all(each.historical for each in alone.outcome.alerts if each.reason != "digest")


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_several_partitions_make_the_digest_of_one_log(alone: Play, partitions: int) -> None:
    ring = Ring(partitions, POLICY)
    for log in ring.logs:
        log.control("history")
    past(ring.add, ring.tick)
    for log in reversed(ring.logs):
        log.control("live")
    ring.work()

    made = digest_of([alert.model() for alert in ring.effects.alerts])
    whole = digest_of(alone.outcome.alerts)
    assert made == whole


def test_who_lives_is_named_whatever_another_partition_knows_of_a_rename(alone: Play) -> None:
    """Where the number of partitions was changed, tombstones stand in all of them."""
    ring = Ring(2, POLICY)
    for log in ring.logs:
        log.control("history")
    past(ring.add, ring.tick)
    for number in range(0, 24, 2):
        state, key = ring.states[1], tombstone_key(f"a{number:02}", None)
        state.bury(key, Tombstone(0, 0, "a01"), state.page_for_new(0))
    for log in ring.logs:
        log.control("live")
    ring.work()

    made = digest_of([alert.model() for alert in ring.effects.alerts])
    assert made == digest_of(alone.outcome.alerts)


def test_it_comes_once(alone: Play) -> None:
    play = Play(POLICY)
    play.apply(alone.log.records)
    for kind in ("live", "live"):
        play.control(kind)
        play.tick(at(DAYS) + DAY_MS)

    assert digest_of(play.outcome.alerts) == digest_of(alone.outcome.alerts)


def test_a_history_that_goes_on_has_one_digest_at_its_end() -> None:
    play = Play(POLICY)
    for kind in ("history", "history"):
        play.control(kind)
        play.tick(at(1))
    assert play.outcome.alerts == []
    play.control("live")
    alert = digest_of(play.outcome.alerts)

    assert alert.summary == "The history is loaded: of 0 accounts none is in danger."
    assert alert.severity == "info"


def test_what_is_handed_on_twice_makes_one_digest() -> None:
    ring = Ring(3, POLICY)
    for log in ring.logs:
        log.control("history")
        log.tick(at(1))
        log.control("live")
    ring.work()
    for log in ring.logs[1:]:
        for record in log.records[:]:
            if any(value == b"summary" for _, value in record.headers):
                log.add(record.value, *record.headers)
    ring.work()

    assert digest_of([alert.model() for alert in ring.effects.alerts])


def test_what_pages_hold_already_is_not_said_again() -> None:
    log = Log()
    log.control("history")
    past(log.add, log.tick)
    log.control("live")
    engine, state = Engine(POLICY), PartitionState(0)
    (first,) = engine.apply(state, log.records).summaries
    # A worker dies after it wrote every page, and before it wrote the manifest.
    for page in state.pages:
        page.guard = len(log.records)
    state.guarded, state.position = len(log.records), len(log.records) - 1
    state.historical, state.digested = True, 0
    again = engine.apply(state, log.records[-1:])

    assert first.standing is not None
    assert again.summaries == []
    assert (state.historical, state.digested) == (False, 1)
