"""The engine on a log, without Kafka: what comes out, in a form that can be compared."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pulse.engine import Effects, Engine, PartitionState
from pulse.engine.control import source
from pulse.model import parse_ts
from pulse.testing.histories import Log

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulse.alerting.alert import AlertRecord
    from pulse.engine import DeadLetter, LogRecord, Misplaced, Policy
    from pulse.model import Alert


@dataclass(slots=True)
class Outcome:
    """All effects so far."""

    alerts: list[Alert] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    misplaced: list[Misplaced] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def take(self, effects: Effects) -> None:
        """Add what a batch caused."""
        self.alerts += map(checked, effects.alerts)
        self.dead_letters += effects.dead_letters
        self.misplaced += effects.misplaced
        self.counts.update(effects.counts)

    def alerts_in_order(self) -> list[Alert]:
        """As `pulse replay` writes them: by the instant each was due and by account."""
        return sorted(self.alerts, key=lambda alert: (alert.at, alert.account_id))


def checked(record: AlertRecord) -> Alert:
    """The alert as those who read it have it, who would write the same bytes."""
    alert = record.model()
    assert alert.to_json() == record.to_json()
    return alert


class Play:
    """One partition whose log is written and applied at once.

    >>> from pulse.config import Config
    >>> from pulse.config.policy import policy
    >>> from pulse.testing.histories import usage
    >>> play = Play(policy(Config()))
    >>> play.add(usage("e1", "acme", "2024-01-01T10:00:00Z"))
    >>> play.tick("2024-01-03T00:00:00Z")
    >>> play.status("acme")["measures"]["recency_days"]
    1.583
    """

    def __init__(self, policy: Policy, **settings: Any) -> None:
        self.engine = Engine(policy, **settings)
        self.state = PartitionState()
        self.log = Log()
        self.outcome = Outcome()

    def apply(self, records: Iterable[LogRecord]) -> None:
        """Apply records that stand in the log already."""
        self.outcome.take(self.engine.apply(self.state, records))

    def add(self, *lines: bytes) -> None:
        """Write and apply one record that holds these lines."""
        self.log.add(b"\n".join(lines))
        self.apply(self.log.records[-1:])

    def tick(self, at: int | str) -> None:
        """Write and apply a tick."""
        self.log.tick(at)
        self.apply(self.log.records[-1:])

    def control(self, kind: str) -> None:
        """Write and apply another control record."""
        self.log.control(kind)
        self.apply(self.log.records[-1:])

    def source(self, name: str, state: Literal["stopped", "running"], at: int | str) -> None:
        """Write and apply that a source stopped, or runs again."""
        at_ms = at if isinstance(at, int) else parse_ts(at)
        self.log.control("source", source(name, state, at_ms).value)
        self.apply(self.log.records[-1:])

    def settle(self) -> None:
        """Work off what ticks left for later."""
        self.outcome.alerts += map(checked, self.engine.settle(self.state))

    def status(self, account_id: str) -> dict[str, Any]:
        """An account as of the clock."""
        clock_ms = self.state.clock_ms
        if clock_ms is None:
            raise AssertionError("no tick yet, so it is no time")
        return self.engine.status(self.state.account(account_id), clock_ms, self.state.lines)

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Every account as of the clock."""
        return {account_id: self.status(account_id) for account_id in sorted(self.state.ids())}
