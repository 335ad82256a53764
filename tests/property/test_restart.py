"""Whatever write was the last one before a crash: nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulse.engine.control import source
from pulse.stream.state import pages
from pulse.testing.changelog import Outside, Owner
from pulse.testing.histories import Log, usage

from .histories import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    POLICIES,
    SECOND_MS,
    START_MS,
    Item,
    histories,
    log_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engine import Policy

policies = st.sampled_from(POLICIES)


@pytest.fixture(autouse=True, scope="module")
def _small_parts() -> Iterator[None]:
    """Some pages have more than one part, so that a crash can fall between two."""
    large, pages.PART_BYTES = pages.PART_BYTES, 400
    yield
    pages.PART_BYTES = large


def own(policy: Policy, outside: Outside, page_accounts: int, kept_back: int = 0) -> Owner:
    return Owner(
        policy, outside, kept_back=kept_back, page_accounts=page_accounts, page_bytes=1_200
    )


def undisturbed(policy: Policy, outside: Outside) -> tuple[Any, Any, Any]:
    """What comes of a worker to which nothing happens."""
    calm = Outside(outside.log)
    return came(own(policy, calm, 64), calm)


def came(owner: Owner, outside: Outside) -> tuple[Any, Any, Any]:
    """Statuses, accounts to the byte, and what was written, once the rest is applied."""
    return owner.finish(), owner.packed(), written(outside)


def written(outside: Outside) -> Any:
    return outside.alerts, outside.summaries


@given(
    policies,
    histories,
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

    assert came(owner, outside) == undisturbed(policy, outside)


@given(policies, histories, st.integers(0, 60))
def test_reading_on_from_further_back_changes_nothing(
    policy: Policy, items: list[Item], back: int
) -> None:
    # The group's commit is only a hint: what a page holds already is skipped.
    outside = Outside(log_of(items).records)
    owner = own(policy, outside, 2)
    owner.work(len(outside.log) // 2)
    owner.write()
    owner = own(policy, outside, 2)
    position = owner.state.position
    start = max(position - back, 0)
    letters = owner.engine.apply(owner.state, outside.log[start:position]).dead_letters
    assert letters == []
    assert owner.state.position == position

    assert came(owner, outside) == undisturbed(policy, outside)


def test_a_tick_that_is_read_again_says_nothing_of_who_knows_of_the_outage_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pages, "PART_BYTES", 10_000)
    log, at_ms = Log(), START_MS
    for day in range(5):
        for name in "ab":
            log.add(usage(f"n{day}", name, at_ms, user_id="u"))
        at_ms += DAY_MS
        log.tick(at_ms)
    for name in "ab":
        log.add(usage("last", name, at_ms, user_id="u"))
    outside = Outside(log.records)
    owner = own(POLICIES[0], outside, 1)
    owner.work(len(log.records))
    owner.write()
    log.tick(at_ms + 20 * MINUTE_MS)
    log.control("source", source("default", "stopped", at_ms - HOUR_MS).value)
    owner.work(2)
    owner.begin_flush()
    owner.step()  # the page of one of them
    log.tick(at_ms + 20 * MINUTE_MS + SECOND_MS)
    owner = own(POLICIES[0], outside, 1)
    assert owner.state.position == len(log.records) - 3

    result = came(owner, outside)
    assert [result[0][name]["zone"] for name in "ab"] == ["unknown", "unknown"]
    assert result == undisturbed(POLICIES[0], outside)
