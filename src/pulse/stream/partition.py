"""One partition that this worker has: records in, alerts and state out.

The order of writes, each acknowledged before the next:

1. what the records caused: alerts, dead letters, misplaced events (`Outbox`, at once)
2. the pages of state that have waited for longest
3. the manifest
4. the commit (by the worker, for all partitions together)
5. tombstones for what the manifest does not need

Another order loses something: state before alerts would lose the alerts of a crash between them,
since the state's offset guard skips what caused them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pulse.alerting.everybody.fleet import ACCOUNTS_HEADER
from pulse.engine import Columns, DeadLetter, Effects, Engine, Page, PartitionState, fleet
from pulse.engine.columns import FORWARDED_HEADER
from pulse.history.days import moved
from pulse.producer import Outgoing, Producer
from pulse.stream.kafka.outbox import Outbox, PartitionLostError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence

    from pulse.config import Config
    from pulse.history import Days
    from pulse.metrics import WorkerMetrics
    from pulse.stream.state.checkpoint import Checkpoint, Written
    from pulse.stream.state.pages import ChangelogRecord


CHUNK_BYTES = 512 << 10
"""Pages are packed, sent and acknowledged in chunks of about this size; records flow between."""

MANIFEST_S = 300.0
"""A manifest is written this often at least: `pulse export` shows the accounts as of it."""

MAX_DEAD_LETTER_BYTES = 900_000
"""A dead letter must fit the topic, whatever the events topic permits. The rest of a larger record
stands where it came from, which the letter names."""


def _pass(step: str, partition: int | None) -> None:
    """Nobody looks."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all partitions of a worker share. `partitions` is the number of the events topic.

    `at` is called with the name of a step that has been reached, and the partition whose step it
    is: it is how a test stops or ends a worker at that point.
    """

    config: Config
    engine: Engine
    producer: Producer
    metrics: WorkerMetrics
    partitions: int
    at: Callable[[str, int | None], None] = _pass
    days: Days | None = None
    """Where the engine leaves the day starts that it evaluates; None: no history is written."""


class Bound(NamedTuple):
    """What may stay unwritten: so much work of the engine, so old at most."""

    work_s: float
    age_s: float


EVERYTHING = Bound(0.0, 0.0)


class Partition:
    """One partition of the events topic while this worker has it."""

    def __init__(
        self, number: int, state: PartitionState, checkpoint: Checkpoint, around: Surroundings
    ) -> None:
        self.number = number
        self.state = state
        self.checkpoint = checkpoint
        self.work_s = 0.0
        """Processor time that applying has taken so far."""
        self.committed: int | None = None
        """The offset that the group took last."""
        self.gap_at: int | None = None
        """The position at which records were missing and were asked for again."""
        self._closed = False
        self._around = around
        self._outbox = Outbox(around.producer)
        self._flushing = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None
        self._handed_on = False
        """Whether dead letters or misplaced events left since the last manifest."""

    def apply(self, columns: Columns) -> None:
        """Apply records in log order; what they cause is on its way."""
        around = self._around
        started_s = time.thread_time()
        gone_before = set(self.state.gone) if self.state.gone else ()
        effects = around.engine.apply_columns(self.state, columns)
        self.work_s += time.thread_time() - started_s
        around.metrics.count(effects.counts)
        moves = Counter((move.segment, move.before, move.after) for move in effects.moves)
        for (segment, before, after), times in moves.items():
            around.metrics.moved(segment, before, after, times)
        self._handed_on |= bool(effects.dead_letters or effects.misplaced or effects.summaries)
        self._outbox.add(self._outgoing(effects))
        if around.days is not None:
            gone = self.state.gone.difference(gone_before) if self.state.gone else ()
            self._outbox.add(self._history(around.days, gone))

    def is_closed(self) -> bool:
        """Whether the partition is somebody else's."""
        return self._closed

    def close(self) -> None:
        """The partition is somebody else's from now on: write nothing more."""
        self._closed = True
        self._outbox.close()
        if self._writing is not None:
            self._writing.cancel()

    async def has_room(self) -> None:
        """Wait while too much is on its way to the broker."""
        await self._outbox.has_room()

    @property
    def written(self) -> int:
        """The offset that may be committed: where reading begins again by the last manifest."""
        return self.checkpoint.written.context.offset

    @property
    def backlog_s(self) -> float:
        """The work that a crash now would have to be done again."""
        return self.work_s - self.checkpoint.written.work_s

    async def take_up(self) -> None:
        """Write the first manifest of this generation: from now on it is the one that holds."""
        await self._guarded(self._write_manifest())

    async def flush(self, bound: Bound = EVERYTHING, until_s: float = math.inf) -> None:
        """Write what has waited for longer than `bound`, and everything where no record came.

        What is applied meanwhile belongs to the next flush. Past `until_s` (monotonic) no further
        page is begun.
        """
        async with self._flushing:
            if self._closed:
                return
            checkpoint, former = self.checkpoint, self.checkpoint.last.context.offset
            mark = checkpoint.mark(self.work_s, time.monotonic())
            if mark.context.offset == former:
                bound = EVERYTHING
            limits = mark.work_s - bound.work_s, mark.at_s - bound.age_s
            due = checkpoint.due(*limits)
            handed_on, self._handed_on = self._handed_on, False
            stale = mark.at_s - checkpoint.told.at_s >= MANIFEST_S and (
                checkpoint.told.context.offset < mark.context.offset
            )
            if due or handed_on or stale or checkpoint.is_late(*limits):
                await self._guarded(self._write(due, until_s))

    async def delete(self, records: Sequence[ChangelogRecord]) -> None:
        """Write `checkpoint.deletions()`, which were asked for before a commit was taken."""
        async with self._flushing:
            if records and not self._closed:
                await self._guarded(self._send(records))

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """Do what is cancelled when the partition is given up."""
        self._writing = asyncio.create_task(work, name="write")
        try:
            await self._writing
        except (asyncio.CancelledError, PartitionLostError):
            if not self.is_closed():
                raise

    async def _write(self, due: Iterable[Page], until_s: float) -> None:
        """Everything in its order."""
        around = self._around
        await self._outbox.drained()
        around.at("effects_acknowledged", self.number)
        chunk: list[Written] = []
        size = 0
        for page in due:
            if time.monotonic() > until_s:
                break
            chunk.append(self.checkpoint.pack(page))
            size += page.size_bytes
            if size >= CHUNK_BYTES:
                await self._write_chunk(chunk)
                chunk, size = [], 0
        if chunk:
            await self._write_chunk(chunk)
        around.at("pages_written", self.number)
        await self._write_manifest()

    async def _write_chunk(self, chunk: list[Written]) -> None:
        # A page holds what was applied meanwhile, so what that caused must leave before it.
        await self._outbox.drained()
        await self._send([record for page in chunk for record in page.records])
        self.checkpoint.wrote(chunk)
        if superseded := self.checkpoint.superseded():
            await self._send(superseded)
        self._around.at("pages_chunk_written", self.number)

    async def _write_manifest(self) -> None:
        around = self._around
        record = self.checkpoint.manifest(around.partitions, around.config.version)
        await self._send([record])
        self.checkpoint.wrote_manifest()
        around.at("manifest_written", self.number)

    async def _send(self, records: Iterable[ChangelogRecord]) -> None:
        topic = self._around.config.kafka.topics.changelog
        outgoing = [Outgoing(topic, self.number, key, value) for key, value in records]
        await self._around.producer.send(outgoing)
        sizes = (len(each.key or b"") + len(each.value or b"") for each in outgoing)
        self._around.metrics.state_bytes.inc(sum(sizes))

    def _history(self, days: Days, gone: Iterable[str]) -> list[Outgoing]:
        """The days that have begun, then which accounts are not there any more, and why."""
        topic = self._around.config.kafka.topics.history
        out = [Outgoing(topic, self.number, key, value) for key, value in days.take()]
        for account_id in gone:
            tombstone = self.state.tombstone_of(account_id)
            to = "" if tombstone is None else tombstone.to
            value = moved(account_id, to) if to else None
            out.append(Outgoing(topic, self.number, account_id.encode(), value))
        return out

    def _outgoing(self, effects: Effects) -> list[Outgoing]:
        topics, metrics = self._around.config.kafka.topics, self._around.metrics
        out = []
        # Who sends them must know how many of how many that is; it is no part of an alert.
        known = _headers({ACCOUNTS_HEADER: str(self.state.in_use)} if effects.alerts else {})
        for alert in effects.alerts:
            metrics.crossings.labels(alert.reason, alert.status).inc()
            value = alert.to_json()
            key = alert.account_id.encode()
            out.append(Outgoing(topics.alerts, self.number, key, value, known))
        origin = f"{topics.events}/{self.number}"
        dead_letters = list(effects.dead_letters)
        for misplaced in effects.misplaced:
            raw = misplaced.raw
            if len(raw) > MAX_DEAD_LETTER_BYTES:
                detail = "too large to be handed on with its origin"
                dead_letters.append(
                    DeadLetter(misplaced.offset, misplaced.line, raw, "misplaced", detail)
                )
                continue
            key = misplaced.account_id.encode()
            target = self._around.engine.partition_of(misplaced.account_id)
            headers = _headers({FORWARDED_HEADER: f"{origin}/{misplaced.offset}/{misplaced.line}"})
            headers += misplaced.headers
            out.append(Outgoing(topics.events, target, key, raw, headers))
        for summary in effects.summaries:
            policy, partitions = self._around.engine.policy, self._around.partitions
            for target, record in fleet.onward(summary, self.number, partitions, policy):
                out.append(Outgoing(topics.events, target, None, record.value, record.headers))
            told = fleet.told(summary, self.number, partitions, policy)
            if told is not None:
                key = told.account_id.encode()
                out.append(Outgoing(topics.alerts, self.number, key, told.to_json()))
        for dead in dead_letters:
            metrics.dead_letters.labels(dead.reason).inc()
            texts = {
                "pulse-reason": dead.reason,
                "pulse-detail": dead.detail,
                "pulse-origin": f"{origin}/{dead.offset}/{dead.line}",
            }
            if len(dead.raw) > MAX_DEAD_LETTER_BYTES:
                texts["pulse-cut-from-bytes"] = str(len(dead.raw))
            raw = dead.raw[:MAX_DEAD_LETTER_BYTES]
            out.append(Outgoing(topics.deadletter, None, None, raw, _headers(texts)))
        return out


def _headers(texts: dict[str, str]) -> list[tuple[str, bytes]]:
    return [(name, text.encode()) for name, text in texts.items()]


def empty_state(config: Config, number: int) -> PartitionState:
    """The state of a partition of which nothing is known yet."""
    worker = config.worker
    return PartitionState(
        number,
        page_accounts=worker.page_accounts,
        page_bytes=worker.page_bytes,
        live_accounts=-(-worker.live_accounts // config.kafka.partitions),
    )
