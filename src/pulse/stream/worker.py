"""`pulse work`: the Faust app, what it reads, and what it does at a rebalance."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from typing import TYPE_CHECKING, Any

import faust
import structlog
from aiokafka.errors import IllegalStateError, KafkaError
from faust.types import TP

from pulse.config.kafka_clients import for_aiokafka
from pulse.config.policy import policy
from pulse.engine import Engine
from pulse.errors import PulseError
from pulse.health import Health
from pulse.history import Days
from pulse.metrics import WorkerMetrics
from pulse.placement import partition_of
from pulse.producer import Producer
from pulse.stream.activation import in_force_elsewhere, records
from pulse.stream.flushing import LAST_FLUSH_S, Flusher
from pulse.stream.huge_pages import use_huge_pages
from pulse.stream.kafka.ticker import Ticker
from pulse.stream.kafka.topics import wait_for_topics
from pulse.stream.kafka.transport import Batch, Consumer, batches_of, install
from pulse.stream.partition import Partition, Surroundings
from pulse.stream.readers import Readers
from pulse.stream.recovery import read_back
from pulse.stream.source_guard import guard_sources
from pulse.stream.watch import Halts, StallWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.config import Config

log = structlog.get_logger("pulse.worker")

READ_AGAIN_S = 3.0
"""After how long records that are there and do not come are read again."""
READY_FLUSHES = 15
"""A worker that has committed nothing for so many flush intervals is not ready."""


class Worker:
    """One worker. `run` returns when `stop` is called; what cannot be mended raises PulseError.

    `at` is called in the event loop, with the step's name and its partition (None where it is the
    whole worker's), when one of these has been reached: `connecting` (Kafka has answered, nothing
    reads yet), `recovery_started`, `recovery_read` (the changelog is read, nothing flows yet),
    `assigned`; of a flush `effects_acknowledged`, `pages_chunk_written`, `pages_written`,
    `manifest_written`, `committed`; `revoking` (a rebalance has begun, the last flush is still to
    be done).
    """

    def __init__(
        self,
        config: Config,
        *,
        metrics: WorkerMetrics | None = None,
        at: Callable[[str, int | None], None] | None = None,
    ) -> None:
        self.config = config
        self._at = at or (lambda step, partition: None)
        self.metrics = metrics or WorkerMetrics()
        self.metrics.expect(type(config.plays).model_fields)  # each reason has its play
        self.partitions: dict[int, Partition] = {}
        """What this worker has, by number; only what has been read back."""
        lately_s = READY_FLUSHES * config.worker.flush_interval_s
        self.health = Health("Kafka and its topics", progress_within_s=lately_s)
        self._settings = for_aiokafka(config.kafka)
        self._topic = config.kafka.topics.events
        self._stop = asyncio.Event()
        self._failure: BaseException | None = None
        self._other: PulseError | None = None
        """Another configuration is in force everywhere."""
        self._has_joined = False
        self._reading_back = False
        self._read_back_steps = 0
        """How often reading state back went on."""
        self._halts = Halts(READ_AGAIN_S)
        self._around: Surroundings
        self._app: faust.App
        self._flusher: Flusher
        self._ticker: Ticker

    def stop(self) -> None:
        """End `run`: write what is there, commit, leave the group."""
        self._stop.set()

    async def run(self) -> None:
        """Work until `stop`."""
        config = self.config
        count = await wait_for_topics(config, self._settings, self._stop)
        if self._stop.is_set():
            return
        self._at("connecting", None)
        self.metrics.partitions.set(count)
        days = Days() if config.history.enabled else None
        engine = Engine(
            policy(config),
            lambda account_id: partition_of(account_id, count),
            observe=None if days is None else days.observe,
        )
        producer = Producer(self._settings, idempotent=config.kafka.idempotence)
        self._around = Surroundings(config, engine, producer, self.metrics, count, self._at, days)
        self._ticker = Ticker(self._settings, self._topic, count, config.worker.tick_interval_s)
        with tempfile.TemporaryDirectory(prefix="pulse-") as folder:
            self._app = self._make_app(folder)
            self._flusher = Flusher(config, self.metrics, self.partitions, self._consumer, self._at)
            readers = Readers(config, engine, self.metrics, self.partitions)
            tasks = [
                asyncio.create_task(self._flush_loop(), name="flush"),
                asyncio.create_task(readers.run(), name="readers"),
            ]
            if config.worker.huge_pages:
                tasks.append(asyncio.create_task(use_huge_pages(), name="memory"))
            if config.clock == "wall":
                tasks.append(asyncio.create_task(self._ticker.run(), name="ticker"))
                if config.worker.source_guard.enabled:
                    guard = guard_sources(config, self._settings, count, self.partitions)
                    tasks.append(asyncio.create_task(guard, name="sources"))
            # Not awaited here: it returns when the first partitions are read back, and a signal
            # is not to wait for that.
            starting = asyncio.create_task(self._app.start(), name="faust")
            try:
                await self._watch([*tasks, starting])
                if self._other is not None:
                    await self._flusher.everything()
                if self._failure is None:
                    await self._flusher.last(list(self.partitions.values()))
            finally:
                for partition in self.partitions.values():
                    partition.close()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                starting.cancel()
                leaving = asyncio.create_task(self._app.stop(), name="leave")
                # Both may wait for what never comes where Kafka is away.
                done, _ = await asyncio.wait({starting, leaving}, timeout=LAST_FLUSH_S)
                for task in done:
                    if not task.cancelled() and (error := task.exception()) is not None:
                        log.debug("leaving the group failed", error=repr(error))
                await producer.stop()
        if isinstance(self._failure, KafkaError):
            raise PulseError(
                f"the connection to Kafka broke down: {self._failure!r}",
                hint="start the worker again; nothing is lost",
            ) from self._failure
        if self._failure is not None:
            raise self._failure
        if self._other is not None:
            raise self._other

    async def _watch(self, tasks: Iterable[asyncio.Task[None]]) -> None:
        timeout_s = self.config.worker.stall_timeout_s
        reading, writing, rounds = StallWatch(timeout_s), StallWatch(timeout_s), -1
        while not self._stop.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), timeout=0.5)
            if self._app.crashed:
                self._fail(self._app.crash_reason or RuntimeError("the Faust app crashed"))
            for task in tasks:
                if task.done() and not task.cancelled() and task.exception() is not None:
                    self._fail(task.exception())
            if (ended_by := self._consumer.fetching_ended_by) is not None:
                self._fail(ended_by)
            self.health.waits_for = self._comes_before()
            if rounds != self._flusher.rounds or not self.partitions:
                rounds = self._flusher.rounds
                self.health.went_on()
            try:
                positions = tuple(p.state.position for p in self.partitions.values())
                reading.look(self._waits_for(), (positions, self._read_back_steps))
                mine = "what was counted cannot be written and committed"
                writing.look(mine if self.partitions else None, self._flusher.rounds)
            except PulseError as error:
                self._fail(error)

    def _comes_before(self) -> str | None:
        """What has to come before it is ready."""
        if self._reading_back:
            return "its state, which is being read back"
        return None if self._has_joined else "its share of the partitions"

    def _waits_for(self) -> str | None:
        """What should come to its end, or at least go on."""
        if self._reading_back:
            return "state is being read back"
        lag = sum(self._flusher.lag(partition) for partition in self.partitions.values())
        return f"{lag} records wait and none is applied" if lag else None

    def _fail(self, error: BaseException | None) -> None:
        if self._failure is None:
            self._failure = error
        self._stop.set()

    # -- Faust -----------------------------------------------------------------------------------

    def _make_app(self, folder: str) -> faust.App:
        worker, kafka = self.config.worker, self.config.kafka
        app = faust.App(
            kafka.group,
            broker=f"kafka://{kafka.brokers[0]}",
            datadir=folder,
            store="memory://",
            web_enabled=False,
            autodiscover=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            stream_wait_empty=False,
            stream_buffer_maxsize=4,
            broker_commit_interval=3600.0,  # `commit_to` commits
        )
        app.boot_strategy.enable_kafka_producer = False
        session_ms = int(worker.session_timeout_s * 1000)
        install(
            app,
            self._settings
            | {
                "group_id": kafka.group,
                "group_instance_id": worker.instance(),
                "max_poll_records": worker.fetch_records,
                "max_poll_interval_ms": 1_800_000,  # reading state back is no stall
                "session_timeout_ms": session_ms,
                "heartbeat_interval_ms": session_ms // 5,
                "rebalance_timeout_ms": session_ms,
                "max_partition_fetch_bytes": 2 << 20,
                "fetch_max_bytes": 16 << 20,
            },
        )
        topic = batches_of(app, self._topic)

        async def usage(stream: Any) -> None:
            async for batch in stream:
                await self._take(batch)

        # One agent keeps a partition's order.
        app.agent(topic, name="usage", concurrency=1)(usage)
        app.on_partitions_revoked.connect(self._revoked, weak=False)  # type: ignore[arg-type]  # Faust says less
        app.on_rebalance_complete.connect(self._assigned, weak=False)
        return app

    @property
    def _consumer(self) -> Consumer:
        return self._app.consumer  # type: ignore[return-value]  # installed by `install`

    async def _take(self, batch: Batch) -> None:
        partition = self.partitions.get(batch.partition)
        if partition is None or partition.is_closed():
            return
        if partition.state.is_held():
            self._look_whether_held(partition)
            await asyncio.sleep(0)
            return
        try:
            if await self._follows(partition, batch):
                self._apply(partition, batch)
                if partition.state.is_held():
                    self._look_whether_held(partition)
                await partition.has_room()
        except Exception as error:
            # Faust would acknowledge the batch and go on without it.
            log.exception("a batch failed", partition=batch.partition, offset=batch.offset)
            self._fail(error)
            partition.close()
        await asyncio.sleep(0)

    async def _follows(self, partition: Partition, batch: Batch) -> bool:
        """Whether the batch follows what was applied, without a hole."""
        tp = TP(self._topic, batch.partition)
        position = partition.state.position
        if batch.columns.start <= position:
            # Also where it was fetched before a rebalance or a seek: it is the same log.
            return True
        if batch.epoch != self._consumer.epochs.get(tp, 0):
            # The hole was seen, and what is missing comes again.
            return False
        # What lies between was dropped on the way, and may be so again: records that a seek
        # overtook. Or the topic does not have it any more.
        if partition.gap_at == position:
            earliest = (await self._consumer.earliest_offsets(tp))[tp]
            if batch.columns.start <= earliest:
                log.error(
                    "the topic has lost records that were not read: its retention is too short",
                    partition=batch.partition,
                    from_offset=position,
                    to_offset=batch.columns.start,
                )
                return not partition.is_closed()
        await self._consumer.seek(tp, position)
        partition.gap_at = position
        return False

    def _look_whether_held(self, partition: Partition) -> None:
        """End where every partition has come to another configuration."""
        if all(each.state.is_held() for each in self.partitions.values()):
            self._other = in_force_elsewhere(self.config, partition.state)
            self._stop.set()

    def _apply(self, partition: Partition, batch: Batch) -> None:
        started = time.perf_counter()
        partition.apply(batch.columns)
        metrics = self.metrics
        metrics.batches.inc()
        metrics.records.inc(len(batch.columns))
        metrics.apply_seconds.observe(time.perf_counter() - started)
        clock_ms = partition.state.clock_ms
        if clock_ms is not None:
            at_s = clock_ms / 1000 if self.config.clock == "wall" else time.time()
            metrics.clocks.tick(partition.number, at_s)

    # -- rebalance -------------------------------------------------------------------------------

    async def _revoked(self, _: Any, *args: Any, **__: Any) -> None:
        """Partitions are about to go: write what is there if this worker still has them."""
        revoked: set[TP] = args[0]
        mine = [self.partitions[tp.partition] for tp in revoked if tp.partition in self.partitions]
        if mine:
            self._at("revoking", None)
            await self._flusher.last(mine)
        for partition in mine:
            partition.close()
            del self.partitions[partition.number]
            self.metrics.revoke(partition.number)
        self._ticker.ticking = False

    async def _assigned(self, *_: Any, **__: Any) -> None:
        """The rebalance is over: read back what is new here. Nothing flows until this returns."""
        self._reading_back = True
        try:
            await self._read_back()
        except Exception as error:
            if not isinstance(error, PulseError):
                log.exception("state could not be read back")
            self._fail(error)
        finally:
            self._reading_back = False
            self._has_joined = True

    async def _read_back(self) -> None:
        consumer = self._consumer
        assigned = {tp.partition for tp in consumer.assignment() if tp.topic == self._topic}
        new = sorted(assigned - set(self.partitions))
        started = time.perf_counter()
        for number in set(self.partitions) - assigned:
            self.partitions.pop(number).close()
        generation = self._app.consumer_generation_id
        self._at("recovery_started", None)
        partitions = await read_back(self._around, self._settings, new, generation, self._went_on)
        self._at("recovery_read", None)
        if generation == self._app.consumer_generation_id:
            # Before the manifest: whoever comes later finds it in the log.
            first = [each.number for each in partitions if each.checkpoint.is_first]
            await self._around.producer.send(records(self.config, first))
            await asyncio.gather(*(partition.take_up() for partition in partitions))
        if generation != self._app.consumer_generation_id:
            return  # another rebalance came meanwhile, and reads anew what is left here
        self.partitions.update((partition.number, partition) for partition in partitions)
        consumer.position_of = self._position_of
        self.metrics.recovery_seconds.set(time.perf_counter() - started)
        self.metrics.partitions_assigned.set(len(self.partitions))
        self._ticker.ticking = 0 in self.partitions
        log.info(
            "partitions assigned",
            partitions=len(self.partitions),
            accounts=sum(len(p.state) for p in self.partitions.values()),
            seconds=round(time.perf_counter() - started, 2),
        )
        self._at("assigned", None)

    def _went_on(self) -> None:
        self._read_back_steps += 1

    def _position_of(self, tp: TP) -> int | None:
        partition = self.partitions.get(tp.partition)
        return None if partition is None or tp.topic != self._topic else partition.state.position

    # -- at intervals ----------------------------------------------------------------------------

    async def _flush_loop(self) -> None:
        interval_s = self.config.worker.flush_interval_s
        # Not only until it is cancelled: Faust's calls to its consumer may swallow that.
        while not self._stop.is_set():
            await asyncio.sleep(interval_s)
            await self._flusher.flush()
            await self._read_again()

    async def _read_again(self) -> None:
        """Read on at the state where records are there and do not come.

        Faust drops what a fetch brings that was under way at a rebalance. The batch after it would
        show the hole, if one came.
        """
        partitions = {} if self._reading_back else self.partitions
        waiting = {n: p.state.position for n, p in partitions.items() if self._flusher.lag(p)}
        for number in self._halts.look(waiting):
            # Not louder: while Kafka is away this comes every few seconds.
            log.debug("records that are there did not come, reading again", partition=number)
            # It was given up meanwhile, or its records were taken at this moment.
            with contextlib.suppress(IllegalStateError, KeyError):
                await self._consumer.seek(TP(self._topic, number), waiting[number])
