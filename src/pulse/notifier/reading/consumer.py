"""Reads the alerts topic in the group `<group>-notifier` and feeds the notifier.

The group gives all partitions to one of its members, who leads; the others stand by. Offsets are
committed by hand, after what they cover is recorded in the deliveries topic; where the two
disagree, the further one counts.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from prometheus_client import Counter

from pulse.config.kafka_clients import close, start
from pulse.following import raise_ended
from pulse.model import Alert
from pulse.notifier.dispatch import Notifier
from pulse.notifier.kafka import KafkaSettings, Outage
from pulse.notifier.reading.arrival import MAX_ALERT_BYTES, Arrival, Fullness, accounts_of
from pulse.notifier.reading.leading import one_leads
from pulse.notifier.reading.lease import Lease
from pulse.notifier.state.log import PartitionClosed

log = structlog.get_logger("pulse.notifier")

_POLL_MS: Final = 200
_REBALANCE_MS: Final = 20_000
"""How long the group waits for a member that gives partitions up. Nobody may go on while it still
finishes what it has under way, which takes a third of this at most (`Bounds.leave_within_s`)."""
_FETCH: Final[dict[str, Any]] = {
    # Latency first: an alert that is there is fetched at once; at most 8 MB are read ahead.
    "fetch_max_wait_ms": 100,
    "fetch_max_bytes": 8 * 1024 * 1024,
    "max_partition_fetch_bytes": 512 * 1024,
}


class AlertConsumer:
    """One membership in the consumer group, from joining it to leaving it.

    `unreadable` counts the records that are no alert. `due_at_append`: an alert's latency counts
    from its append to the topic, not from its `at` (with `clock: events` that is in the past).
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        notifier: Notifier,
        outage: Outage,
        lease: Lease,
        *,
        unreadable: Counter,
        due_at_append: bool,
    ) -> None:
        self._kafka = kafka
        self._notifier = notifier
        self._outage = outage
        self._lease = lease
        self._unreadable = unreadable
        self._due_at_append = due_at_append
        self._consumer = AIOKafkaConsumer(
            **kafka.client,
            **_FETCH,
            group_id=kafka.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=kafka.session_timeout_ms,
            heartbeat_interval_ms=kafka.heartbeat_ms,
            rebalance_timeout_ms=_REBALANCE_MS,
            partition_assignment_strategy=(one_leads(),),
        )
        self._leads = False
        self._ready: set[TopicPartition] = set()
        self._recovery: asyncio.Task[None] | None = None
        self._holding = False
        self._fullness = Fullness.ROOM
        self._leaving = False
        self._given_up = False

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`. Raises `KafkaError` where the membership is beyond repair.

        Returns also when the lease is lost.
        """
        self._lease.begin()
        keeping = asyncio.create_task(self._lease.keep())
        self._consumer.subscribe([self._kafka.alerts_topic], listener=_Rebalance(self))
        try:
            await until(stop, start(self._consumer))
            if not stop.is_set():
                self._hear_the_group()
            while not stop.is_set() and self._lease.held:
                self._hold_or_go_on()
                raise_ended(self._consumer)
                polled = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=500)
                self._raise_failed_recovery()
                recorded = await asyncio.gather(
                    *(
                        self._take(source, records)
                        for source, records in polled.items()
                        if source in self._ready
                    )
                )
                await self._commit({source: offset for source, offset in recorded if offset})
        finally:
            self._leaving = True
            keeping.cancel()
            await self.revoked()
            # From here on the next membership may have them.
            self._given_up = True
            await close(self._consumer)

    # --- partitions ---------------------------------------------------------------------------

    async def assigned(self, partitions: Collection[TopicPartition]) -> None:
        """Begin to lead, where there are any; nothing is read until all is read back."""
        if self._leaving:
            return
        self._outage.back()
        if not partitions:
            log.info("another notifier leads; this one stands by")
            return
        self._leads = True
        self._lease.answered(time.monotonic())
        self._consumer.pause(*partitions)
        self._recovery = asyncio.create_task(self._recover(tuple(partitions)))

    async def revoked(self) -> None:
        """Give the lead up; return when nothing is sent or written any more."""
        if self._given_up:
            return
        self._ready.clear()
        self._leads = False
        self._lease.free()
        recovery, self._recovery = self._recovery, None
        if recovery is not None:
            recovery.cancel()
            await asyncio.gather(recovery, return_exceptions=True)
        await self._notifier.resign()

    def _hear_the_group(self) -> None:
        """Note when the group answers a sign of life, of which aiokafka does not tell."""
        coordinator = self._consumer._coordinator
        beat = coordinator._do_heartbeat

        async def noted() -> bool:
            sent_s = time.monotonic()
            is_answered: bool = await beat()
            if is_answered and self._leads:
                self._lease.answered(sent_s)
            return is_answered

        coordinator._do_heartbeat = noted

    async def _recover(self, sources: Sequence[TopicPartition]) -> None:
        try:
            recorded = await self._notifier.lead()
            for source in sources:
                committed = await self._consumer.committed(source)
                known = [
                    each for each in (recorded.get(source.partition), committed) if each is not None
                ]
                if known:
                    self._consumer.seek(source, max(known))
                else:
                    await self._consumer.seek_to_beginning(source)
                self._ready.add(source)
                if not self._holding:
                    self._consumer.resume(source)
        except (PartitionClosed, IllegalStateError):
            log.debug("the lead was given to another one")

    def _raise_failed_recovery(self) -> None:
        if self._recovery is not None and self._recovery.done():
            recovery, self._recovery = self._recovery, None
            recovery.result()

    def _hold_or_go_on(self) -> None:
        """Read nothing more while the notifier has enough to do."""
        fullness = self._notifier.fullness()
        if fullness is not self._fullness:
            self._say(fullness)
            self._fullness = fullness
        hold = fullness is not Fullness.ROOM
        if hold != self._holding:
            self._holding = hold
            change = self._consumer.pause if hold else self._consumer.resume
            change(*(self._ready & self._consumer.assignment()))

    def _say(self, fullness: Fullness) -> None:
        if fullness is Fullness.TOO_MUCH_WAITS:
            log.warning(
                "too many notifications wait for another attempt; alerts stay in Kafka until some "
                "are delivered or have failed",
                undelivered=self._notifier.undelivered(),
            )
        elif self._fullness is Fullness.TOO_MUCH_WAITS:
            log.info("alerts are read again", undelivered=self._notifier.undelivered())

    # --- alerts -------------------------------------------------------------------------------

    async def _take(
        self, source: TopicPartition, records: Sequence[ConsumerRecord]
    ) -> tuple[TopicPartition, int | None]:
        """Have records dealt with; returns the offset to commit, None where they were not."""
        arrivals = [arrival for record in records if (arrival := self._read(record))]
        next_offset = records[-1].offset + 1
        try:
            await self._notifier.take(source.partition, arrivals, next_offset)
        except PartitionClosed as error:
            if source in self._ready and self._lease.held:
                # Nobody took it away: what was read here has to be read again.
                raise KafkaError("the deliveries topic cannot be written") from error
            log.debug("the lead was given to another one")
            return source, None
        return source, next_offset

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        # What was revoked meanwhile is committed by who holds it now.
        mine = {source: offset for source, offset in offsets.items() if source in self._ready}
        try:
            if mine:
                await self._consumer.commit(mine)
                self._notifier.at("committed", None)
        except KafkaError as error:
            # The deliveries topic knows the position too.
            log.debug("commit failed", error=str(error))

    def _read(self, record: ConsumerRecord) -> Arrival | None:
        if record.value is None:
            return None
        origin = f"{record.topic}/{record.partition}/{record.offset}"
        if len(record.value) > MAX_ALERT_BYTES:
            self._pass_over(origin, f"{len(record.value)} bytes")
            return None
        try:
            alert = Alert.model_validate_json(record.value)
        except ValueError as error:
            self._pass_over(origin, _first_line(error))
            return None
        due_ms = record.timestamp if self._due_at_append else alert.at
        return Arrival(alert, record.value, due_ms, origin, record.offset, accounts_of(record))

    def _pass_over(self, origin: str, error: str) -> None:
        self._unreadable.inc()
        log.error("a record of the alerts topic is no alert", origin=origin, error=error)


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Passes the group's decisions on."""

    def __init__(self, consumer: AlertConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._consumer.revoked()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        await self._consumer.assigned(assigned)


async def until(stop: asyncio.Event, start: Any) -> None:
    """Run something that may wait for ever; cancel it when `stop` comes first."""
    tasks = [asyncio.ensure_future(start), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _first_line(error: ValueError) -> str:
    """What is wrong, without what it is wrong in: pydantic repeats the input."""
    errors = getattr(error, "errors", None)
    if errors is None:
        return type(error).__name__
    first = errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else str(first["msg"])
