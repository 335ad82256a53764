"""What another configuration would have raised: the alerts of two replays of the same history."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from pulse.engagement.days import DAY_MS
from pulse.model.time import parse_ts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulse.alerting.people.outcomes import Outcome

WEEK_MS: Final = 7 * DAY_MS
NOBODY: Final = "nobody"
"""The owner of accounts whose profile names none."""
NO_SEGMENT: Final = "no segment"


class _Alert(msgspec.Struct):
    """What is looked at of an alert."""

    account_id: str
    reason: str
    status: str
    at: str
    profile: dict[str, Any]


class Fired(NamedTuple):
    """The beginning of an alert."""

    account_id: str
    reason: str
    at_ms: int
    segment: str
    owner: str


def fired(alerts: Iterable[bytes]) -> list[Fired]:
    """The alerts of a replay that began, in order."""
    decode = msgspec.json.Decoder(_Alert).decode
    found = []
    for alert in map(decode, alerts):
        if alert.status == "firing":
            segment = alert.profile.get("segment") or NO_SEGMENT
            owner = alert.profile.get("owner") or NOBODY
            at_ms = parse_ts(alert.at)
            found.append(Fired(alert.account_id, alert.reason, at_ms, segment, owner))
    return found


@dataclass(frozen=True)
class Comparison:
    """Alerts that only the new configuration raises, that only the old one does, and that both do.

    Alerts are the same where account and reason are, and they begin within `same_ms` of each other.
    """

    gained: list[Fired]
    lost: list[Fired]
    same: list[Fired]
    """As the new one raises them."""

    def by_segment_and_reason(self) -> dict[tuple[str, str], tuple[int, int, int]]:
        """How many were gained, lost and the same."""
        counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for name, alerts in (("gained", self.gained), ("lost", self.lost), ("same", self.same)):
            for alert in alerts:
                counts[alert.segment, alert.reason][name] += 1
        return {
            key: (each["gained"], each["lost"], each["same"])
            for key, each in sorted(counts.items())
        }


def compare(new: Sequence[Fired], old: Sequence[Fired], same_ms: int) -> Comparison:
    """Pair the alerts of each account and reason, in order of time.

    >>> a = Fired("acme", "danger", 0, "smb", "ann")
    >>> compare([a._replace(at_ms=5)], [a], same_ms=10).same
    [Fired(account_id='acme', reason='danger', at_ms=5, segment='smb', owner='ann')]
    >>> compare([a._replace(at_ms=50)], [a], same_ms=10).lost == [a]
    True
    """
    before: dict[tuple[str, str], list[Fired]] = defaultdict(list)
    for alert in sorted(old, key=lambda each: each.at_ms):
        before[alert.account_id, alert.reason].append(alert)
    gained, lost, same = [], [], []
    for alert in sorted(new, key=lambda each: each.at_ms):
        waiting = before[alert.account_id, alert.reason]
        while waiting and waiting[0].at_ms < alert.at_ms - same_ms:
            lost.append(waiting.pop(0))
        if waiting and waiting[0].at_ms <= alert.at_ms + same_ms:
            waiting.pop(0)
            same.append(alert)
        else:
            gained.append(alert)
    for waiting in before.values():
        lost += waiting
    return Comparison(gained, sorted(lost, key=lambda each: each.at_ms), same)


def judged(alerts: Iterable[Fired], outcomes: Iterable[Outcome], same_ms: int) -> list[Outcome]:
    """What people said of alerts that a replay raises too: of the same account and reason, and
    begun within `same_ms` of each other. Of several the nearest counts, each alert once.
    """
    began: dict[tuple[str, str], list[int]] = defaultdict(list)
    for alert in alerts:
        began[alert.account_id, alert.reason].append(alert.at_ms)
    found = []
    for said in sorted(outcomes, key=lambda each: each.started_ms):
        instants = began.get((said.account_id, said.reason))
        if not instants:
            continue
        nearest = min(instants, key=lambda at_ms: abs(at_ms - said.started_ms))
        if abs(nearest - said.started_ms) <= same_ms:
            instants.remove(nearest)
            found.append(said)
    return found


class Load(NamedTuple):
    """What one owner gets."""

    alerts: int
    a_week: float
    busiest_week: int


def load_by_owner(alerts: Iterable[Fired], first_ms: int, last_ms: int) -> dict[str, Load]:
    """Alerts of each owner over a history, and in the busiest of its weeks."""
    weeks = max((last_ms - first_ms) / WEEK_MS, 1.0)
    found: dict[str, Counter[int]] = defaultdict(Counter)
    for alert in alerts:
        found[alert.owner][(alert.at_ms - first_ms) // WEEK_MS] += 1
    return {
        owner: Load(each.total(), each.total() / weeks, max(each.values()))
        for owner, each in sorted(found.items())
    }
