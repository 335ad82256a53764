"""Faust's Kafka transport, bent in six places.

1. The records of one partition and fetch arrive at the agent as one message (`Batch`). Faust's
   own way costs some 100 µs a message, which is all a worker has for hundreds of events.
2. What may be committed is decided by `commit_to`, after the state is written, not by acks.
3. After a rebalance reading starts where the state ends (`positions`), not at the commit.
4. Connections take their settings from pulse's configuration, and wait for a Kafka that is away.
5. The agent's queue alone holds back what is fetched (`on_buffer_full`).
6. The connection is closed by the thread that has it, and no thread holds up the process's end.

How records get out of a fetch is `pulse.stream.kafka.fetching`'s.

Whatever was fetched before a seek carries an older `epoch`: a hole before it is known already.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, cast

import aiokafka
import structlog
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition
from faust.events import Event
from faust.serializers.schemas import Schema
from faust.transport.drivers import aiokafka as driver
from mode.threads import WorkerThread

from pulse.config.kafka_clients import close
from pulse.stream.kafka.fetching import Fetcher
from pulse.stream.kafka.topics import RETRY_S

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import faust
    from faust.types import TP, TopicT

    from pulse.engine import Columns

log = structlog.get_logger("pulse.worker")


THREAD_ENDS_WITHIN_S = 2.0
"""How long the end of the consumer's thread is waited for once it has closed its connection."""

PIECES = 4
"""How many batches are taken from the consumer's thread at once, at most."""


class Batch:
    """Records of one partition and fetch, as one Kafka message, whose offset is the last one of
    what they cover.
    """

    __slots__ = (
        "checksum", "columns", "epoch", "headers", "key", "offset", "partition",
        "serialized_key_size", "serialized_value_size", "timestamp", "timestamp_type", "topic",
    )  # fmt: skip

    def __init__(self, tp: TP, columns: Columns, epoch: int) -> None:
        self.topic, self.partition, self.offset = tp.topic, tp.partition, columns.end - 1
        self.timestamp = self.timestamp_type = None
        self.headers: tuple[()] = ()
        self.key = self.checksum = None
        self.serialized_key_size = self.serialized_value_size = 0
        self.columns = columns
        self.epoch = epoch

    @property
    def value(self) -> Batch:
        """What the agent gets. No attribute: a batch that holds itself would stay, with all of its
        records, until the garbage collector looks, which is seldom.
        """
        return self


class BatchSchema(Schema):  # type: ignore[type-arg]  # keys and values pass as they are
    """Hands a batch through undecoded."""

    def compile(self, app: Any, **_: Any) -> Any:
        async def decode(message: Any, **_: Any) -> Event:
            return Event(app, message.key, message.value, message.headers, message)

        return decode


