"""Taking up a partition: its state back from the changelog, and where to read its input on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from aiokafka.errors import KafkaError

from pulse.errors import PulseError
from pulse.stream.changelog import InputRange, read_ranges, read_snapshots
from pulse.stream.partition import Surroundings, empty_state

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pulse.engine import PartitionState
    from pulse.stream.pages import Snapshot

log = structlog.get_logger("pulse.worker")

RETRY_S = 1.0
T = TypeVar("T")


async def read_states(
    around: Surroundings, settings: dict[str, Any], numbers: Sequence[int]
) -> dict[int, PartitionState]:
    """The state of each partition; `position` is where its input is read on.

    Waits while Kafka is away. Raises PulseError where the counts could not be exact: state of
    another version or number of partitions, state or input that is gone.
    """
    kafka = around.config.kafka
    snapshots = await _patiently(lambda: read_snapshots(settings, kafka.topics.changelog, numbers))
    ranges = await _patiently(
        lambda: read_ranges(settings, kafka.group, kafka.topics.events, numbers)
    )
    return {
        number: _restore(around, number, snapshots[number], ranges[number]) for number in numbers
    }


def _restore(
    around: Surroundings, number: int, snapshot: Snapshot, held: InputRange
) -> PartitionState:
    state = empty_state(around.config, number)
    manifest = snapshot.manifest(around.partitions)
    if manifest is not None:
        snapshot.restore(around.engine, state, manifest)
        if manifest.config_version != around.config.version:
            log.warning(
                "the configuration has changed since the state was written",
                partition=number,
                was=manifest.config_version,
                now=around.config.version,
            )
        if state.position < manifest.position:
            log.warning(
                "a page was overwritten by an older one, reading its input again",
                partition=number,
                from_offset=state.position,
                to_offset=manifest.position,
            )
    elif held.committed:
        raise PulseError(
            f"partition {number} was read up to offset {held.committed}, "
            "but its state is missing from the changelog",
            hint=f"bring the topic {around.config.kafka.topics.changelog} back, or delete the "
            f"offsets of group {around.config.kafka.group} to count from the beginning",
        )
    if held.earliest > state.position and (manifest is not None or held.committed):
        raise PulseError(
            f"partition {number} must be read on from offset {state.position}, "
            f"but the topic begins at {held.earliest}: its retention is too short",
            hint="raise kafka.retention_days.events; this time, count anew from what is there "
            "by deleting the changelog topic and the group's offsets",
        )
    if manifest is not None and state.position > held.end:
        raise PulseError(
            f"the state of partition {number} is ahead of its topic: "
            f"offset {state.position}, the topic ends at {held.end}",
            hint="was the events topic deleted and made again? Use a new group and changelog",
        )
    state.position = max(state.position, held.earliest)
    state.touched.update(state.ids())
    return state


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer of Kafka, also if it is away for a while."""
    waiting = False
    while True:
        try:
            return await ask()
        except (KafkaError, OSError) as error:
            if not waiting:
                log.warning(
                    "kafka went away while state was read back, waiting",
                    reason=type(error).__name__,
                )
            waiting = True
            await asyncio.sleep(RETRY_S)
