"""While a history is played, a clock that runs beside it changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from pulse.engagement.packing import pack
from pulse.engine import Engine, PartitionState, control
from pulse.testing.histories import Log
from pulse.testing.playing import Outcome

from .histories import POLICIES, Item, add, histories_with_renames

if TYPE_CHECKING:
    from pulse.engine.policy import Policy


def played(policy: Policy, items: list[Item], ticks_behind: list[int]) -> tuple[object, ...]:
    """Everything that comes of a history, with ticks of another clock behind some of its items."""
    engine, state, outcome, log = Engine(policy), PartitionState(), Outcome(), Log()
    log.control("history", control.boundary("history").value)
    for number, item in enumerate(items):
        if item.kind not in ("history", "live"):
            add(log, item)
        for _ in range(ticks_behind.count(number)):
            log.control("tick", control.tick(2_000_000_000_000, runs=True).value)
    log.control("live", control.boundary("live").value)
    outcome.take(engine.apply(state, log.records))
    left = outcome.counts.pop("ticks_passed_over", 0)
    assert left == sum(number < len(items) for number in ticks_behind)
    packed = {name: pack(state.account(name)) for name in state.ids()}
    return outcome.alerts, outcome.counts, state.clock_ms, packed


@given(
    st.sampled_from(POLICIES),
    histories_with_renames,
    st.lists(st.integers(0, 60), max_size=8),
)
def test_what_the_clock_that_runs_says_meanwhile_is_passed_over(
    policy: Policy, items: list[Item], ticks_behind: list[int]
) -> None:
    assert played(policy, items, ticks_behind) == played(policy, items, [])


def test_before_and_afterwards_it_counts() -> None:
    engine, state, log = Engine(POLICIES[0]), PartitionState(), Log()
    log.control("tick", control.tick(5_000, runs=True).value)
    log.control("history", control.boundary("history").value)
    log.control("tick", control.tick(7_000, runs=True).value)
    log.control("tick", control.tick(6_000).value)
    log.control("live", control.boundary("live").value)
    counts = engine.apply(state, log.records).counts
    assert (state.clock_ms, counts["ticks_passed_over"]) == (6_000, 1)

    log.control("tick", control.tick(8_000, runs=True).value)
    engine.apply(state, log.records[-1:])
    assert state.clock_ms == 8_000
