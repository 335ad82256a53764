"""A few partitions without Kafka: what one hands on is appended to the log of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulse.engine import Engine, PartitionState
from pulse.engine.columns import FORWARDED_HEADER
from pulse.engine.control import rename
from pulse.placement import partition_of
from pulse.testing.histories import Log
from pulse.testing.playing import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulse.engine import Misplaced, Policy


def forwarded(misplaced: Misplaced, partition: int) -> tuple[bytes, list[tuple[str, bytes]]]:
    """What a worker writes of a record that is handed on from a partition: value and headers."""
    origin = f"events/{partition}/{misplaced.offset}/{misplaced.line}"
    return misplaced.raw, [(FORWARDED_HEADER, origin.encode()), *misplaced.headers]


class Partitions:
    """Partitions whose logs are written and applied at once, with all that follows.

    >>> from pulse.config import Config
    >>> from pulse.config.policy import policy
    >>> from pulse.testing.histories import usage
    >>> partitions = Partitions(policy(Config()), 4)
    >>> partitions.tick(1_704_067_200_000)
    >>> partitions.add("acme", usage("e1", "acme", 1_704_067_200_000))
    >>> partitions.rename("acme", "globex")
    >>> sorted(partitions.statuses())
    ['globex']
    """

    def __init__(
        self, policy: Policy, number: int, place: Callable[[str], int] | None = None
    ) -> None:
        self.place = place or (lambda account_id: partition_of(account_id, number))
        self.engine = Engine(policy, self.place)
        self.states = [PartitionState(n) for n in range(number)]
        self.logs = [Log() for _ in range(number)]
        self.outcome = Outcome()

    def add(self, account_id: str, *lines: bytes) -> None:
        """Write a record of an account's lines to its partition, and apply it."""
        partition = self.place(account_id)
        self.logs[partition].add(b"\n".join(lines))
        self.apply()

    def tick(self, at: int | str) -> None:
        """Write a tick everywhere, and apply it."""
        for log in self.logs:
            log.tick(at)
        self.apply()

    def control(self, account_id: str, kind: str, value: bytes) -> None:
        """Write a control record to the partition of an account, and apply it."""
        self.logs[self.place(account_id)].control(kind, value)
        self.apply()

    def rename(self, old: str, new: str) -> None:
        """Let an account go on as another one."""
        self.control(old, "rename", rename(old, new, 0).value)

    def apply(self) -> None:
        """Apply everything that is not applied yet, and what follows from it."""
        behind = True
        while behind:
            behind = False
            for partition, (state, log) in enumerate(zip(self.states, self.logs, strict=True)):
                records = log.records[state.position :]
                if records:
                    behind = True
                    self.take(partition, records)

    def take(self, partition: int, records: Sequence[Any]) -> None:
        """Apply records of a partition, and write where it belongs what they hand on."""
        effects = self.engine.apply(self.states[partition], records)
        self.outcome.take(effects)
        for each in effects.misplaced:
            value, headers = forwarded(each, partition)
            self.logs[self.place(each.account_id)].add(value, *headers)

    def state_of(self, account_id: str) -> PartitionState:
        """The state of the partition of an account."""
        return self.states[self.place(account_id)]

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Every account as of the clock of its partition."""
        return {
            name: self.engine.status(state.account(name), state.clock_ms or 0, state.lines)
            for state in self.states
            for name in sorted(state.ids())
        }
