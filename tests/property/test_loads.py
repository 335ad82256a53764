"""What a load brings leaves accounts as if it had come without one; only who is told differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.alerting.alert import EVERYBODY, alert_id
from pulse.engagement.days import NEVER
from pulse.engine import Engine, PartitionState
from pulse.engine import loading as loading_of_engine
from pulse.testing.playing import Outcome, checked

from .histories import POLICIES, Item, busy_days, eventful_days, histories_of, loading, log_of

if TYPE_CHECKING:
    from pulse.engine import Policy
    from pulse.model import Alert


histories = histories_of(st.one_of(busy_days, eventful_days, loading, loading))


def run(
    policy: Policy, items: list[Item]
) -> tuple[PartitionState, list[Alert], dict[str, dict[str, Any]]]:
    """The state, the alerts about accounts, and every account's status."""
    engine, state, outcome = Engine(policy), PartitionState(), Outcome()
    outcome.take(engine.apply(state, log_of(items).records))
    outcome.alerts += map(checked, engine.settle(state))
    clock_ms = state.clock_ms or 0
    statuses = {
        name: engine.status(state.account(name), clock_ms, state.lines)
        for name in sorted(state.ids())
    }
    return state, [a for a in outcome.alerts if a.account_id != EVERYBODY], statuses


def without_load(items: list[Item]) -> list[Item]:
    kept = [item for item in items if item.kind not in ("load", "loaded")]
    return [item._replace(loaded=False) for item in kept]


@given(st.sampled_from(POLICIES), histories)
def test_while_a_load_goes_on_accounts_are_as_without_it(policy: Policy, items: list[Item]) -> None:
    began = Item(0, None, b'{"type":"load","load":"load"}', "load")
    items = [began, *(item for item in items if item.kind != "loaded")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading_of_engine, "PATIENCE_MS", NEVER)
        state, alerts, statuses = run(policy, items)
    twin, others, twins = run(policy, without_load(items))

    assert statuses == twins
    waiting = []
    for name in state.ids():
        account = state.find(name)
        assert account is not None
        if account.load is not None:
            opened = [(each.reason, each.opened.started_ms) for each in account.load.ended]
            waiting += [(alert_id(name, *each), "resolved") for each in opened]
        account.load = None
        assert state.packed(name) == twin.packed(name)
    # Every beginning and every end is recorded, or waits for the end of the load.
    recorded = [(a.id, a.status) for a in alerts] + waiting
    assert sorted(recorded) == sorted((a.id, a.status) for a in others)


@given(st.sampled_from(POLICIES), histories)
def test_once_it_has_ended_the_numbers_are_as_without_it(policy: Policy, items: list[Item]) -> None:
    _, _, statuses = run(policy, items)
    _, _, twins = run(policy, without_load(items))

    # What its score says counts at once, and for others after a dwell; lines go by what is counted.
    numbers = ("last_active_at", "lifecycle", "score", "contributions", "measures")
    for name, twin in twins.items():
        assert {each: statuses[name][each] for each in numbers} == {
            each: twin[each] for each in numbers
        }


@given(st.sampled_from(POLICIES), histories)
def test_who_was_told_of_a_beginning_is_told_of_its_end(policy: Policy, items: list[Item]) -> None:
    state, alerts, _ = run(policy, items)
    began = {a.id: a for a in alerts if a.status == "firing"}
    ended = {a.id: a for a in alerts if a.status == "resolved"}
    still = {
        alert_id(name, reason, opened.started_ms)
        for name in state.ids()
        for reason, opened in state.account(name).alerts.items()
    }
    waiting = {
        alert_id(name, each.reason, each.opened.started_ms)
        for name in state.ids()
        if (mark := state.account(name).load) is not None
        for each in mark.ended
    }

    assert len(began) + len(ended) == len(alerts), "each is said once"
    assert set(ended) <= set(began)
    assert set(began) - set(ended) == still | waiting
    assert [a for a in ended.values() if a.caused_by == "load" and not began[a.id].caused_by] == []


def test_the_histories_have_loads_in_them() -> None:
    seen: list[bool] = []

    @given(histories)
    def look(items: list[Item]) -> None:
        seen.append(any(item.loaded for item in items))

    look()
    assert sum(seen) > 10
