"""Sources that stopped: what a partition knows of them, and what that means for its accounts.

Control records in every partition say that a source stopped, or runs again. An account all of whose
sources are stopped is in no zone: nothing begins or ends by its score, and no silence is found. The
days on which that was so, for however short a while, were not observed; they count as holidays do:
windows are filled from the other days, silence is put off, weeks are compared without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pulse.alerting.everybody.sources import SOURCE_STOPPED, source_alert
from pulse.engagement.days import DAY_MS, NEVER, day_start
from pulse.engagement.sources import source_key
from pulse.engine.control import read_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engagement.account import Account
    from pulse.engine.policy import Policy
    from pulse.engine.state import Effects, PartitionState
    from pulse.engine.timekeeper import Timekeeper

_Span = tuple[int, int]

_BACK_DAYS: Final = 7
_KEPT_MS: Final = (_BACK_DAYS + 2) * DAY_MS
"""What ended that long ago has been noted in every account."""


class Outage(msgspec.Struct, array_like=True, frozen=True):
    """A source that was stopped from one instant (ms) up to another, `NEVER` while it is."""

    source: str
    from_ms: int
    until_ms: int = NEVER
    watched: bool = False
    """Nobody said it, it was noticed."""

    @property
    def is_open(self) -> bool:
        """Whether it lasts."""
        return self.until_ms == NEVER


class Outages:
    """The outages of a partition's sources, as far back as matters."""

    def __init__(self, found: tuple[Outage, ...] = ()) -> None:
        self.found = found
        """In the order in which they began in the log."""

    def __bool__(self) -> bool:
        return bool(self.found)

    def stop(self, source: str, at_ms: int, watched: bool) -> Outage | None:
        """A source stopped; the outage that has begun, None where it is known to be stopped.

        It begins no earlier than the last one of the source ended: each has an instant of its own.
        """
        if source in self.stopped():
            return None
        ended_ms = [each.until_ms for each in self.found if each.source == source]
        begun = Outage(source, max([at_ms, *ended_ms]), watched=watched)
        self.found = (*self.found, begun)
        return begun

    def run(self, source: str, at_ms: int) -> Outage | None:
        """A source runs again; the outage that has ended, None where there was none."""
        for each in self.found:
            if each.source == source and each.is_open:
                ended = Outage(source, each.from_ms, max(at_ms, each.from_ms + 1))
                self.found = (*(other for other in self.found if other is not each), ended)
                return ended
        return None

    def stopped(self) -> list[str]:
        """The sources that are stopped."""
        return [each.source for each in self.found if each.is_open]

    def forget(self, clock_ms: int) -> None:
        """Forget what no account need know any more that has been brought up to the clock."""
        before_ms = clock_ms - _KEPT_MS
        if any(each.until_ms < before_ms for each in self.found):
            self.found = tuple(each for each in self.found if each.until_ms >= before_ms)

    def look_at(self, account: Account, at_ms: int) -> None:
        """Note in an account what is known of its sources at an instant of its today."""
        sources, calendar = account.sources, account.calendar
        today = calendar.day
        spans = self._spans(sources.known()) if self.found else []
        if spans:
            for day in range(today - _BACK_DAYS, today + 1):
                start_ms = day_start(day, calendar.timezone)
                end_ms = min(day_start(day + 1, calendar.timezone), at_ms)
                if any(since < end_ms and start_ms < until for since, until in spans):
                    sources.miss(day, today)
        is_stopped = any(since <= at_ms < until for since, until in spans)
        sources.frozen = is_stopped or sources.missed_most(today)

    def _spans(self, keys: list[int]) -> list[_Span]:
        """When all of these were stopped together."""
        common: list[_Span] = [(0, NEVER)] if keys else []
        for key in keys:
            mine = [(e.from_ms, e.until_ms) for e in self.found if source_key(e.source) == key]
            common = [
                (max(a, c), min(b, d)) for a, b in common for c, d in mine if max(a, c) < min(b, d)
            ]
        return common


class _AsTheyWere(Outages):
    def look_at(self, account: Account, at_ms: int) -> None:
        """Leave in the account what it says."""


AS_THEY_WERE: Final = _AsTheyWere()
"""For who looks at an account, without its partition."""


class Pipeline:
    """Takes what is said of sources, by one policy."""

    def __init__(self, policy: Policy, time: Timekeeper) -> None:
        self._policy = policy
        self._time = time

    def take(
        self, state: PartitionState, value: bytes, offset: int, latest_ms: int, fx: Effects
    ) -> bool:
        """Take a control record; False where it cannot be read, or is of the future."""
        said = read_source(value)
        if said is None or said.ts > latest_ms:
            return False
        # What was due before belongs to what was known before.
        self._time.work_off(state, fx, limit=None)
        clock_ms = state.clock_ms
        at_ms = said.ts if clock_ms is None else clock_ms
        # Who says it has a clock of their own, and it holds at once.
        since_ms = min(said.ts, at_ms)
        if said.state == "stopped":
            changed = state.outages.stop(said.source, since_ms, said.watched)
        else:
            changed = state.outages.run(said.source, since_ms)
        if changed is None:
            return True
        fx.counts["sources"] += 1
        # Who reads the log again has said it before.
        if not state.partition and offset >= state.settled:
            policy = self._policy
            fx.alerts.append(
                source_alert(
                    said.source,
                    changed.from_ms,
                    None if changed.is_open else changed.until_ms,
                    at_ms=at_ms,
                    play=policy.plays.get(SOURCE_STOPPED, ""),
                    config_version=policy.version,
                    historical=state.historical,
                )
            )
        if clock_ms is not None:
            key, now_ms = source_key(said.source), clock_ms
            if not changed.is_open:
                now_ms = max(clock_ms, changed.until_ms)
            for account in _ahead_of_none(state, offset):
                if key in account.sources.known():
                    self._time.look_again(state, account, now_ms, fx)
        return True


def _ahead_of_none(state: PartitionState, offset: int) -> Iterator[Account]:
    """The accounts that do not hold more of the log than has been read."""
    for account_id in sorted(state.ids()):
        account = state.account(account_id)
        if account.page.guard <= offset:
            yield account
