"""Who notices that a source has stopped, and that it runs again."""

from __future__ import annotations

import msgspec
import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Engine, PartitionState
from pulse.engine.heard import Heard, hear, stops
from pulse.stream.source_guard import SourceGuard
from pulse.stream.state.pages import Context
from pulse.testing.histories import Log, usage

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
START_MS = 1_704_067_200_000


class Fleet:
    """Partitions with events of two sources every ten minutes, each until it stops."""

    def __init__(self, *partitions: int) -> None:
        self.engine = Engine(policy(Config()))
        self.logs = {number: Log() for number in partitions}
        self.states = {number: PartitionState(number) for number in partitions}
        self.guard = SourceGuard(30 * MINUTE_MS, DAY_MS)
        self.now_ms = START_MS

    def play(self, hours: float, *sources: str, only_in: int | None = None) -> Fleet:
        until_ms = self.now_ms + round(hours * HOUR_MS)
        while self.now_ms < until_ms:
            for number, log in self.logs.items():
                log.tick(self.now_ms)
                for name in sources:
                    if only_in is None or only_in == number:
                        key = f"{name}-{self.now_ms}"
                        log.add(usage(key, f"account-{number}", self.now_ms, source=name))
            self.now_ms += 10 * MINUTE_MS
            self.apply()
        return self

    def apply(self) -> None:
        for number, log in self.logs.items():
            self.engine.apply(self.states[number], log.records)

    def look(self) -> list[str]:
        """What the guard writes, which every partition gets."""
        records = self.guard.look(self.states)
        for record in records:
            for log in self.logs.values():
                log.add(record.value, *record.headers)
        self.apply()
        said = [msgspec.json.decode(record.value) for record in records]
        return [f"{each['source']} {each['state']}" for each in said]


def test_nothing_for_half_an_hour_where_there_always_was_something() -> None:
    fleet = Fleet(0, 1).play(25, "web", "app")
    assert fleet.look() == []
    fleet.play(0.3, "app")
    assert fleet.look() == []
    fleet.play(0.2, "app")
    assert fleet.look() == ["web stopped"]
    assert fleet.look() == [], "it is said once"
    (outage,) = fleet.states[1].outages.found
    assert outage.from_ms == START_MS + 25 * HOUR_MS - 10 * MINUTE_MS


def test_it_runs_again_when_an_event_comes_in_any_partition() -> None:
    fleet = Fleet(0, 1).play(25, "web", "app").play(1, "app")
    assert fleet.look() == ["web stopped"]
    fleet.play(0.2, "web", only_in=1)
    assert fleet.look() == ["web running"]
    assert fleet.look() == []
    assert fleet.states[0].outages.stopped() == []


def test_a_source_that_is_quiet_now_and_then_has_not_stopped() -> None:
    fleet = Fleet(0, 1).play(20, "web").play(1).play(5, "web").play(2)
    assert fleet.look() == []


def test_it_is_quiet_only_if_it_is_so_everywhere() -> None:
    fleet = Fleet(0, 1).play(25, "web").play(2, "web", only_in=1)
    assert fleet.look() == []


def test_who_has_not_the_first_partition_does_not_say_that_it_stopped() -> None:
    assert Fleet(1, 2).play(25, "web").play(2).look() == []


def test_what_a_person_said_holds_until_it_is_taken_back() -> None:
    from pulse.engine.control import source

    fleet = Fleet(0).play(25, "web")
    record = source("web", "stopped", fleet.now_ms)
    fleet.logs[0].add(record.value, *record.headers)
    fleet.play(1, "web")
    assert fleet.look() == []
    assert fleet.states[0].outages.stopped() == ["web"]


def test_after_a_restart_it_is_known_what_was_heard_before() -> None:
    fleet = Fleet(0).play(25, "web").play(1)
    known = msgspec.msgpack.encode(Context.of(fleet.states[0]))
    again = PartitionState(0)
    msgspec.msgpack.decode(known, type=Context).put(again)
    fleet.states[0] = again
    assert fleet.look() == ["web stopped"]
    known = msgspec.msgpack.encode(Context.of(again))
    last = PartitionState(0)
    msgspec.msgpack.decode(known, type=Context).put(last)
    assert last.outages.stopped() == ["web"]


@pytest.mark.parametrize("after_h", [0, 1, 30, 3_000])
def test_half_hours_are_counted_over_any_pause(after_h: int) -> None:
    known = hear({}, ["web"], START_MS)
    known = hear(known, ["web"], START_MS + after_h * HOUR_MS)
    slots = known["web"].slots
    assert slots == (1 | (1 << 2 * after_h if after_h < 24 else 0))


def test_names_without_end_are_no_sources() -> None:
    known: dict[str, Heard] = {}
    for n in range(1_000):
        known = hear(known, [f"s{n}"], START_MS)
    assert len(known) == 200
    assert stops([known], START_MS + DAY_MS, HOUR_MS, 1)[0].source == "s0"
