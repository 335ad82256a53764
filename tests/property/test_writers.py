"""Workers that crash, are thought dead and write on, and their successors: nothing changes.

Examples choose an interleaving of all writes of all who ever had the partition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.stream import pages
from pulse.testing.changelog import Outside, Owner
from pulse.testing.histories import Log

from .histories import POLICIES, Item, histories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engine import Policy

policies = st.sampled_from(POLICIES)
whos = st.integers(0, 3)
"""Counted back from the last one: 0 is the owner, the others are thought dead."""
turns = st.lists(
    st.one_of(
        st.tuples(st.just("work"), whos, st.integers(1, 25)),
        st.tuples(st.just("step"), whos, st.integers(1, 12)),
        st.tuples(st.just("flush"), whos, st.just(0)),
        st.tuples(st.just("take over"), st.just(0), st.integers(0, 2)),
    ),
    max_size=40,
)


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Many pages have more than one part, so that a crash can fall between two."""
    large, pages.PART_BYTES = pages.PART_BYTES, 250
    yield
    pages.PART_BYTES = large


def log_with_bad_lines(items: list[Item]) -> Log:
    """One record an item, and a line now and then that nobody can read."""
    log = Log()
    for number, item in enumerate(items):
        if item.kind is None:
            log.add(item.value)
        else:
            log.control(item.kind, item.value)
        if number % 7 == 3:
            log.add(b"not json")
    return log


def place(account_id: str) -> int:
    """One account is in the wrong partition."""
    return 1 if account_id == "e" else 0


def own(policy: Policy, outside: Outside, page_accounts: int, kept_back: int) -> Owner:
    return Owner(
        policy,
        outside,
        kept_back=kept_back,
        place=place,
        page_accounts=page_accounts,
        page_bytes=1_200,
    )


def undisturbed(policy: Policy, log: Log) -> tuple[dict[str, Any], Any, Any]:
    calm = Outside(log.records)
    statuses = own(policy, calm, 64, 0).finish()
    return statuses, calm.alerts, calm.letters


@given(policies, histories, st.integers(1, 3), st.integers(0, 30), turns)
def test_whoever_writes_whenever_nothing_changes(
    policy: Policy,
    items: list[Item],
    page_accounts: int,
    kept_back: int,
    turns: list[tuple[str, int, int]],
) -> None:
    log = log_with_bad_lines(items)
    outside = Outside(log.records)
    owners = [own(policy, outside, page_accounts, kept_back)]
    for what, back, number in turns:
        who = owners[-1 - back % len(owners)]
        if what == "work":
            who.work(number)
        elif what == "flush":
            who.write()
        elif what == "step":
            who.begin_flush()
            for _ in range(number):
                who.step()
        else:
            owners.append(own(policy, outside, page_accounts, kept_back))
            for _ in range(number):  # it may stand still before its first manifest
                owners[-1].step()

    last = own(policy, outside, page_accounts, kept_back)
    assert last.behind == 0
    assert (last.finish(), outside.alerts, outside.letters) == undisturbed(policy, log)
