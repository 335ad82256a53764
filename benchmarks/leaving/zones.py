"""How often the zone of an account changes, over a history."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, NO_INSTANT
from pulse.playback.lines import Lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.config import Config

WEEK_MS = 7 * DAY_MS


class Changes(NamedTuple):
    """Zone changes of a fleet."""

    total: int
    accounts: int
    """Those whose zone changed at all."""
    soon: Counter[str]
    """Those less than a week after the one before, by which two they are."""
    hasty: int
    """Accounts with such."""


def zone_changes(file: Path, config: Config) -> Changes:
    """Of a file of events, played.

    A zone that a trigger turned changed when its dwell was over; that of who came back after it had
    left, when it did; one that became known or unknown, at the start of a day.
    """
    dwell_ms = config.line.dwell_ms
    zones: dict[str, str] = {}
    last: dict[str, tuple[int, str]] = {}
    total, soon, hasty = 0, Counter[str](), set[str]()

    def observe(account: Any, at_ms: int, view: Any, score: float | None) -> None:
        nonlocal total
        name, zone = account.account_id, account.zone
        was = zones.get(name, "unknown")
        zones[name] = zone
        if zone == was:
            return
        total += 1
        if "unknown" not in (was, zone):
            since_ms = max(account.danger.since_ms, account.approach.since_ms)
            at_ms = account.resurrected_ms if since_ms == NO_INSTANT else since_ms + dwell_ms
        change = f"{was} → {zone}"
        if name in last and at_ms - last[name][0] < WEEK_MS:
            soon[f"{last[name][1]}, {change}"] += 1
            hasty.add(name)
        last[name] = at_ms, change

    Replay(policy(config), observe).run(Script(Lines([str(file)])))
    return Changes(total, len(last), soon, len(hasty))
