"""What a worker writes and commits, of all its partitions together."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import TYPE_CHECKING

import structlog
from faust.types import TP

from pulse.stream.partition import EVERYTHING, Bound
from pulse.stream.state.checkpoint import even_share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulse.config import Config
    from pulse.metrics import WorkerMetrics
    from pulse.stream.kafka.transport import Consumer
    from pulse.stream.partition import Partition

log = structlog.get_logger("pulse.worker")

LAST_FLUSH_S = 10.0
"""How long the last flush may take at most, before a partition is given up or the worker ends."""

UNWRITTEN_SHARE = 0.1
"""Of the time for which events are kept: how old what is not written may become."""

COMMIT_S = 5.0
"""How long a commit may take; what was written and not committed is committed with the next."""


class Flusher:
    """Writes what has waited for long enough, and commits how far reading would begin again.

    `partitions` is what the worker has at the moment. `at` is told of `committed`.
    """

    def __init__(
        self,
        config: Config,
        metrics: WorkerMetrics,
        partitions: Mapping[int, Partition],
        consumer: Consumer,
        at: Callable[[str, int | None], None],
    ) -> None:
        self.rounds = 0
        """Flushes that came to their end, committed if there was something to commit."""
        self._worker = config.worker
        self._kept_s = config.kafka.retention_days.events * 86_400
        self._topic = config.kafka.topics.events
        self._metrics = metrics
        self._partitions = partitions
        self._consumer = consumer
        self._at = at
        self._flushed_at_s = time.monotonic()
        self._kafka_away = False

    async def flush(self) -> None:
        """Write and commit what is due."""
        partitions = list(self._partitions.values())
        stood_still_s = time.monotonic() - self._flushed_at_s
        # A process that was stopped, or starved: somebody else may have the partitions.
        doubtful = stood_still_s > self._worker.session_timeout_s / 2
        if partitions and doubtful and not await self._still_member(partitions):
            return
        self._flushed_at_s = time.monotonic()
        await self._flush(partitions)

    async def everything(self) -> None:
        """Write and commit all there is, however long it takes."""
        partitions = list(self._partitions.values())
        if await self._still_member(partitions):
            await self._flush(partitions, EVERYTHING)

    async def last(self, partitions: list[Partition]) -> None:
        """Write all of these while there is time, if this worker still has them."""
        within_s = min(LAST_FLUSH_S, self._worker.session_timeout_s / 2)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                if await self._still_member(partitions):
                    await self._flush(partitions, EVERYTHING, time.monotonic() + within_s / 2)

    def lag(self, partition: Partition) -> int:
        """Records that are in the topic and not applied, as far as is known here."""
        if partition.is_closed():
            return 0
        end = self._consumer.highwater(TP(self._topic, partition.number)) or 0
        return max(end - partition.state.position, 0)

    async def _flush(
        self, partitions: list[Partition], bound: Bound | None = None, until_s: float = math.inf
    ) -> None:
        started = time.perf_counter()
        bound = bound or self._bound(partitions)
        await asyncio.gather(*(partition.flush(bound, until_s) for partition in partitions))
        written = time.perf_counter()
        self._metrics.flush_seconds.observe(written - started)
        moved = [p for p in partitions if p.written != p.committed and not p.is_closed()]
        offsets = self._offsets(moved)
        # Before the commit: what a flush meanwhile frees waits for a commit of its own.
        freed = [(p, p.checkpoint.deletions()) for p in moved]
        if not offsets:
            self._round_is_over()
        elif await self._commit(offsets):
            self._round_is_over()
            self._at("committed", None)
            self._metrics.commit_seconds.observe(time.perf_counter() - written)
            for partition, records in freed:
                partition.committed = offsets[TP(self._topic, partition.number)]
                await partition.delete(records)
        else:
            for partition, records in freed:
                partition.checkpoint.not_deleted(records)
        for partition in partitions:
            if not partition.is_closed():
                self._metrics.lag_records.labels(str(partition.number)).set(self.lag(partition))

    def _round_is_over(self) -> None:
        self.rounds += 1
        self._metrics.committed()

    def _bound(self, partitions: Iterable[Partition]) -> Bound:
        """What each partition may leave unwritten, so that together it is what may be."""
        share_s = even_share([p.backlog_s for p in partitions], self._worker.reread_s)
        return Bound(share_s, self._kept_s * UNWRITTEN_SHARE)

    def _offsets(self, partitions: Iterable[Partition]) -> dict[TP, int]:
        return {TP(self._topic, p.number): p.written for p in partitions}

    async def _still_member(self, partitions: list[Partition]) -> bool:
        """Whether the group still takes this worker's commits, so that nobody else has these."""
        return not partitions or await self._commit(self._offsets(partitions))

    async def _commit(self, offsets: dict[TP, int]) -> bool:
        """Commit; False where the group does not take it, or Kafka does not answer."""
        try:
            async with asyncio.timeout(COMMIT_S):
                done = await self._consumer.commit_to(offsets)
        except TimeoutError:
            if not self._kafka_away:
                log.warning("kafka does not answer, waiting", topic=self._topic)
            self._kafka_away = True
            return False
        if done and self._kafka_away:
            log.info("kafka answers")
        self._kafka_away = False
        return done
