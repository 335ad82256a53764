"""Every account as it stands in the changelog, without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from pulse.config.kafka_clients import close, for_aiokafka, start
from pulse.config.policy import policy
from pulse.engine import Engine
from pulse.errors import PulseError
from pulse.placement import partition_of
from pulse.stream.activation import in_force_elsewhere
from pulse.stream.partition import empty_state
from pulse.stream.state.changelog import read_ranges, read_snapshots

if TYPE_CHECKING:
    from pulse.config import Config
    from pulse.engine import PartitionState

_POLL_MS = 500


async def read_statuses(config: Config) -> list[dict[str, Any]]:
    """The lines of `pulse replay --accounts-out`, in its order, from the state of the workers.

    The accounts of a partition are as of the input that its last manifest knows: what pages do not
    hold of it is read again. What a worker has applied since is not in it.
    """
    engine = _engine(config)
    statuses: list[dict[str, Any]] = []
    for state in await _settled(config, engine):
        at_ms, lines = state.clock_ms, state.lines
        if at_ms is not None:
            statuses += [engine.status(state.account(i), at_ms, lines) for i in state.ids()]
    statuses.sort(key=lambda status: str(status["account_id"]))
    return statuses


async def read_packed(config: Config) -> dict[str, bytes]:
    """Every account as bytes, by its id: as `read_statuses`, for a comparison to the byte."""
    states = await _settled(config, _engine(config))
    return {name: state.packed(name) for state in states for name in state.ids()}


def _engine(config: Config) -> Engine:
    count = config.kafka.partitions
    return Engine(policy(config), lambda account_id: partition_of(account_id, count))


async def _settled(config: Config, engine: Engine) -> list[PartitionState]:
    """The state of every partition that has one, with everything done that is due."""
    partitions = config.kafka.partitions
    settings = for_aiokafka(config.kafka)
    snapshots = await read_snapshots(settings, config.kafka.topics.changelog, range(partitions))
    states = []
    for number in list(snapshots):
        snapshot = snapshots.pop(number)
        manifest = snapshot.manifest(partitions)
        if manifest is None:
            continue
        state = empty_state(config, number)
        restored = snapshot.restore(engine, state, manifest)
        if not engine.is_in_force(state):
            raise in_force_elsewhere(config, state)
        await _read_on(config, settings, engine, state, restored.until)
        if state.clock_ms is not None:
            engine.settle(state)
        states.append(state)
    return states


async def _read_on(
    config: Config, settings: dict[str, Any], engine: Engine, state: PartitionState, until: int
) -> None:
    """Bring a state up to the offset `until` (exclusive); what that causes was caused before."""
    if state.position >= until:
        return
    kafka, tp = config.kafka, TopicPartition(config.kafka.topics.events, state.partition or 0)
    ranges = await read_ranges(settings, kafka.group, tp.topic, [tp.partition])
    held = ranges[tp.partition]
    if held.earliest > state.position:
        raise PulseError(
            f"partition {tp.partition} must be read on from offset {state.position}, "
            f"but the topic begins at {held.earliest}: its retention is too short",
            hint="raise kafka.retention_days.events",
        )
    if held.end < until:
        raise PulseError(
            f"the state of partition {tp.partition} is ahead of its topic: "
            f"offset {until}, the topic ends at {held.end}",
            hint="was the events topic deleted and made again? Use a new group and changelog",
        )
    consumer = AIOKafkaConsumer(enable_auto_commit=False, fetch_max_wait_ms=100, **settings)
    try:
        await start(consumer)
        consumer.assign([tp])
        consumer.seek(tp, state.position)
        while await consumer.position(tp) < until:
            for records in (await consumer.getmany(tp, timeout_ms=_POLL_MS)).values():
                engine.apply(state, [record for record in records if record.offset < until])
                if state.is_held():
                    raise in_force_elsewhere(config, state)
    finally:
        await close(consumer)
