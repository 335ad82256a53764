"""Telling those who read where accounts stand: the read model and the fleet's metrics.

A task of its own beside the flush: nothing here holds up what must not be lost, nor takes more than
a small share of the time. While Redis is away the accounts that changed are kept, and written when
it is back.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from pulse.metrics import Standing, WorkerMetrics
from pulse.readmodel import ReadModel, ReadModelError, Written, document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.config import Config
    from pulse.engagement.account import Account
    from pulse.engine import Engine, PartitionState
    from pulse.stream.partition import Partition

CHUNK = 100
"""Accounts described before the event loop turns again."""

SHARE = 0.1
"""How much of the time may go into describing accounts, while records wait to be applied."""
SHARE_FOR_METRICS = 0.02
"""The same where nobody waits for an account's page: who scrapes metrics does so every 15 s."""


class Readers:
    """Writes what changed in `partitions` to the read model and the metrics."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        metrics: WorkerMetrics,
        partitions: Mapping[int, Partition],
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._partitions = partitions
        self._interval_s = config.worker.flush_interval_s
        self._model: ReadModel | None = None
        self._share = SHARE if config.redis.enabled else SHARE_FOR_METRICS
        if config.redis.enabled:
            self._model = ReadModel(
                config.redis.address().reveal(), config.redis.prefix, config_version=config.version
            )

    async def run(self) -> None:
        """Tell of what changed, every flush interval, until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._interval_s)
                await self.look_for_gone()
                for partition in list(self._partitions.values()):
                    await self.tell(partition)
                self._tell_of_sources()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._model is not None:
            await self._model.close()

    async def tell(self, partition: Partition) -> None:
        """Tell of the accounts of one partition that changed since the last time."""
        state = partition.state
        if state.gone:
            await self._take_out(partition)
        if state.clock_ms is None or not state.touched or not self._engine.is_in_force(state):
            return
        touched = sorted(filter(state.knows, state.take_touched()))
        # What holds more of a log that is read again is told when the log has caught up.
        ahead = [name for name in touched if state.is_ahead(name, state.position)]
        if ahead:
            state.touched.update(ahead)
            touched = [name for name in touched if name not in state.touched]
        for start in range(0, len(touched), CHUNK):
            if partition.is_closed():
                return
            chunk = touched[start : start + CHUNK]
            started = time.perf_counter()
            # While the last ones were written, others may have been forgotten.
            accounts = [state.account(name) for name in chunk if state.knows(name)]
            for account in accounts:
                self._note(partition, account, state.clock_ms)
            # Nobody else wants the documents, which cost more than all that goes before.
            documents = (
                []
                if self._model is None
                else [self._document(account, state) for account in accounts]
            )
            pause_s = self._pause_s(started)
            if self._model is not None:
                written = await self._model.write(documents)
                self._metrics.read_model_up.set(written is not Written.AWAY)
                if written is Written.AWAY:
                    state.touched.update(filter(state.knows, chunk))
                elif written is Written.EMPTIED:
                    self._all_again()
            await asyncio.sleep(pause_s)

    async def look_for_gone(self) -> None:
        """Find what the read model still has of accounts that were forgotten before a restart."""
        unsure = {
            number: partition.state
            for number, partition in self._partitions.items()
            if partition.state.gone_before
        }
        if self._model is not None and unsure:
            if self._model.is_up is False:
                return
            try:
                async for names in self._model.names():
                    started = time.perf_counter()
                    for name in names:
                        state = unsure.get(self._engine.partition_of(name) or 0)
                        if state is not None and state.tombstone_of(name) is not None:
                            state.gone.add(name)
                    await asyncio.sleep(self._pause_s(started))
            except ReadModelError:
                return  # it is looked at again, and told by who writes
        for state in unsure.values():
            state.gone_before = False

    def _pause_s(self, started: float) -> float:
        """How long to leave the event loop to others after what began then."""
        return (time.perf_counter() - started) * (1 - self._share) / self._share

    async def _take_out(self, partition: Partition) -> None:
        """Let nobody see any more what was forgotten."""
        gone = sorted(partition.state.gone)
        for name in gone:
            self._metrics.fleet.remove(partition.number, name)
        if self._model is None or await self._model.write([], gone) is not Written.AWAY:
            partition.state.gone.difference_update(gone)

    def _all_again(self) -> None:
        for partition in self._partitions.values():
            partition.state.touched.update(partition.state.ids())

    def _tell_of_sources(self) -> None:
        heard_s: dict[str, float] = {}
        stopped: set[str] = set()
        now_s = time.time()
        for state in (partition.state for partition in self._partitions.values()):
            stopped.update(state.outages.stopped())
            # By the log's clock: nothing is quiet only because a worker lags behind.
            clock_ms = state.clock_ms or 0
            for name, heard in state.heard.items():
                at_s = now_s - (clock_ms - heard.last_ms) / 1000
                heard_s[name] = max(heard_s.get(name, 0.0), at_s)
        self._metrics.sources.note(heard_s, stopped)

    def _note(self, partition: Partition, account: Account, at_ms: int) -> None:
        zone, lifecycle, score = self._engine.standing(account, at_ms, partition.state.lines)
        profile = account.profile
        segment, mrr = (None, 0.0) if profile is None else (profile.segment, profile.mrr)
        self._metrics.fleet.note(
            partition.number,
            account.account_id,
            Standing(
                zone,
                lifecycle,
                segment or None,
                None if score is None else round(score, 2),
                mrr,
            ),
        )

    def _document(self, account: Account, state: PartitionState) -> dict[str, Any]:
        policy = self._engine.policy
        scorecard = policy.of_segment(account.fact("segment")).scorecard
        status = self._engine.status(account, state.clock_ms or 0, state.lines)
        holidays = self._engine.holidays_of(account)
        return document(account, status, scorecard, policy.activity, holidays)
