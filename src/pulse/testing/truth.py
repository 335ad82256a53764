"""What must have come of a log: the engine, alone, on the records as they stand in the topic.

    truth = Truth.of(system)
    truth.assert_holds(system)

Every partition's records are applied in one go, in order: no worker, no restart, no page. Whatever
was done to the workers, the accounts in their changelog must be the same to the byte, and so must
the alerts, the dead letters and what was handed on (where each may be there several times).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from pulse.config.policy import policy
from pulse.engine import Engine, fleet
from pulse.engine.columns import FORWARDED_HEADER
from pulse.placement import partition_of
from pulse.stream.partition import empty_state

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pulse.testing.system import System

MOST_SHOWN = 5
SHOWN_BEFORE, SHOWN_AFTER = 150, 250


@dataclass
class Truth:
    """What the engine makes of a log."""

    accounts: list[bytes] = field(default_factory=list)
    """As lines of `pulse replay --accounts-out`."""
    packed: dict[str, bytes] = field(default_factory=dict)
    """Every account as a page of state holds it."""
    alerts: list[dict[str, Any]] = field(default_factory=list)
    dead_letters: set[tuple[str, str]] = field(default_factory=set)
    """Where each stood, and the reason."""
    handed_on: set[str] = field(default_factory=set)
    """Where events of another partition stood."""
    counts: Counter[str] = field(default_factory=Counter)
    left_due: int = 0
    """Alerts that no tick of the log has brought yet."""
    forwarded: set[str] = field(default_factory=set)
    """Where the events that were handed on came from, as the log says."""

    @classmethod
    def of(cls, system: System) -> Truth:
        """Read the events topic of a system and apply it."""
        truth = cls()
        by_partition: dict[int, list[Any]] = defaultdict(list)
        for record in system.read("events"):
            by_partition[record.partition].append(record)
            for name, value in record.headers:
                if name == FORWARDED_HEADER:
                    truth.forwarded.add(value.decode())
        config = system.config
        engine = Engine(policy(config), lambda name: partition_of(name, system.partitions))
        statuses = []
        for number, records in sorted(by_partition.items()):
            state = empty_state(config, number)
            effects = engine.apply(state, records)
            origin = f"{config.kafka.topics.events}/{number}"
            truth.alerts += [msgspec.json.decode(alert.to_json()) for alert in effects.alerts]
            for summary in effects.summaries:
                told = fleet.told(summary, number, system.partitions, engine.policy)
                if told is not None:
                    truth.alerts.append(msgspec.json.decode(told.to_json()))
            truth.dead_letters |= {
                (f"{origin}/{dead.offset}/{dead.line}", dead.reason)
                for dead in effects.dead_letters
            }
            truth.handed_on |= {f"{origin}/{lost.offset}/{lost.line}" for lost in effects.misplaced}
            truth.counts += effects.counts
            truth.left_due += len(engine.settle(state))
            truth.packed |= {name: state.packed(name) for name in state.ids()}
            if state.clock_ms is not None:
                at_ms, lines = state.clock_ms, state.lines
                statuses += [engine.status(state.account(i), at_ms, lines) for i in state.ids()]
        statuses.sort(key=lambda status: str(status["account_id"]))
        truth.accounts = [msgspec.json.encode(status) for status in statuses]
        return truth

    def events_counted(self) -> dict[str, float]:
        """Weighted events of each account over 84 days."""
        statuses = [msgspec.json.decode(line) for line in self.accounts]
        return {each["account_id"]: each["measures"]["events"]["84d"] for each in statuses}

    def assert_holds(self, system: System) -> None:
        """Raise `AssertionError` with everything that is not as it must be."""
        differences = self.differences(system)
        if differences:
            raise AssertionError("\n".join(["not as the log says:", *differences]))

    def differences(self, system: System) -> list[str]:
        """What is not as it must be, in words; a few examples of each kind."""
        letters = {
            (headers["pulse-origin"].decode(), headers["pulse-reason"].decode())
            for headers in (dict(record.headers) for record in system.read("deadletter"))
        }
        return [
            *unlike("account", _by_id(self.accounts), _by_id(system.accounts())),
            *unlike("packed account", self.packed, system.packed()),
            *unlike("alert", _alerts_by_key(self.alerts), _alerts_by_key(system.alerts())),
            *unlike("dead letter", dict(self.dead_letters), dict(letters)),
            *unlike(
                "event of another partition",
                dict.fromkeys(self.handed_on),
                dict.fromkeys(self.forwarded),
            ),
        ]


def _by_id(lines: Iterable[bytes]) -> dict[str, bytes]:
    return {msgspec.json.decode(line)["account_id"]: line for line in lines}


def _alerts_by_key(alerts: Iterable[dict[str, Any]]) -> dict[str, list[bytes]]:
    """The different contents with which each state of an alert occurs; there must be one."""
    found: dict[str, set[bytes]] = defaultdict(set)
    for alert in alerts:
        key = f"{alert['account_id']} {alert['reason']} {alert['status']} {alert['id']}"
        found[key].add(msgspec.json.encode(alert))
    return {key: sorted(contents) for key, contents in found.items()}


def unlike(what: str, right: dict[Any, Any], found: dict[Any, Any]) -> list[str]:
    """What is missing, too much or otherwise, in words; a few examples of each kind."""
    missing = [f"{what} {key} is missing" for key in right if key not in found]
    extra = [f"{what} {key} should not be" for key in found if key not in right]
    other = [
        f"{what} {key} is {_where_unlike(found[key], value)} and should be "
        + _where_unlike(value, found[key])
        for key, value in right.items()
        if key in found and found[key] != value
    ]
    shown = []
    for kind in (missing, extra, other):
        shown += kind[:MOST_SHOWN]
        if len(kind) > MOST_SHOWN:
            shown.append(f"… and {len(kind) - MOST_SHOWN} more of this kind")
    return shown


def _where_unlike(value: Any, other: Any) -> str:
    """A value, as far as it has something to do with where it differs from the other."""
    text, beside = repr(value), repr(other)
    at = next((n for n, (a, b) in enumerate(zip(text, beside, strict=False)) if a != b), 0)
    first = max(at - SHOWN_BEFORE, 0)
    return f"{'…' if first else ''}{text[first : at + SHOWN_AFTER]}"
