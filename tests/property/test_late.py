"""However late events come, as long as they count at all, the tiles are the same in the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pulse.engine import Engine, PartitionState
from pulse.testing.histories import Log, profile, usage

from .histories import ACCOUNTS, DAY_MS, HOUR_MS, POLICIES, START_MS, ZONES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.engagement.account import Account
    from pulse.engine import Policy


class Late(NamedTuple):
    """An event, in hours after the start, and how many hours later it comes."""

    at_h: float
    account: str
    user: str | None
    feature: str
    value: int | None
    delay_h: float


lates = st.lists(
    st.builds(
        Late,
        at_h=st.integers(0, 60 * 24).map(lambda h: h / 2),
        account=st.sampled_from(ACCOUNTS[:2]),
        user=st.sampled_from(["u1", "u2", None]),
        feature=st.sampled_from(["f1", "f2"]),
        value=st.sampled_from([None, 3, -2]),
        delay_h=st.sampled_from([0, 0, 0, 0.1, 2, 30, 24 * 9, 24 * 50]),
    ),
    max_size=40,
)


def arrived(events: Sequence[Late], timezone: str, ticked_h: float, *, late: bool) -> Log:
    """The log of the events, each when it happened or when it came."""
    log = Log()
    log.tick(START_MS)
    for account in ACCOUNTS[:2]:
        log.add(profile("p", account, START_MS, timezone=timezone))
    arrivals = sorted(
        (event.at_h + (event.delay_h if late else 0), number) for number, event in enumerate(events)
    )
    tick_ms = START_MS
    for when_h, number in arrivals:
        event = events[number]
        now_ms = START_MS + round(when_h * HOUR_MS)
        while tick_ms + ticked_h * HOUR_MS <= now_ms:
            tick_ms += round(ticked_h * HOUR_MS)
            log.tick(tick_ms)
        said: dict[str, Any] = {"feature": event.feature, "value": event.value}
        at_ms = START_MS + round(event.at_h * HOUR_MS)
        line = usage(f"e{number}", event.account, at_ms, user_id=event.user, properties=said)
        log.tick(now_ms)
        log.add(line)
    log.tick(START_MS + 85 * DAY_MS)
    return log


def tiles(account: Account) -> dict[str, Any]:
    """What the events left, and nothing of how they came."""
    return {
        "events": account.events.tiles(account.calendar.day),
        "value": account.value.tiles(account.calendar.day),
        "active": account.active.tiles(account.calendar.day),
        "users": account.users.days,
        "features": account.features.days,
        "span": (account.first_ms, account.last_ms, account.active_total),
    }


@given(st.sampled_from(POLICIES), lates, st.sampled_from(ZONES), st.sampled_from([1, 7, 24, 500]))
def test_late_events_leave_the_same_tiles(
    policy: Policy, events: list[Late], timezone: str, ticked_h: float
) -> None:
    results = []
    for late in (False, True):
        engine, state = Engine(policy), PartitionState()
        log = arrived(events, timezone, ticked_h, late=late)
        assert engine.apply(state, log.records).dead_letters == []
        engine.settle(state)
        results.append(
            {
                name: (tiles(account), engine.status(account, state.clock_ms or 0)["measures"])
                for name, account in sorted((name, state.account(name)) for name in state.ids())
            }
        )

    assert results[0] == results[1]
