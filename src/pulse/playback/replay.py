"""The script through the engine in this process, without a broker."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulse.engine import Effects, Engine, PartitionState, control
from pulse.playback.lifecycles import Lifecycles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pulse.alerting.alert import AlertRecord
    from pulse.engine import DeadLetter, Policy
    from pulse.engine.evaluate import Observer
    from pulse.playback.lines import FileLine
    from pulse.playback.script import Script

BATCH: Final = 500
"""Records applied at once."""


class Refused(NamedTuple):
    """A line that was not counted, and why."""

    line: FileLine
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class _Record:
    """A record of the log that a replay makes up."""

    offset: int
    value: bytes
    line: FileLine | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int | None = None


@dataclass(slots=True)
class Tally:
    """What a replay counted. `counts` has the engine's own counters."""

    counts: Counter[str] = field(default_factory=Counter)
    alerts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By reason and status."""
    refused: Counter[str] = field(default_factory=Counter)
    """Dead letters by reason."""
    first_refused: dict[str, Refused] = field(default_factory=dict)
    """The first dead letter of each reason."""

    @property
    def events(self) -> int:
        """Events and profiles that the engine took, also those it then left out as duplicates."""
        return self.counts["events"] - self.refused.total()


class Replay:
    """One run of the engine over a script. What comes out is a function of lines and policy.

    `observe` is told of every day start that is evaluated.
    """

    def __init__(self, policy: Policy, observe: Observer | None = None) -> None:
        self.tally = Tally()
        self.lifecycles = Lifecycles()
        self._engine = Engine(policy, observe=observe)
        self._state = PartitionState()
        self._alerts: list[tuple[int, str, bytes]] = []

    @property
    def as_of_ms(self) -> int | None:
        """Where the clock stands; None before the first event."""
        return self._state.clock_ms

    def run(
        self,
        script: Script,
        *,
        refused: Callable[[Refused], None] | None = None,
        progress: Callable[[], None] | None = None,
    ) -> None:
        """Play all of the script. `refused` gets each bad line, `progress` is called now and then.

        Raises `PulseError` where a file cannot be read to its end.
        """
        batch: list[_Record] = []
        offset = 0
        for cue in script:
            if cue.tick_ms is not None:
                tick = control.tick(cue.tick_ms)
                batch.append(_Record(offset, tick.value, None, tick.headers))
                offset += 1
            if cue.line is not None:
                batch.append(_Record(offset, cue.line.raw, cue.line))
                offset += 1
            if len(batch) >= BATCH:
                self._apply(batch, refused)
                batch = []
                if progress is not None:
                    progress()
        self._apply(batch, refused)
        self._note_alerts(self._engine.settle(self._state))
        # The engine stamps what a tick found with when it was due, before other alerts it gave.
        self._alerts.sort(key=lambda alert: alert[:2])

    def alerts(self) -> Iterator[bytes]:
        """Each alert as one line of JSON, by the instant it was due and the account's id."""
        return (text for _, _, text in self._alerts)

    def account_ids(self) -> Iterator[str]:
        """The accounts that the script has, ignored ones left out."""
        return iter(self._state.ids())

    def accounts(self) -> Iterator[dict[str, Any]]:
        """Each account's status as of the end, by the account's id."""
        as_of_ms = self.as_of_ms
        if as_of_ms is None:
            return
        for account_id in sorted(self._state.ids()):
            account = self._state.account(account_id)
            yield self._engine.status(account, as_of_ms, self._state.lines)

    def _apply(self, batch: list[_Record], refused: Callable[[Refused], None] | None) -> None:
        effects: Effects = self._engine.apply(self._state, batch)
        self.tally.counts.update(effects.counts)
        self.lifecycles.take(effects.moves)
        self._note_alerts(effects.alerts)
        for letter in effects.dead_letters:
            self._note_refused(_line_of(letter, batch), letter, refused)

    def _note_alerts(self, alerts: list[AlertRecord]) -> None:
        for alert in alerts:
            self.tally.alerts[alert.reason, alert.status] += 1
            self._alerts.append((alert.at, alert.account_id, alert.to_json()))

    def _note_refused(
        self, line: FileLine, letter: DeadLetter, tell: Callable[[Refused], None] | None
    ) -> None:
        refused = Refused(line, letter.reason, letter.detail)
        self.tally.refused[letter.reason] += 1
        self.tally.first_refused.setdefault(letter.reason, refused)
        if tell is not None:
            tell(refused)


def _line_of(letter: DeadLetter, batch: list[_Record]) -> FileLine:
    line = batch[letter.offset - batch[0].offset].line
    if line is None:
        raise AssertionError("the engine refuses lines, not ticks")
    return line
