"""What holds an alert back for now: another alert, a person, the hour. Nothing is lost by it.

Looked at in this order, and the first one is the reason:

| mute | by | holds | until |
|---|---|---|---|
| `fleet_falls` | the fleet's guard | what follows use and fires | the guard says so |
| `inhibited` | an alert that fires, or what the alert itself says | what fires | that one ends |
| `snoozed` | a person, one alert | what fires | then |
| `acknowledged` | a person, one alert | what fires | it ends |
| `silenced` | a person, by matcher | all | its end |
| `hours` | the route's intervals | all | they open |

What holds only what fires lets an end through: who was told that it began hears that it ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pulse.alerting.everybody.fleet import FALLS
from pulse.alerting.stages.matching import Matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pulse.alerting.brief import Brief
    from pulse.alerting.stages.hours import Hours


class Mute(NamedTuple):
    """Why an alert is held. `until_ms` is None where something else than time ends it."""

    stage: str
    reason: str
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that matches `by` fires, alerts that match `mutes` are held: those of the same
    account, or of all. Without `by` they are held by what they say themselves.
    """

    mutes: Matcher
    by: Matcher | None = None
    same_account: bool = True

    @property
    def reason(self) -> str:
        """How it is said."""
        by = self.mutes if self.by is None else self.by
        return "|".join(by.reasons or by.lifecycles) or "inhibited"


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """A person mutes what matches, for a while. From `starts_ms` up to `ends_ms`."""

    id: str
    match: Matcher
    author: str
    reason: str
    starts_ms: int
    ends_ms: int

    def ended(self, now_ms: int) -> Silence:
        """The same silence, over since then at the latest."""
        return msgspec.structs.replace(
            self, starts_ms=min(self.starts_ms, now_ms), ends_ms=min(self.ends_ms, now_ms)
        )


class Snooze(msgspec.Struct, frozen=True, kw_only=True):
    """A person mutes one alert. Without `until_ms` they took it over: it is acknowledged."""

    alert_id: str
    author: str
    reason: str = ""
    until_ms: int | None = None


class Inhibitors:
    """Which inhibitions are in force: who fires that mutes others.

    >>> rule = Inhibition(Matcher(reasons=("usage_drop",)), Matcher(reasons=("payment_failed",)))
    >>> inhibitors = Inhibitors((rule,))
    >>> from pulse.alerting.brief import Brief
    >>> said = {"account_id": "acme", "status": "firing", "severity": "critical", "at_ms": 0}
    >>> drop = Brief(id="al_1", reason="usage_drop", **said)
    >>> inhibitors.begins(Brief(id="al_2", reason="payment_failed", **said))
    >>> inhibitors.reason(drop), inhibitors.ends("al_2"), inhibitors.reason(drop)
    ('payment_failed', True, None)
    """

    def __init__(self, rules: tuple[Inhibition, ...]) -> None:
        self._rules = rules
        self._firing: dict[tuple[int, str], set[str]] = {}
        self._by: dict[str, list[tuple[int, str]]] = {}

    def begins(self, brief: Brief) -> None:
        """An alert fires; a repeat changes nothing. What only begins would mute for ever, and for
        what nobody is told of nothing is held.
        """
        if brief.id in self._by or brief.is_endless or brief.quiet:
            return
        for number, rule in enumerate(self._rules):
            if rule.by is not None and rule.by.matches(brief):
                place = number, brief.account_id if rule.same_account else ""
                self._firing.setdefault(place, set()).add(brief.id)
                self._by.setdefault(brief.id, []).append(place)

    def ends(self, alert_id: str) -> bool:
        """An alert has ended. Whether it muted others."""
        places = self._by.pop(alert_id, ())
        for place in places:
            firing = self._firing[place]
            firing.discard(alert_id)
            if not firing:
                del self._firing[place]
        return bool(places)

    def reason(self, brief: Brief) -> str | None:
        """Why an alert is muted; None where it is not. No alert mutes itself."""
        for number, rule in enumerate(self._rules):
            if not rule.mutes.matches(brief):
                continue
            place = number, brief.account_id if rule.same_account else ""
            if rule.by is None or self._firing.get(place, set()) - {brief.id}:
                return rule.reason
        return None


@dataclass(slots=True)
class Mutes:
    """All that mutes just now."""

    inhibitors: Inhibitors
    silences: tuple[Silence, ...] = ()
    snoozes: Mapping[str, Snooze] = field(default_factory=dict)
    fleet_until_ms: int | None = None
    """Until when the fleet's guard holds what follows use; None while it does not."""
    is_over: Callable[[str], bool] | None = None
    """Whether an alert's end was heard, though it was not read yet: while the fleet's guard lets go
    of what it held."""
    over_until_ms: int = 0

    def of(self, brief: Brief, now_ms: int) -> Mute | None:
        """What holds an alert back now, whoever it is for; None where nothing does."""
        if brief.is_firing:
            for mute in self._of_firing(brief, now_ms):
                return mute
        return next(_silenced(brief, self.silences, now_ms), None)

    def _of_firing(self, brief: Brief, now_ms: int) -> Iterator[Mute]:
        until_ms = self.fleet_until_ms
        if brief.reason in FALLS and until_ms is not None and now_ms < until_ms:
            yield Mute("inhibit", "fleet_falls", until_ms)
        if self.is_over is not None and now_ms < self.over_until_ms and self.is_over(brief.id):
            yield Mute("inhibit", "end_heard", self.over_until_ms)
        reason = self.inhibitors.reason(brief)
        if reason is not None:
            yield Mute("inhibit", reason)
        snooze = self.snoozes.get(brief.id)
        if snooze is not None and (snooze.until_ms is None or now_ms < snooze.until_ms):
            word = "acknowledged" if snooze.until_ms is None else "snoozed"
            yield Mute("silence", word, snooze.until_ms)


def _silenced(brief: Brief, silences: Iterable[Silence], now_ms: int) -> Iterator[Mute]:
    for each in silences:
        if each.starts_ms <= now_ms < each.ends_ms and each.match.matches(brief):
            yield Mute("silence", f"silenced:{each.id}", each.ends_ms)


def closed(hours: Hours, timezone: str, now_ms: int) -> Mute | None:
    """That a receiver in that time zone wants to hear of nothing now; None where it does."""
    until_ms = hours.held_until(now_ms, timezone)
    if until_ms is None:
        return None
    return Mute("hours", hours.closed_by(now_ms, timezone) or "hours", until_ms)
