"""One partition that this worker has: records in, alerts and state out.

The order of writes, each acknowledged before the next:

1. what the records caused: alerts, dead letters, misplaced events (`Outbox`, at once)
2. the pages of state that changed
3. the manifest
4. the commit (by the worker, for all partitions together)

Another order loses something: state before alerts would lose the alerts of a crash between them,
since the state's offset guard skips what caused them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pulse.engine import Columns, DeadLetter, Effects, Engine, PartitionState
from pulse.engine.engine import FORWARDED_HEADER
from pulse.stream.outbox import Outbox, Outgoing, PartitionLostError, Producer
from pulse.stream.pages import write_manifest, write_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pulse.config import Config
    from pulse.metrics import WorkerMetrics


CHUNK_BYTES = 1 << 20
"""Pages are sent and acknowledged in chunks of about this size."""

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


class Partition:
    """One partition of the events topic while this worker has it."""

    def __init__(self, number: int, state: PartitionState, around: Surroundings) -> None:
        self.number = number
        self.state = state
        self._closed = False
        self.gap_at: int | None = None
        """The position at which records were missing and were asked for again."""
        self.flushed = state.position
        """Input offset (exclusive) up to which everything is written."""
        self._around = around
        self._outbox = Outbox(around.producer)
        self._flushing = asyncio.Lock()
        self._writing: asyncio.Task[None] | None = None
        self.has_manifest = state.settled > 0
        """Whether the changelog knows the partition; before that nothing may be committed."""

    def apply(self, columns: Columns) -> None:
        """Apply records in log order; what they cause is on its way."""
        around = self._around
        effects = around.engine.apply_columns(self.state, columns)
        around.metrics.count(effects.counts)
        self._outbox.add(self._outgoing(effects))

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

    async def flush(self) -> int | None:
        """Write what has changed; the offset that may be committed, None if there is none.

        What is applied meanwhile belongs to the next flush.
        """
        async with self._flushing:
            state, around = self.state, self._around
            position = state.position
            if self.is_closed() or position == self.flushed:
                return None
            topic = around.config.kafka.topics.changelog
            pages = [Outgoing(topic, self.number, key, value) for key, value in write_pages(state)]
            key, value = write_manifest(state, around.partitions, around.config.version, 0)
            manifest = Outgoing(topic, self.number, key, value)
            self._writing = asyncio.create_task(self._write(pages, manifest), name="write")
            try:
                await self._writing
            except (asyncio.CancelledError, PartitionLostError):
                if not self.is_closed():
                    raise
                return None
            self.has_manifest = True
            self.flushed = position
            return position

    async def _write(self, pages: list[Outgoing], manifest: Outgoing) -> None:
        """Everything in its order; cancelled when the partition is given up."""
        around = self._around
        await self._outbox.drained()
        around.at("effects_acknowledged", self.number)
        for chunk in _chunks(pages):
            await self._send(chunk)
            around.at("pages_chunk_written", self.number)
        around.at("pages_written", self.number)
        await self._send([manifest])
        around.at("manifest_written", self.number)

    async def _send(self, records: list[Outgoing]) -> None:
        await self._around.producer.send(records)
        self._around.metrics.state_bytes.inc(sum(len(r.value or b"") for r in records))

    def _outgoing(self, effects: Effects) -> list[Outgoing]:
        topics, metrics = self._around.config.kafka.topics, self._around.metrics
        out = []
        for alert in effects.alerts:
            metrics.crossings.labels(alert.reason, alert.status).inc()
            value = alert.to_json()
            out.append(Outgoing(topics.alerts, self.number, alert.account_id.encode(), value))
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
            headers = _headers({FORWARDED_HEADER: f"{origin}/{misplaced.offset}"})
            out.append(Outgoing(topics.events, target, key, raw, headers))
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


def _chunks(records: list[Outgoing]) -> Iterator[list[Outgoing]]:
    """The records in their order, in lists of about `CHUNK_BYTES`."""
    chunk: list[Outgoing] = []
    size = 0
    for record in records:
        chunk.append(record)
        size += len(record.value or b"")
        if size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


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
