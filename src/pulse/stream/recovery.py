"""Taking up a partition: its state back from the changelog, and where to read its input on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from aiokafka.errors import KafkaError

from pulse.errors import PulseError
from pulse.stream.partition import Partition, Surroundings, empty_state
from pulse.stream.state.changelog import InputRange, read_ranges, read_snapshots
from pulse.stream.state.checkpoint import Checkpoint
from pulse.stream.state.pages import generation_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pulse.engine import PartitionState
    from pulse.stream.state.pages import Manifest
    from pulse.stream.state.snapshot import Restored, Snapshot

log = structlog.get_logger("pulse.worker")

RETRY_S = 1.0
T = TypeVar("T")


async def read_back(
    around: Surroundings,
    settings: dict[str, Any],
    numbers: Sequence[int],
    group_generation: int,
    went_on: Callable[[], object] = lambda: None,
) -> list[Partition]:
    """The partitions as their state was written; `position` is where the input is read on.

    `went_on` is called whenever there is more of it than before.
    Waits while Kafka is away. Raises PulseError where the counts could not be exact: state of
    another version or number of partitions, state or input that is gone.
    """
    kafka, started_s = around.config.kafka, time.monotonic()
    snapshots = await _patiently(
        lambda: read_snapshots(settings, kafka.topics.changelog, numbers, went_on)
    )
    seconds = round(time.monotonic() - started_s, 2)
    log.info("state read back", partitions=len(numbers), seconds=seconds)
    ranges = await _patiently(
        lambda: read_ranges(settings, kafka.group, kafka.topics.events, numbers)
    )
    partitions = []
    for number in numbers:
        snapshot = snapshots.pop(number)  # its memory is free once it is restored
        state, restored = _restore(around, number, snapshot, ranges[number])
        generation = generation_after(snapshot.generation, group_generation)
        checkpoint = Checkpoint(state, generation, restored, time.monotonic())
        partitions.append(Partition(number, state, checkpoint, around))
        went_on()
        await asyncio.sleep(0)
    return partitions


def _restore(
    around: Surroundings, number: int, snapshot: Snapshot, held: InputRange
) -> tuple[PartitionState, Restored | None]:
    state, restored = empty_state(around.config, number), None
    manifest = snapshot.manifest(around.partitions)
    if manifest is not None:
        restored = snapshot.restore(around.engine, state, manifest)
        _tell(around, number, manifest, state, restored)
    elif held.committed:
        raise PulseError(
            f"partition {number} was read up to offset {held.committed}, "
            "but its state is missing from the changelog",
            hint=f"bring the topic {around.config.kafka.topics.changelog} back, or delete the "
            f"offsets of group {around.config.kafka.group} to count from the beginning",
        )
    if held.earliest > state.position and (manifest is not None or held.committed is not None):
        raise PulseError(
            f"partition {number} must be read on from offset {state.position}, "
            f"but the topic begins at {held.earliest}: its retention is too short",
            hint="raise kafka.retention_days.events; this time, count anew from what is there "
            "by deleting the changelog topic and the group's offsets",
        )
    if restored is not None and restored.until > held.end:
        raise PulseError(
            f"the state of partition {number} is ahead of its topic: "
            f"offset {restored.until}, the topic ends at {held.end}",
            hint="was the events topic deleted and made again? Use a new group and changelog",
        )
    state.position = max(state.position, held.earliest)
    state.touched.update(state.ids())
    return state, restored


def _tell(
    around: Surroundings, number: int, manifest: Manifest, state: PartitionState, restored: Restored
) -> None:
    """Say what is remarkable about what was read back."""
    again = max(manifest.position - state.position, 0)
    around.metrics.reread_records.inc(again)
    around.metrics.pages_behind.inc(restored.behind)
    if restored.behind:
        log.warning(
            "pages hold less than they should, reading their input again",
            partition=number,
            pages=restored.behind,
            from_offset=state.position,
            to_offset=manifest.position,
        )
    elif again:
        log.info(
            "reading again what was applied and not yet written",
            partition=number,
            from_offset=state.position,
            to_offset=manifest.position,
        )


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
