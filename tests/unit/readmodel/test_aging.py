from __future__ import annotations

from pulse.engagement.account import Account
from pulse.engagement.lifecycle import LifecycleRule, lifecycle
from pulse.readmodel.aging import Aging, next_stage_ms

DAY_MS = 86_400_000
RULE = LifecycleRule(
    new_ms=28 * DAY_MS, dormant_after_ms=40 * DAY_MS, churned_after_ms=180 * DAY_MS
)


def account(first_day: int, last_day: int, resurrected_day: int | None = None) -> Account:
    made = Account("acme", "UTC", 719_163)
    made.first_ms, made.last_ms = first_day * DAY_MS, last_day * DAY_MS
    made.resurrected_ms = None if resurrected_day is None else resurrected_day * DAY_MS
    return made


def stage(of: Account, at_ms: int) -> str:
    return lifecycle(RULE, at_ms, of.first_ms, of.last_ms, of.resurrected_ms)


def test_the_stage_changes_at_the_instants_found_and_at_no_others() -> None:
    for each in (account(0, 0), account(0, 10), account(0, 300), account(0, 300, 299)):
        at_ms = each.last_ms
        assert at_ms is not None
        seen = [stage(each, at_ms)]
        while (following := next_stage_ms(RULE, each, at_ms)) is not None:
            assert stage(each, following - 1) == seen[-1]
            at_ms = following
            seen.append(stage(each, at_ms))
        assert seen[-2:] == ["dormant", "churned"]
        assert stage(each, at_ms + 1000 * DAY_MS) == "churned"


def test_an_account_comes_up_when_its_stage_changes() -> None:
    aging, left = Aging(RULE), account(0, 100)
    seen = []
    for day in range(100, 400):
        if day == 100 or aging.due(day * DAY_MS):
            aging.note(left, day * DAY_MS)
            seen.append((day, stage(left, day * DAY_MS)))
    assert seen == [(100, "current"), (140, "dormant"), (280, "churned")]


def test_what_was_described_last_is_always_true() -> None:
    aging, used = Aging(RULE), account(0, 0)
    described = ""
    for day in range(900):
        in_use = day < 20 or 200 <= day < 300 or day == 420
        if in_use:
            used.resurrected_ms = 200 * DAY_MS if day >= 200 else None
            used.last_ms = day * DAY_MS
        if aging.due(day * DAY_MS) or in_use:
            described = stage(used, day * DAY_MS)
            aging.note(used, day * DAY_MS)
        assert described == stage(used, day * DAY_MS), day
    assert described == "churned"


def test_an_account_that_was_never_used_has_no_stage_to_come() -> None:
    aging = Aging(RULE)
    aging.note(Account("new", "UTC", 719_163), 0)
    assert aging.due(10**15) == []
