"""The deliveries topic: written in order and acknowledged, read back to its end."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Final, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from pulse.config.kafka_clients import abandon, close, hand_over, start
from pulse.following import reader
from pulse.notifier.kafka import KafkaSettings, Outage
from pulse.notifier.reading.lease import Lease

Record = tuple[str, bytes | None]
"""Key and value; None is a tombstone."""

_RETRY_S: Final = 1.0
_PROBE_WITHIN_S: Final = 5.0
_AT_ONCE: Final = 1_000
"""Records that are handed to Kafka in one go: the event loop stands still meanwhile."""


class LogUnavailable(Exception):
    """The topic could not be read just now; try again."""


class PartitionClosed(Exception):
    """The partition belongs to somebody else now: what was to be written was not, or not surely."""


class DeliveryLog(Protocol):
    """One compacted topic, as the notifier needs it. In memory: `pulse.testing.deliveries`."""

    def open(self, partition: int) -> None:
        """Permit appending to a partition. Called when it is assigned."""
        ...

    def read(self, partition: int) -> AsyncGenerator[list[Record], None]:
        """Every record from the first to the one that is the last now, in order.

        Raises `LogUnavailable`; what was read until then is to be thrown away. To be closed by who
        does not read to the end (`contextlib.aclosing`): a connection is behind it.
        """
        ...

    async def append(self, partition: int, records: Sequence[Record]) -> None:
        """Write after all that was appended to the partition before; return when acknowledged.

        Waits for as long as that takes. Raises `PartitionClosed`.
        """
        ...

    async def close(self, partition: int, within_s: float) -> None:
        """Finish what is being appended, within that time; what is not is given up, and is not
        written later.
        """
        ...

    async def broadcast(self, record: Record) -> None:
        """Write one record to every partition of the topic; return when acknowledged."""
        ...


class KafkaDeliveryLog:
    """The deliveries topic on Kafka. `start` first, `stop` at the end."""

    def __init__(self, kafka: KafkaSettings, partitions: int, outage: Outage, lease: Lease) -> None:
        self._kafka = kafka
        self._partitions = partitions
        self._outage = outage
        self._lease = lease
        self._producer: AIOKafkaProducer | None = None
        self._renewing = asyncio.Lock()
        self._writers: dict[int, _Writer] = {}

    async def start(self) -> None:
        """Connect. Raises `KafkaError` where no broker answers."""
        self._producer = await self._new_producer()

    async def stop(self) -> None:
        """Close everything, without waiting for a Kafka that is away."""
        for partition in tuple(self._writers):
            await self.close(partition, 0.0)
        if self._producer is not None:
            await close(self._producer)

    async def is_reachable(self) -> bool:
        """Whether a broker answers now."""
        try:
            producer = self._producer or await self._renew(None)
            async with asyncio.timeout(_PROBE_WITHIN_S):
                return bool(await producer.client.force_metadata_update())
        except (TimeoutError, KafkaError, OSError):
            return False

    def open(self, partition: int) -> None:
        self._writers[partition] = _Writer(self, partition, self._lease)

    async def close(self, partition: int, within_s: float) -> None:
        writer = self._writers.pop(partition, None)
        if writer is None or await writer.close(within_s if self._lease.held else 0.0):
            return
        producer, self._producer = self._producer, None
        if producer is not None:
            await abandon(producer)

    async def append(self, partition: int, records: Sequence[Record]) -> None:
        writer = self._writers.get(partition)
        if writer is None:
            raise PartitionClosed(str(partition))
        await writer.append(records)

    async def broadcast(self, record: Record) -> None:
        for partition in range(self._partitions):
            await self.write(partition, [record])

    async def write(
        self, partition: int, records: Sequence[Record], lease: Lease | None = None
    ) -> None:
        """Produce until acknowledged, however long Kafka is away.

        Raises `PartitionClosed` where the lease is lost before that.
        """
        done = 0
        while done < len(records):
            if lease is not None and not lease.held:
                raise PartitionClosed(str(partition))
            producer = self._producer
            try:
                if producer is None:
                    producer = await self._renew(None)
                await self._produce(producer, partition, records[done : done + _AT_ONCE])
            except Exception as error:
                # Not only KafkaError: what aiokafka and the event loop raise as a connection breaks
                # would end the writer, and nothing would be sent any more.
                self._outage.away(error)
                await asyncio.sleep(_RETRY_S)
                is_fine = getattr(error, "retriable", isinstance(error, OSError))
                if not is_fine and self._producer is producer:
                    # An idempotent producer that lost its place never finds it again.
                    with contextlib.suppress(KafkaError, OSError):
                        await self._renew(producer)
            else:
                self._outage.back()
                done += _AT_ONCE

    async def _produce(
        self, producer: AIOKafkaProducer, partition: int, records: Sequence[Record]
    ) -> None:
        topic = self._kafka.deliveries_topic
        sent = []
        try:
            for key, value in records:
                send = producer.send(topic, value, key.encode(), partition=partition)
                sent.append(await hand_over(send))
        except Exception:
            # All of it is written again: not before the first attempt has ended.
            await asyncio.gather(*sent, return_exceptions=True)
            raise
        for result in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _renew(self, broken: AIOKafkaProducer | None) -> AIOKafkaProducer:
        async with self._renewing:
            if self._producer is None or self._producer is broken:
                if broken is not None:
                    await close(broken)
                    self._producer = None
                self._producer = await self._new_producer()
            return self._producer

    async def _new_producer(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._kafka.client,
            acks="all",
            enable_idempotence=self._kafka.idempotence,
        )
        try:
            await start(producer)
        except BaseException:
            await close(producer)
            raise
        return producer

    async def read(self, partition: int) -> AsyncGenerator[list[Record], None]:
        try:
            async with (
                _reader(self._kafka) as consumer,
                contextlib.aclosing(self._read_to_the_end(consumer, partition)) as batches,
            ):
                async for batch in batches:
                    yield batch
        except (KafkaError, OSError) as error:
            self._outage.away(error)
            raise LogUnavailable(str(error)) from error
        self._outage.back()

    async def _read_to_the_end(
        self, consumer: AIOKafkaConsumer, partition: int
    ) -> AsyncGenerator[list[Record], None]:
        source = TopicPartition(self._kafka.deliveries_topic, partition)
        consumer.assign([source])
        first = (await consumer.beginning_offsets([source]))[source]
        last = (await consumer.end_offsets([source]))[source]
        if last <= first:
            return
        consumer.seek(source, first)
        while True:
            for records in (await consumer.getmany(source, timeout_ms=200)).values():
                yield [(_text(record.key), record.value) for record in records]
            # The high watermark too: the embedded broker's end offset can be too small.
            watermark = consumer.highwater(source)
            if watermark is not None and await consumer.position(source) >= max(last, watermark):
                return


class _Writer:
    """Appends to one partition: one batch under way, what comes meanwhile makes the next one."""

    def __init__(self, topic: KafkaDeliveryLog, partition: int, lease: Lease) -> None:
        self._topic = topic
        self._lease = lease
        self._partition = partition
        self._waiting: list[tuple[Sequence[Record], asyncio.Future[None]]] = []
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._task = asyncio.create_task(self._run())

    async def append(self, records: Sequence[Record]) -> None:
        if self._closed:
            raise PartitionClosed(str(self._partition))
        acknowledged = asyncio.get_running_loop().create_future()
        self._waiting.append((records, acknowledged))
        self._idle.clear()
        self._work.set()
        await acknowledged

    async def close(self, within_s: float) -> bool:
        """Whether all was acknowledged within that time; what was not is given up."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._give_up(self._waiting)
        return self._idle.is_set()

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            batch, self._waiting = self._waiting, []
            try:
                records = [record for records, _ in batch for record in records]
                await self._topic.write(self._partition, records, self._lease)
            except PartitionClosed:
                self._give_up(batch)
                continue
            except BaseException:
                self._closed = True
                self._give_up(batch)
                self._give_up(self._waiting)
                raise
            for _, acknowledged in batch:
                if not acknowledged.done():
                    acknowledged.set_result(None)
            if not self._waiting:
                self._idle.set()

    def _give_up(self, batch: list[tuple[Sequence[Record], asyncio.Future[None]]]) -> None:
        for _, acknowledged in batch:
            if not acknowledged.done():
                acknowledged.set_exception(PartitionClosed(str(self._partition)))
                # Whoever waited may be gone.
                acknowledged.exception()


@contextlib.asynccontextmanager
async def _reader(kafka: KafkaSettings) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = reader(kafka.client, fetch_max_wait_ms=50)
    try:
        await start(consumer)
        yield consumer
    finally:
        await close(consumer)


def _text(key: bytes | None) -> str:
    return "" if key is None else key.decode(errors="replace")
