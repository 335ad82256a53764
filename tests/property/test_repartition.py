"""Going on with another number of partitions, anywhere and however often, changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pulse.alerting.alert import EVERYBODY
from pulse.engine import Engine, PartitionState
from pulse.placement import partition_of
from pulse.stream.repartition.merging import merged
from pulse.stream.repartition.moving import move
from pulse.stream.state.pages import Context
from pulse.testing.histories import Log
from pulse.testing.playing import Outcome, checked

from .histories import POLICIES, Item, add, histories, log_of
from .test_same_log import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.engine import Policy
    from pulse.model import Alert


class Change(NamedTuple):
    """From a share of the history on there are other partitions.

    To the `lagging` ones the last tick before has not come, unless they are all there are.
    """

    share: float
    partitions: int
    lagging: set[int]


changes = st.lists(
    st.builds(Change, st.floats(0, 1), st.integers(1, 5), st.sets(st.integers(0, 4))),
    min_size=1,
    max_size=6,
)


def engine_for(policy: Policy, partitions: int) -> Engine:
    return Engine(policy, lambda name: partition_of(name, partitions), least_slice=0)


def records(items: Sequence[Item], number: int, partitions: int, lags: bool) -> Log:
    """The log of a partition, behind a record that stands at its beginning."""
    mine = [i for i in items if i.account is None or partition_of(i.account, partitions) == number]
    if lags and mine and mine[-1].kind == "tick":
        del mine[-1]
    log = Log()
    log.control("mark")
    for item in mine:
        add(log, item)
    return log


@given(st.sampled_from(POLICIES), histories, changes, st.integers(1, 5), st.sampled_from([1, 64]))
def test_where_the_number_changes_nothing_else_does(
    policy: Policy, items: list[Item], changes: list[Change], partitions: int, page_accounts: int
) -> None:
    outcome, start, same = Outcome(), 0, True
    states = [PartitionState(number) for number in range(partitions)]
    for change in [*sorted(changes), None]:
        end = len(items) if change is None else round(change.share * len(items))
        lagging = set() if change is None else change.lagging & set(range(len(states)))
        engine = engine_for(policy, len(states))
        for number, state in enumerate(states):
            lags = number in lagging and len(lagging) < len(states)
            state.position = 1
            log = records(items[start:end], number, len(states), lags)
            outcome.take(engine.apply(state, log.records))
        start = end
        if change is not None:
            contexts = [Context.of(state) for state in states]
            same &= len({(each.told_ms, each.first_tick_ms) for each in contexts}) == 1
            news = [
                PartitionState(number, page_accounts=page_accounts, live_accounts=1)
                for number in range(change.partitions)
            ]
            move(engine, states, merged(contexts), news)
            states = news

    for state in states:
        outcome.alerts += map(checked, engine.settle(state))
    assert not outcome.misplaced
    right, statuses, packed = run(policy, log_of(items))
    assert told(outcome.alerts) == told(right)
    assert {
        name: engine.status(state.account(name), state.clock_ms or 0, state.lines)
        for state in states
        for name in state.ids()
    } == statuses
    # Else what is told of crossings, and what came before the first tick, is written otherwise.
    if same:
        assert {name: state.packed(name) for state in states for name in state.ids()} == packed


def told(alerts: Sequence[Alert]) -> list[str]:
    # What is made for the whole fleet goes round first.
    return sorted(str(each.to_json()) for each in alerts if each.account_id != EVERYBODY)
