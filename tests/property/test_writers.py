"""Workers that crash, are thought dead and write on, and their successors: nothing changes.

Examples choose an interleaving of all writes of all who ever had the partition.
"""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.stream.state import pages
from pulse.testing.changelog import Outside, Owner
from pulse.testing.histories import Log, usage

from .histories import DAY_MS, HOUR_MS, POLICIES, START_MS, Item, add, histories

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
    large, pages.PART_BYTES = pages.PART_BYTES, 60
    yield
    pages.PART_BYTES = large


def log_with_bad_lines(items: list[Item]) -> Log:
    """One record an item, and a line now and then that nobody can read."""
    log = Log()
    for number, item in enumerate(items):
        add(log, item)
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
    assert disturbed(policy, log, page_accounts, kept_back, turns) == undisturbed(policy, log)


# By 25 a manifest is seen to say more than stands in the pages, which is rare.
@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 11)), 25]
)
def test_nothing_changes_where_somebody_is_always_writing(seed: int) -> None:
    """Long interleavings on a log at hand; from short ones most mistakes come out unharmed."""
    chance, log = random.Random(seed), busy_log(seed % 3)
    for _ in range(15):
        sizes = chance.randint(1, 3), chance.choice([0, 3, 10, 30])
        weights = [3, 4, chance.choice([1, 3]), chance.choice([0.2, 2])]
        turns = [busy_turn(chance, weights) for _ in range(chance.randint(20, 60))]
        came = disturbed(POLICIES[0], log, *sizes, turns)
        assert came == busy_undisturbed(seed % 3), (sizes, turns)


def busy_turn(chance: random.Random, weights: list[float]) -> tuple[str, int, int]:
    """One of those with which somebody is nearly always in the middle of a flush."""
    what = chance.choices(["work", "step", "flush", "take over"], weights)[0]
    most = {"work": 12, "step": 4, "flush": 0, "take over": 2}[what]
    return what, chance.randrange(4), chance.randint(min(most, 1), most)


@cache
def busy_log(seed: int) -> Log:
    """Some accounts are used every few records, some seldom, and new ones keep joining."""
    chance, log, at_ms = random.Random(seed), Log(), START_MS
    for number in range(150):
        names = "abcdefgh"[: 2 + number // 20]
        name = chance.choices(names, [1 / n**2 for n, _ in enumerate(names, 1)])[0]
        log.add(usage(f"n{number}", name, at_ms, user_id=f"u{chance.randrange(9)}"))
        if number % 3 == 2:
            at_ms += chance.choice([HOUR_MS, 9 * HOUR_MS, DAY_MS])
            log.tick(at_ms)
        if number % 20 == 7:
            log.add(b"not json")
    log.tick(at_ms + DAY_MS)
    return log


@cache
def busy_undisturbed(seed: int) -> tuple[dict[str, Any], Any, Any]:
    return undisturbed(POLICIES[0], busy_log(seed))


def disturbed(
    policy: Policy,
    log: Log,
    page_accounts: int,
    kept_back: int,
    turns: list[tuple[str, int, int]],
) -> tuple[dict[str, Any], Any, Any]:
    """What came of it in the end."""
    outside = Outside(log.records)

    def successor() -> Owner:
        # Each has pages of another size: who joins which page differs from one to the next.
        return own(policy, outside, 1 + (page_accounts + outside.generation) % 3, kept_back)

    owners = [successor()]
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
            owners.append(successor())
            for _ in range(number):  # it may stand still before its first manifest
                owners[-1].step()

    last = successor()
    assert last.behind == 0
    return last.finish(), outside.alerts, outside.letters
