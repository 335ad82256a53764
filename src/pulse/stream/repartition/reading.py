"""What the partitions that there are know, read to the end of the events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from pulse.config.kafka_clients import close, for_aiokafka, start
from pulse.engine.control import CONTROL_HEADER, is_of_running_clock, tick_time
from pulse.engine.controls import latest_tick_ms
from pulse.errors import PulseError
from pulse.stream.activation import in_force_elsewhere
from pulse.stream.partition import empty_state
from pulse.stream.state.changelog import read_ranges, read_snapshots

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.alerting.alert import AlertRecord
    from pulse.config import Config
    from pulse.engine import Engine, PartitionState

_POLL_MS = 500


@dataclass(slots=True)
class Read:
    """One partition, read to the end `end` of its events (exclusive).

    `alerts` are those of what a worker had applied and not written, which is done again here. They
    went out before; with the day starts it may be others that are worked off, so they go out again,
    as where a worker begins again.
    """

    state: PartitionState
    end: int
    again: int = 0
    """Records that were applied again."""
    alerts: list[AlertRecord] = field(default_factory=list)


async def read_partitions(
    config: Config, engine: Engine, went_on: Callable[[], object] = lambda: None
) -> list[Read]:
    """Every partition of a configuration; the memory is that of a worker that has all.

    `went_on` is called after each. Raises PulseError where state is missing, or where there are
    events that no worker has applied.
    """
    found = []
    for number in range(config.kafka.partitions):
        found.append(await _read(config, engine, number))
        went_on()
    waiting = {each.state.partition: left for each, left in found if left}
    if waiting:
        raise _unread(config, waiting)
    return [each for each, _ in found]


async def ends_of(config: Config) -> list[int]:
    """Where the events of each partition end now."""
    settings, kafka = for_aiokafka(config.kafka), config.kafka
    ranges = await read_ranges(settings, kafka.group, kafka.topics.events, range(kafka.partitions))
    return [ranges[number].end for number in range(kafka.partitions)]


async def _read(config: Config, engine: Engine, number: int) -> tuple[Read, int]:
    """A partition, and how many records beside ticks wait in it."""
    settings, kafka = for_aiokafka(config.kafka), config.kafka
    topic = kafka.topics.events
    snapshot = (await read_snapshots(settings, kafka.topics.changelog, [number]))[number]
    manifest = snapshot.manifest(kafka.partitions)
    if manifest is None:
        raise PulseError(
            f"there is no state of partition {number} in {kafka.topics.changelog}",
            hint="where no worker has run yet there is nothing to rewrite: make new topics; else "
            "start a worker with this configuration, and stop it once it has all partitions",
        )
    state = empty_state(config, number)
    restored = snapshot.restore(engine, state, manifest)
    if not engine.is_in_force(state):
        raise in_force_elsewhere(config, state)
    held = (await read_ranges(settings, kafka.group, topic, [number]))[number]
    if held.earliest > state.position:
        raise PulseError(
            f"partition {number} must be read on from offset {state.position}, "
            f"but the topic begins at {held.earliest}: its retention is too short",
            hint="start a worker with this configuration: it says what can be done",
        )
    if held.end < restored.until:
        raise PulseError(
            f"the state of partition {number} is ahead of its topic: "
            f"offset {restored.until}, the topic ends at {held.end}",
            hint="was the events topic deleted and made again?",
        )
    # All that this part of the log handed on was acknowledged before.
    state.settled = restored.until
    read = Read(state, held.end, max(restored.until - state.position, 0))
    left = await _read_on(settings, engine, read, TopicPartition(topic, number), restored.until)
    if state.is_held():
        raise in_force_elsewhere(config, state)
    return read, left


async def _read_on(
    settings: dict[str, Any], engine: Engine, read: Read, tp: TopicPartition, until: int
) -> int:
    """Apply what a worker had applied, up to `until`; of what comes then take the time alone.

    How many records are there that are no ticks and that no worker has applied. A tick that is not
    applied is as one that is left for later: what is due is done at the next.
    """
    if read.state.position >= read.end:
        return 0
    left = 0
    consumer = AIOKafkaConsumer(enable_auto_commit=False, fetch_max_wait_ms=100, **settings)
    try:
        await start(consumer)
        consumer.assign([tp])
        consumer.seek(tp, read.state.position)
        while await consumer.position(tp) < read.end:
            for records in (await consumer.getmany(tp, timeout_ms=_POLL_MS)).values():
                before = [record for record in records if record.offset < until]
                read.alerts += engine.apply(read.state, before).alerts
                for record in records[len(before) :]:
                    left += not _take_time(read.state, record)
    finally:
        await close(consumer)
    return left


def _take_time(state: PartitionState, record: Any) -> bool:
    """Let the clock be what a tick says; False where it is no tick."""
    if (CONTROL_HEADER, b"tick") not in record.headers:
        return False
    value = record.value or b""
    at_ms = tick_time(value)
    if state.historical and is_of_running_clock(value):
        return True
    if at_ms is not None and 0 <= at_ms <= latest_tick_ms(record.timestamp):
        state.clock_ms = max(at_ms, state.clock_ms or 0)
        if state.first_tick_ms is None:
            state.first_tick_ms = at_ms
    return True


def _unread(config: Config, waiting: dict[int | None, int]) -> PulseError:
    number, most = max(waiting.items(), key=lambda each: each[1])
    return PulseError(
        f"{sum(waiting.values())} records of {config.kafka.topics.events} have been applied by no "
        f"worker, most of them in partition {number} ({most})",
        hint="leave what writes events stopped, start the workers with this configuration until "
        "nothing is left (`pulse doctor`), and stop them again",
    )
