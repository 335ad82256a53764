"""The new topics: written so that it can be broken off anywhere and begun again.

1. A record into each new partition of the events, and the group's offset behind it. From now on a
   worker that finds no manifest ends, instead of counting anew.
2. Manifests of an attempt before are deleted, so that no worker takes up the half of each.
3. What the caller has for other topics, alerts that go out again, the pages.
4. The manifests, if nothing has been written meanwhile into the topic that was read.

All of it is a function of what was read: the second time writes the same under the same keys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from pulse.alerting.everybody.fleet import ACCOUNTS_HEADER
from pulse.config.kafka_clients import close, for_aiokafka, start
from pulse.engine.control import CONFIG, CONTROL_HEADER
from pulse.errors import PulseError
from pulse.following import reader
from pulse.placement import partition_of
from pulse.producer import Outgoing, Producer
from pulse.stream.activation import records as marks
from pulse.stream.state.changelog import read_ranges, read_snapshots
from pulse.stream.state.checkpoint import Checkpoint
from pulse.stream.state.pages import ChangelogRecord, manifest_key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from pulse.alerting.alert import AlertRecord
    from pulse.config import Config
    from pulse.engine import PartitionState

GENERATION: Final = 0
"""Below that of every worker: a group counts from 1."""

_CHUNK_BYTES: Final = 4 << 20
_MOST_MARKS: Final = 100
"""One for each attempt, or two where an acknowledgement was lost."""
_POLL_MS: Final = 500


async def check_unused(config: Config) -> None:
    """Raise PulseError where a worker has begun with the topics of a configuration, or something
    else than an attempt before has written into them.
    """
    kafka, settings = config.kafka, for_aiokafka(config.kafka)
    numbers = range(kafka.partitions)
    found = await read_snapshots(settings, kafka.topics.changelog, numbers)
    if any(each.generation not in (None, GENERATION) for each in found.values()):
        raise _in_use(kafka.topics.changelog)
    ranges = await read_ranges(settings, kafka.group, kafka.topics.events, numbers)
    ends = {number: each.end for number, each in ranges.items() if each.end}
    too_many = any(end > _MOST_MARKS for end in ends.values())
    if too_many or not await _are_marks(settings, kafka.topics.events, ends):
        raise _in_use(kafka.topics.events)


async def write_partitions(
    config: Config,
    states: Sequence[PartitionState],
    others: Sequence[Outgoing],
    alerts: Iterable[AlertRecord],
    check: Callable[[], Awaitable[None]],
    went_on: Callable[[], object] = lambda: None,
) -> None:
    """Write the states, by number, so that the workers of a configuration go on with them.

    `others` are records of other topics. `check` is awaited before all of it becomes valid, and
    raises where it must not. `went_on` is called after each partition.
    """
    settings, kafka = for_aiokafka(config.kafka), config.kafka
    producer = Producer(settings, idempotent=kafka.idempotence)
    try:
        ends = await _mark(config, settings, producer)
        nothing_holds = ChangelogRecord(manifest_key(GENERATION), None)
        await producer.send(
            [_of_state(config, number, nothing_holds) for number in range(kafka.partitions)]
        )
        await producer.send([*others, *(_again(config, states, alert) for alert in alerts)])
        manifests = []
        for state, end in zip(states, ends, strict=True):
            state.position = state.settled = end
            manifests.append(await _write_pages(config, producer, state))
            went_on()
        await check()
        await producer.send(manifests)
    finally:
        await producer.stop()


async def _mark(config: Config, settings: dict[str, Any], producer: Producer) -> list[int]:
    """Let every partition of the events begin with a record, read by the group; where they end."""
    kafka = config.kafka
    topic, numbers = kafka.topics.events, range(kafka.partitions)
    ranges = await read_ranges(settings, kafka.group, topic, numbers)
    await producer.send(marks(config, [number for number in numbers if not ranges[number].end]))
    ranges = await read_ranges(settings, kafka.group, topic, numbers)
    consumer = AIOKafkaConsumer(group_id=kafka.group, enable_auto_commit=False, **settings)
    try:
        await start(consumer)
        consumer.assign([TopicPartition(topic, number) for number in numbers])
        await consumer.commit({TopicPartition(topic, n): ranges[n].end for n in numbers})
    finally:
        await close(consumer)
    return [ranges[number].end for number in numbers]


async def _write_pages(config: Config, producer: Producer, state: PartitionState) -> Outgoing:
    """Write the pages of one partition; its manifest, which is to be written last."""
    assert state.partition is not None
    for page in state.pages:
        page.dirty = True
    checkpoint = Checkpoint(state, GENERATION)
    checkpoint.mark(0.0, 0.0)
    waiting: list[Outgoing] = []
    size = 0
    for page in checkpoint.due(0.0, 0.0):
        written = checkpoint.pack(page)
        waiting += [_of_state(config, state.partition, record) for record in written.records]
        size += page.size_bytes
        checkpoint.wrote([written])
        if size >= _CHUNK_BYTES:
            await producer.send(waiting)
            waiting, size = [], 0
    await producer.send(waiting)
    manifest = checkpoint.manifest(config.kafka.partitions, config.version)
    return _of_state(config, state.partition, manifest)


def _of_state(config: Config, number: int, record: ChangelogRecord) -> Outgoing:
    return Outgoing(config.kafka.topics.changelog, number, record.key, record.value)


def _again(config: Config, states: Sequence[PartitionState], alert: AlertRecord) -> Outgoing:
    number = partition_of(alert.account_id, len(states))
    known = ((ACCOUNTS_HEADER, str(states[number].in_use).encode()),)
    key = alert.account_id.encode()
    return Outgoing(config.kafka.topics.alerts, number, key, alert.to_json(), known)


async def _are_marks(settings: dict[str, Any], topic: str, ends: dict[int, int]) -> bool:
    """Whether nothing stands before these ends but what `_mark` writes."""
    if not ends:
        return True
    tps = {TopicPartition(topic, number): end for number, end in ends.items()}
    consumer = reader(settings, fetch_max_wait_ms=100)
    try:
        await start(consumer)
        consumer.assign(list(tps))
        await consumer.seek_to_beginning(*tps)
        while any([await consumer.position(tp) < end for tp, end in tps.items()]):
            for records in (await consumer.getmany(*tps, timeout_ms=_POLL_MS)).values():
                if any((CONTROL_HEADER, CONFIG) not in record.headers for record in records):
                    return False
    finally:
        await close(consumer)
    return True


def _in_use(topic: str) -> PulseError:
    return PulseError(
        f"{topic} is in use already",
        hint="if that is this state, which was rewritten before, there is nothing to do; else name "
        "other topics in the new configuration",
    )
