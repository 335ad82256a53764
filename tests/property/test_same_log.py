"""Results are a function of each partition's log and of nothing else.

Not of batches, of how many partitions there are, of how much work a tick leaves for later, nor of
the order of events within a minute.
"""

from __future__ import annotations

import itertools
import random
import zlib
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from pulse.alerting.alert import EVERYBODY
from pulse.engine import Engine, PartitionState
from pulse.testing.histories import Log
from pulse.testing.playing import Outcome, checked

from .histories import MINUTE_MS, POLICIES, Item, add, histories, log_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.engine import Policy
    from pulse.model import Alert

Result = tuple[list["Alert"], dict[str, dict[str, Any]], dict[str, bytes]]

policies = st.sampled_from(POLICIES)
seeds = st.integers(0, 2**32 - 1)
cuts = st.lists(st.integers(0, 100), max_size=10)


def result(engine: Engine, state: PartitionState, outcome: Outcome) -> Result:
    """Alerts as they are written, every account as of the clock, and as a page holds it."""
    outcome.alerts += map(checked, engine.settle(state))
    clock_ms = state.clock_ms or 0
    names = sorted(state.ids())
    return (
        outcome.alerts_in_order(),
        {name: engine.status(state.account(name), clock_ms, state.lines) for name in names},
        {name: state.packed(name) for name in names},
    )


def run(policy: Policy, log: Log) -> Result:
    """All in one batch, and everything at once."""
    engine, state, outcome = Engine(policy), PartitionState(), Outcome()
    outcome.take(engine.apply(state, log.records))
    return result(engine, state, outcome)


def parts(items: Sequence[Item], at: Sequence[int]) -> list[Sequence[Item]]:
    """The sequence cut at some places."""
    places = sorted({0, len(items), *(place % (len(items) + 1) for place in at)})
    return [items[a:b] for a, b in itertools.pairwise(places)]


@given(policies, histories, cuts)
def test_batches_and_slices_change_nothing(
    policy: Policy, items: list[Item], at: list[int]
) -> None:
    log = log_of(items)
    engine, state, outcome = Engine(policy, least_slice=0), PartitionState(), Outcome()
    for batch in parts(log.records, at):
        outcome.take(engine.apply(state, batch))

    assert result(engine, state, outcome) == run(policy, log)


@given(policies, histories, cuts, st.sampled_from([0, 1, 2]))
def test_which_accounts_are_folded_changes_nothing(
    policy: Policy, items: list[Item], at: list[int], live: int
) -> None:
    log = log_of(items)
    engine, outcome = Engine(policy, least_slice=1), Outcome()
    state = PartitionState(live_accounts=live)
    for batch in parts(log.records, at):
        outcome.take(engine.apply(state, batch))
        assert len(state.live) <= live

    assert result(engine, state, outcome) == run(policy, log)


@given(policies, histories, cuts)
def test_a_record_may_hold_one_line_or_many(
    policy: Policy, items: list[Item], at: list[int]
) -> None:
    together = Log()
    for group in parts(items, at):
        lines: list[bytes] = []
        for item in [*group, Item(0, None, b"", "end")]:
            if item.kind is None and not item.loaded:
                lines.append(item.value)
                continue
            if lines:
                together.add(b"\n".join(lines))
                lines = []
            if item.kind != "end":
                add(together, item)

    assert run(policy, together) == run(policy, log_of(items))


@given(policies, histories, st.integers(2, 5))
def test_the_number_of_partitions_changes_nothing(
    policy: Policy, items: list[Item], partitions: int
) -> None:
    def place(account_id: str) -> int:
        return zlib.crc32(account_id.encode()) % partitions

    alerts: list[Alert] = []
    statuses: dict[str, dict[str, Any]] = {}
    packed: dict[str, bytes] = {}
    engine = Engine(policy, place, least_slice=0)
    for partition in range(partitions):
        mine = [i for i in items if i.account is None or place(i.account) == partition]
        state, outcome = PartitionState(partition), Outcome()
        outcome.take(engine.apply(state, log_of(mine).records))
        some, others, pages = result(engine, state, outcome)
        assert not outcome.misplaced
        alerts += some
        statuses |= others
        packed |= pages

    alerts.sort(key=lambda alert: (alert.at, alert.account_id))
    together, *others = run(policy, log_of(items))
    # What is made for the whole fleet goes round first.
    alone = [alert for alert in together if alert.account_id != EVERYBODY]
    alerts = [alert for alert in alerts if alert.account_id != EVERYBODY]
    assert (alerts, [statuses, packed]) == (alone, others)


def disordered(items: Sequence[Item], rng: random.Random) -> list[Item]:
    """Between two ticks: the accounts' lines mixed, and each account's within a minute."""
    out: list[Item] = []
    stretch: list[Item] = []
    for item in [*items, Item(0, None, b"", "end")]:
        if item.kind is None:
            stretch.append(item)
            continue
        out += _mixed(stretch, rng)
        stretch = []
        if item.kind != "end":
            out.append(item)
    return out


def _mixed(stretch: Sequence[Item], rng: random.Random) -> list[Item]:
    minutes: dict[str | None, list[list[Item]]] = {}
    for item in stretch:
        own = minutes.setdefault(item.account, [])
        if own and own[-1][0].at_ms // MINUTE_MS == item.at_ms // MINUTE_MS:
            own[-1].append(item)
        else:
            own.append([item])
    queues = []
    for own in minutes.values():
        for minute in own:
            rng.shuffle(minute)
        queues.append([item for minute in own for item in minute])
    out = []
    while queues := [queue for queue in queues if queue]:
        out.append(rng.choice(queues).pop(0))
    return out


@given(policies, histories, seeds)
def test_disorder_within_a_minute_changes_nothing(
    policy: Policy, items: list[Item], seed: int
) -> None:
    mixed = disordered(items, random.Random(seed))

    # In which order ids were first seen is the log's order still.
    assert run(policy, log_of(mixed))[:2] == run(policy, log_of(items))[:2]


@given(policies, histories)
def test_a_second_ticker_changes_nothing(policy: Policy, items: list[Item]) -> None:
    two = log_of([again for item in items for again in [item] * (2 if item.kind == "tick" else 1)])

    assert run(policy, two) == run(policy, log_of(items))