class _Thread(WorkerThread):
    """Never holds up the end of the process, whatever it waits for."""

    def __init__(self, service: Any, **kwargs: Any) -> None:
        super().__init__(service, **kwargs)
        self.daemon = True

    def stop(self) -> None:
        """Called in the main loop, which stands still meanwhile."""
        self.is_stopped.wait(THREAD_ENDS_WITHIN_S)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that holds the connection and the group membership."""

    Worker = _Thread

    @property
    def fetching_ended_by(self) -> KafkaError | None:
        """Why aiokafka has given up fetching, if it has; it does not say so."""
        fetcher = self._consumer and self._consumer._fetcher
        if fetcher is None or not fetcher.error_future.done():
            return None
        error = fetcher.error_future.exception()
        return error if isinstance(error, KafkaError) else KafkaError(f"no fetching: {error!r}")

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        self._assignor = RoundRobinPartitionAssignor
        settings = cast("Transport", transport).settings
        return aiokafka.AIOKafkaConsumer(
            partition_assignment_strategy=[RoundRobinPartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=200,
            **settings,
        )

    async def on_start(self) -> None:
        """Connect, however long Kafka is away; the group is joined later."""
        waiting = False
        while not self.should_stop:
            try:
                await super().on_start()
            except KafkaConnectionError:
                if not waiting:
                    settings = cast("Transport", self.transport).settings
                    brokers = ", ".join(settings["bootstrap_servers"])
                    log.warning(f"kafka does not answer at {brokers}, waiting")
                waiting = True
                await close(self._ensure_consumer())
                await self.sleep(RETRY_S)
            else:
                if waiting:
                    log.info("kafka answers")
                consumer = self._ensure_consumer()
                Fetcher.install(consumer, at_most=consumer._max_poll_records)
                return

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  # Faust's
        max_records: int | None = None,
    ) -> Any:
        """What was fetched, in pieces; Faust counts records where there are pieces now."""
        return await super()._fetch_records(consumer, active_partitions, timeout, PIECES)

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit; False where the group has moved on or Kafka is away, which both end by itself."""
        consumer = self._ensure_consumer()
        assigned = self.assignment()
        wanted = {
            TopicPartition(tp.topic, tp.partition): OffsetAndMetadata(offset, "")
            for tp, offset in offsets.items()
            if tp in assigned
        }
        if not wanted:
            return False
        try:
            await consumer.commit(wanted)
        except KafkaError as error:
            log.info("commit refused, the work will be done again", reason=type(error).__name__)
            return False
        return len(wanted) == len(offsets)

    async def on_thread_stop(self) -> None:
        """Close the connection; a fetch that is given up takes aiokafka's own `stop` with it."""
        with contextlib.suppress(asyncio.CancelledError):
            await super().on_thread_stop()

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own watch takes a commit that waits for the state for a stall; see `Worker`."""


class _Nothing(dict[Any, Any]):
    """Remembers nothing of what Faust has read: it would leave out what is read again, and the
    worker knows what follows.
    """

    def __getitem__(self, key: Any) -> None:
        return None

    def __setitem__(self, key: Any, value: Any) -> None:
        return None


class Consumer(driver.Consumer):
    """Coalesces fetches, commits what was written, reads on from the state."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _Nothing()
        self.epochs: dict[TP, int] = {}
        """How often each partition was sought."""
        self.position_of: Callable[[TP], int | None] = lambda tp: None
        """Where to read on in a partition; None while its state is not there."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109  # Faust's
        before = dict(self.epochs)
        fetched = await super()._getmany(active_partitions, timeout)
        return {
            tp: [Batch(tp, columns, before.get(tp, 0)) for columns in pieces]
            for tp, pieces in fetched.items()
        }

    def close(self) -> None:
        """Not as Faust does, in the wrong event loop: the thread closes it as it ends."""

    @property
    def fetching_ended_by(self) -> KafkaError | None:
        """Why nothing comes any more, however long it is waited for; None while it may."""
        return cast("ConsumerThread", self._thread).fetching_ended_by

    def on_buffer_full(self, tp: TP) -> None:
        """The agent's queue holds back who fills it, and that is all that is needed.

        Faust would also leave the partition out of the next fetch, and where none is left it
        sleeps for a second.
        """

    def on_buffer_drop(self, tp: TP) -> None:
        """See `on_buffer_full`."""

    async def commit(self, *_: Any, **__: Any) -> bool:
        """Faust commits by itself at times; only `commit_to` does."""
        return False

    async def commit_to(self, offsets: Mapping[TP, int]) -> bool:
        """Commit these positions; whether the group took them."""
        return bool(await self._thread.commit(offsets))

    async def perform_seek(self) -> None:
        """Read on where the state ends. Faust calls it before it lets records flow again."""
        for tp in self.assignment():
            offset = self.position_of(tp)
            if offset is not None:
                await self.seek(tp, offset)

    async def seek(self, partition: TP, offset: int) -> None:
        self.epochs[partition] = self.epochs.get(partition, 0) + 1
        await super().seek(partition, offset)


class Transport(driver.Transport):
    """The transport with `Consumer`. `settings` are the keyword arguments of the connection."""

    Consumer = Consumer
    settings: dict[str, Any]


def install(app: faust.App, settings: dict[str, Any]) -> None:
    """Make the app read through this transport."""
    transport = Transport(app.conf.broker_consumer, app)
    transport.settings = settings
    app.transport = transport


def batches_of(app: faust.App, topic: str) -> TopicT:
    """The topic as a channel of `Batch`, for an agent of the app."""
    # Faust would keep each ack for a commit, and it is not Faust who commits.
    return app.topic(topic, schema=BatchSchema(), acks=False)
