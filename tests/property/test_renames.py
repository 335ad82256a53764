"""Accounts that are renamed: nothing is lost, doubled, or another than if it had been so always."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.engagement.packing import pack
from pulse.engine import Engine, PartitionState
from pulse.stream.state import pages
from pulse.testing.changelog import Outside
from pulse.testing.histories import usage
from pulse.testing.partitions import Partitions
from pulse.testing.playing import Outcome

from .histories import (
    DAY_MS,
    POLICIES,
    SECOND_MS,
    START_MS,
    Item,
    Pass,
    Use,
    _items,
    histories_with_renames,
    log_of,
    passes,
    rules,
    uses,
    usual_histories,
)
from .test_restart import came, own, undisturbed
from .test_same_log import cuts, parts, result, run
from .test_writers import disturbed, log_with_bad_lines, turns
from .test_writers import undisturbed as undisturbed_by_writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engagement.account import Account
    from pulse.engine import Policy

pytestmark = pytest.mark.long

policies = st.sampled_from(POLICIES)
QUIET = [replace(rules(dwell), silence=None, signals=()) for dwell in ("0s", "1h", "1d")]
"""Rules by which only a zone raises an alert, which goes on where the account is renamed."""


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    large, pages.PART_BYTES = pages.PART_BYTES, 400
    yield
    pages.PART_BYTES = large


@given(policies, histories_with_renames, cuts, st.sampled_from([0, 1, 64]))
def test_batches_slices_and_what_is_folded_change_nothing(
    policy: Policy, items: list[Item], at: list[int], live: int
) -> None:
    log = log_of(items)
    engine, outcome = Engine(policy, least_slice=0), Outcome()
    state = PartitionState(live_accounts=live)
    for batch in parts(log.records, at):
        outcome.take(engine.apply(state, batch))

    assert result(engine, state, outcome) == run(policy, log)


@given(
    policies,
    histories_with_renames,
    st.integers(1, 3),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(1, 20), st.none() | st.integers(0, 6)), max_size=8),
)
def test_a_crash_after_any_write_changes_nothing(
    policy: Policy,
    items: list[Item],
    page_accounts: int,
    kept_back: int,
    turns: list[tuple[int, int | None]],
) -> None:
    outside = Outside(log_of(items).records)
    owner = own(policy, outside, page_accounts, kept_back)
    for records, writes in turns:
        owner.work(records)
        if writes is None:
            owner.write()
            continue
        owner.begin_flush()
        for _ in range(writes):
            owner.step()
        owner = own(policy, outside, page_accounts, kept_back)

    result = came(owner, outside)
    # Once more what is handed on stands in the log, and is passed over.
    assert result == undisturbed(policy, outside)


@given(policies, histories_with_renames, st.integers(1, 3), st.integers(0, 30), turns)
def test_whoever_writes_whenever_nothing_changes(
    policy: Policy,
    items: list[Item],
    page_accounts: int,
    kept_back: int,
    turns: list[tuple[str, int, int]],
) -> None:
    log = log_with_bad_lines(items)
    came = disturbed(policy, log, page_accounts, kept_back, turns)
    assert came == undisturbed_by_writers(policy, log)


@given(policies, histories_with_renames, st.integers(0, 60))
def test_reading_on_from_further_back_changes_nothing(
    policy: Policy, items: list[Item], back: int
) -> None:
    outside = Outside(log_of(items).records)
    owner = own(policy, outside, 2)
    owner.work(len(outside.log) // 2)
    owner.write()
    owner = own(policy, outside, 2)
    position = owner.state.position
    again = owner.engine.apply(owner.state, outside.log[max(position - back, 0) : position])
    assert (again.dead_letters, again.misplaced) == ([], [])
    assert owner.state.position == position

    assert came(owner, outside) == undisturbed(policy, outside)


def told(account: Account) -> bytes:
    """All that an account knows but its id, and when alerts began."""
    account.account_id = "b"
    account.alerts = {
        reason: alert._replace(started_ms=0) for reason, alert in account.alerts.items()
    }
    return pack(account).joined()


@given(st.sampled_from(QUIET), usual_histories, st.integers(0, 100), st.booleans(), st.booleans())
def test_a_renamed_account_is_as_if_it_had_always_had_its_name(
    policy: Policy, items: list[Item], place: int, is_still_old: bool, is_elsewhere: bool
) -> None:
    mine = [each for each in items if each.account in (None, "a")]
    place %= len(mine) + 1
    here = Partitions(policy, 2, lambda name: int(name == "b" and is_elsewhere))
    always = Partitions(policy, 2, lambda name: int(name == "b" and is_elsewhere))
    here.tick(START_MS)
    always.tick(START_MS)
    for number, item in enumerate(mine):
        if number == place:
            here.rename("a", "b")
        new = item.value.replace(b'"account_id":"a"', b'"account_id":"b"')
        is_old = number < place or is_still_old
        _write(here, item, item.value if is_old else new, "a" if is_old else "b")
        _write(always, item, new, "b")
    if place == len(mine):
        here.rename("a", "b")
    for each in (here, always):
        # What it has that nobody has looked at since is looked at.
        each.tick(items[-1].at_ms + SECOND_MS)
        each.add("b", usage("last", "b", items[-1].at_ms + SECOND_MS))

    one, other = here.state_of("b"), always.state_of("b")
    assert "a" not in here.state_of("a").ids()
    assert sorted(one.ids()) == sorted(other.ids())
    for name in one.ids():
        assert here.statuses()[name] == always.statuses()[name]
        assert told(one.account(name)) == told(other.account(name))


def _write(all_of_them: Partitions, item: Item, value: bytes, account: str) -> None:
    if item.kind is None:
        all_of_them.add(account, value)
        return
    for log in all_of_them.logs:
        log.control(item.kind, value)
    all_of_them.apply()


@given(
    st.sampled_from([rules(), QUIET[0]]),
    st.lists(st.one_of(uses, uses, passes), max_size=40),
    st.booleans(),
)
def test_two_accounts_that_become_one_are_what_their_events_are_together(
    policy: Policy, steps: list[Use | Pass], is_elsewhere: bool
) -> None:
    items = _items(steps)
    apart = Partitions(policy, 2, lambda name: int(name != "a" and is_elsewhere))
    together = Partitions(policy, 1, lambda _: 0)
    apart.tick(START_MS)
    together.tick(START_MS)
    for item in items:
        if item.account not in (None, "a", "b"):
            continue
        _write(apart, item, item.value, item.account or "")
        value = item.value.replace(b'"account_id":"a"', b'"account_id":"b"')
        _write(together, item, value, "b")
    apart.rename("a", "b")
    # What was fixed at the start of a day is so until the next one.
    for each in (apart, together):
        for day in (1, 2):
            each.tick(items[-1].at_ms + day * DAY_MS)

    found, expected = apart.statuses(), together.statuses()
    assert found.keys() == expected.keys()
    for name in found:
        assert found[name]["measures"] == expected[name]["measures"]
        assert found[name]["last_active_at"] == expected[name]["last_active_at"]
