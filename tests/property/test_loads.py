"""What a load brings leaves accounts as if it had come without one; only who is told differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pulse.alerting.alert import EVERYBODY
from pulse.engine import Engine, PartitionState
from pulse.testing.playing import Outcome, checked

from .histories import (
    HOUR_MS,
    POLICIES,
    Bring,
    Item,
    Pass,
    busy_days,
    histories_of,
    loading,
    log_of,
)

if TYPE_CHECKING:
    from pulse.engine import Policy
    from pulse.model import Alert


def is_ahead(step: Any) -> bool:
    line = step.line if isinstance(step, Bring) else step
    return getattr(line, "back_ms", 0) < 0


quiet_ends = loading.map(
    # Else what comes in the minute that the end closes counts in the next one.
    lambda steps: [*(each for each in steps if not is_ahead(each)), Pass(2 * HOUR_MS, True)]
)
histories = histories_of(st.one_of(busy_days, quiet_ends, quiet_ends))


def run(policy: Policy, items: list[Item]) -> tuple[PartitionState, list[Alert], dict[str, Any]]:
    """The state, the alerts about accounts, and every account as it stands."""
    engine, state, outcome = Engine(policy), PartitionState(), Outcome()
    outcome.take(engine.apply(state, log_of(items).records))
    outcome.alerts += map(checked, engine.settle(state))
    clock_ms = state.clock_ms or 0
    found: dict[str, Any] = {}
    for name in sorted(state.ids()):
        status = engine.status(state.account(name), clock_ms, state.lines)
        account = state.find(name)
        assert account is not None
        account.load, account.front_ms = None, 0
        found[name] = status, state.packed(name)
    return state, [a for a in outcome.alerts if a.account_id != EVERYBODY], found


def without_load(items: list[Item]) -> list[Item]:
    kept = [item for item in items if item.kind not in ("load", "loaded")]
    return [item._replace(loaded=False) for item in kept]


@given(st.sampled_from(POLICIES), histories)
def test_accounts_are_as_if_there_had_been_no_load(policy: Policy, items: list[Item]) -> None:
    state, alerts, accounts = run(policy, items)
    _, others, twins = run(policy, without_load(items))

    assert accounts == twins
    assert state.loads == {}
    # Every beginning and every end is recorded, sooner or later.
    assert {(a.id, a.status) for a in alerts} == {(a.id, a.status) for a in others}
    assert len(alerts) == len(others)


@given(st.sampled_from(POLICIES), histories)
def test_who_was_told_of_a_beginning_is_told_of_its_end(policy: Policy, items: list[Item]) -> None:
    _, alerts, _ = run(policy, items)
    told = {a.id for a in alerts if a.status == "firing" and a.caused_by != "load"}

    ends = [a for a in alerts if a.status == "resolved" and a.id in told]
    assert [a.caused_by for a in ends if a.caused_by == "load"] == []


def test_the_histories_have_loads_in_them() -> None:
    seen: list[bool] = []

    @given(histories)
    def look(items: list[Item]) -> None:
        seen.append(any(item.loaded for item in items))

    look()
    assert sum(seen) > 10
