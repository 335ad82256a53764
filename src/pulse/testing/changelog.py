"""Those who write a partition's state, without Kafka: one step at a time, in any order.

outside = Outside(log.records)
owner = Owner(policy, outside)
owner.work(20)
owner.write()               # all of a flush; `begin_flush` and `step` are its single writes
successor = Owner(policy, outside)      # the first one goes on as a zombie, if it is let
assert successor.finish() == ...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pulse.engine import Engine, PartitionState
from pulse.stream.state.checkpoint import Checkpoint
from pulse.stream.state.pages import generation_after
from pulse.stream.state.snapshot import Snapshot
from pulse.testing.histories import LogEntry
from pulse.testing.partitions import forwarded
from pulse.testing.playing import checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pulse.engine import Effects, Policy
    from pulse.engine.fleet import Summary
    from pulse.model import Alert
    from pulse.stream.state.pages import ChangelogRecord

PARTITIONS = 4


@dataclass
class Outside:
    """What is outside the workers: the log, the changelog, what was caused, who is the owner."""

    log: list[LogEntry]
    changelog: list[ChangelogRecord] = field(default_factory=list)
    alerts: dict[tuple[str, str], Alert] = field(default_factory=dict)
    letters: set[tuple[int, int, str]] = field(default_factory=set)
    """(offset, line, reason) of dead letters and misplaced events."""
    summaries: dict[str, Summary] = field(default_factory=dict)
    """What was handed on to the next partition, by its version."""
    generation: int = 0
    """Of the consumer group: each owner has one of its own."""
    committed: int = 0

    def take(self, effects: Effects) -> None:
        """What an owner caused. An alert may come again, but only the same."""
        for alert in map(checked, effects.alerts):
            assert self.alerts.setdefault((alert.id, alert.status), alert) == alert
        for summary in effects.summaries:
            assert self.summaries.setdefault(summary.version, summary) == summary
        self.letters |= {(each.offset, each.line, each.reason) for each in effects.dead_letters}
        for each in effects.misplaced:
            if each.headers:  # of an account that was renamed, to one that is here as well
                value, headers = forwarded(each, 0)
                self.log.append(LogEntry(len(self.log), value, headers))
            else:
                self.letters.add((each.offset, each.line, "misplaced"))

    def snapshot(self) -> Snapshot:
        """The changelog, read to its end."""
        snapshot = Snapshot()
        for key, value in self.changelog:
            snapshot.take(key, value)
        return snapshot


class Owner:
    """One taking-up of the partition: owner until there is a later one, zombie from then on.

    `kept_back` is how many records' changes a flush may leave unwritten.
    """

    def __init__(
        self,
        policy: Policy,
        outside: Outside,
        *,
        kept_back: int = 0,
        place: Callable[[str], int] | None = None,
        **sizes: int,
    ) -> None:
        self.outside = outside
        self.kept_back = kept_back
        self.engine = Engine(policy, place or (lambda _: 0), least_slice=0)
        self.state = PartitionState(0, **sizes)
        outside.generation += 1
        self.group_generation = outside.generation
        snapshot = outside.snapshot()
        manifest = snapshot.manifest(PARTITIONS)
        restored = snapshot.restore(self.engine, self.state, manifest) if manifest else None
        self.behind = restored.behind if restored else 0
        generation = generation_after(snapshot.generation, self.group_generation)
        self.checkpoint = Checkpoint(self.state, generation, restored)
        self._caused: list[Effects] = []
        self._steps: Iterator[None] | None = self._take_up()

    def work(self, records: int) -> None:
        """Apply some records; what they cause is not acknowledged yet."""
        start = self.state.position
        batch = self.outside.log[start : start + records]
        self._caused.append(self.engine.apply(self.state, batch))

    def write(self) -> None:
        """Finish what is under way, and flush."""
        while self.step():
            pass
        self.begin_flush()
        while self.step():
            pass

    def begin_flush(self) -> None:
        """Begin a flush, if none is under way."""
        if self._steps is None:
            self._steps = self._flush()

    def step(self) -> bool:
        """Do one write of what is under way; False when there is none left."""
        if self._steps is not None:
            try:
                next(self._steps)
            except StopIteration:
                self._steps = None
        return self._steps is not None

    def finish(self) -> dict[str, dict[str, Any]]:
        """Apply the rest; every account as of the clock."""
        while True:
            self.work(len(self.outside.log))
            self._drain()
            if self.state.position >= len(self.outside.log):
                break
        for alert in map(checked, self.engine.settle(self.state)):
            assert self.outside.alerts.setdefault((alert.id, alert.status), alert) == alert
        clock_ms = self.state.clock_ms or 0
        return {
            name: self.engine.status(self.state.account(name), clock_ms, self.state.lines)
            for name in sorted(self.state.ids())
        }

    def packed(self) -> dict[str, bytes]:
        """Every account as a page holds it."""
        return {name: self.state.packed(name) for name in sorted(self.state.ids())}

    def _take_up(self) -> Iterator[None]:
        yield from self._write_manifest()

    def _flush(self) -> Iterator[None]:
        checkpoint = self.checkpoint
        mark = checkpoint.mark(self.state.position, 0.0)
        limit = mark.work_s - self.kept_back
        due = checkpoint.due(limit, -1.0)
        self._drain()
        for page in due:
            written = checkpoint.pack(page)
            self._drain()
            yield from self._append(written.records)
            checkpoint.wrote([written])
            yield from self._append(checkpoint.superseded())
        if due or checkpoint.is_late(limit, -1.0):
            yield from self._write_manifest()
        if self.group_generation == self.outside.generation:
            self.outside.committed = checkpoint.written.context.offset
            yield
            yield from self._append(checkpoint.deletions())

    def _write_manifest(self) -> Iterator[None]:
        yield from self._append([self.checkpoint.manifest(PARTITIONS, "0" * 12)])
        self.checkpoint.wrote_manifest()

    def _append(self, records: Iterable[ChangelogRecord]) -> Iterator[None]:
        for record in records:
            self.outside.changelog.append(record)
            yield

    def _drain(self) -> None:
        for effects in self._caused:
            self.outside.take(effects)
        self._caused = []
