"""Every line is counted exactly once: in the tiles, or among those left out, with the reason."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st

from pulse.engine import Engine, PartitionState

from .histories import DAY_MS, FACTS, HOUR_MS, POLICIES, START_MS, Item, histories, log_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.engine import Policy

WEIGHTS = {"used": 1.0, "step": 1.0, "big": 2.5, "ping": 0.0}
BILLING = {
    "payment_failed", "payment_recovered", "card_updated",
    "subscription_cancelled", "subscription_resumed",
}  # fmt: skip
BAD_FACTS = ({"expires_at": "soon"}, {"score": None})


def classified(items: Sequence[Item]) -> tuple[Counter[str], float]:
    """What should become of each line, and the sum of the weights of those that count for accounts
    that are there in the end.
    """
    clock_ms: int | None = None
    first_tick_ms = 0
    seen: dict[tuple[str, str, str], int | None] = {}
    fates: Counter[str] = Counter()
    weights: dict[str, float] = defaultdict(float)
    gone: set[tuple[str | None, str | None]] = set()
    for item in items:
        if item.kind == "tick":
            if clock_ms is None:
                first_tick_ms = item.at_ms
            clock_ms = max(clock_ms or 0, item.at_ms)
        if item.kind == "forget":
            said = json.loads(item.value)
            gone.add((said.get("account"), said.get("user")))
            if "user" not in said:
                weights.pop(said["account"], None)
        if item.kind is not None:
            continue
        line = json.loads(item.value)
        key = line["account_id"], line.get("source", "default"), line["id"]
        is_profile = line.get("type") == "profile"
        remembered_ms = (7 if line.get("event") in BILLING else 1) * DAY_MS
        account, user = line["account_id"], line.get("user_id")
        is_gone = user is not None and bool(gone & {(account, user), (None, user)})
        if (account, None) in gone:
            fate = "forgotten"
        elif clock_ms is not None and item.at_ms > clock_ms + HOUR_MS:
            fate = "forgotten" if is_gone else "future"
        elif clock_ms is not None and item.at_ms < clock_ms - 90 * DAY_MS:
            fate = "forgotten" if is_gone else "too_late"
        elif line["account_id"] == "e":
            fate = "misplaced"
        elif not is_profile and (line.get("user_id") == "bot" or line["properties"].get("test")):
            fate = "ignored"
        elif not is_profile and line["properties"] in BAD_FACTS:
            fate = "forgotten" if is_gone else "wrong_shape"
        elif is_gone:
            fate = "forgotten"
        elif key in seen and (
            clock_ms is None
            or clock_ms - (first_tick_ms if seen[key] is None else seen[key]) < remembered_ms
        ):
            fate = "duplicates"
        else:
            seen[key] = clock_ms
            fate = "profiles" if is_profile else "facts"
            if not is_profile and line["event"] not in FACTS:
                weights[account] += WEIGHTS[line["event"]]
                fate = "counted" if WEIGHTS[line["event"]] else "weightless"
        fates[fate] += 1
    return fates, sum(weights.values())


@given(st.sampled_from(POLICIES), histories, st.lists(st.integers(0, 100), max_size=3))
def test_every_line_has_one_fate(policy: Policy, items: list[Item], bad: list[int]) -> None:
    items = [item for item in items if item.at_ms > START_MS - 5 * DAY_MS]
    assume(items[-1].at_ms < START_MS + 80 * DAY_MS)
    log = log_of(items)
    for _ in bad:
        log.add(b'{"id":"truncated","account_id":"a"')
    engine, state = Engine(policy, lambda account_id: int(account_id == "e")), PartitionState(0)
    effects = engine.apply(state, log.records)
    fates, weight = classified(items)
    letters = Counter(letter.reason for letter in effects.dead_letters)
    left_out = ("duplicates", "ignored", "profiles", "weightless", "facts", "forgotten")

    assert (letters["not_json"], letters["wrong_shape"]) == (len(bad), fates["wrong_shape"])
    assert (letters["future"], letters["too_late"]) == (fates["future"], fates["too_late"])
    assert len(effects.misplaced) == effects.counts["misplaced"] == fates["misplaced"]
    assert {name: effects.counts[name] for name in left_out} == {n: fates[n] for n in left_out}
    assert effects.counts["events"] == fates.total() + len(bad)
    tiles = sum(
        account.events.today + sum(account.events.tiles(account.calendar.day).values())
        for account in map(state.account, state.ids())
    )
    assert tiles == weight * 1_000_000
