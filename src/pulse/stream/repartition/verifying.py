"""What was written, read back as a worker would read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.config.kafka_clients import for_aiokafka
from pulse.errors import PulseError
from pulse.stream.partition import empty_state
from pulse.stream.state.changelog import read_snapshots

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pulse.config import Config
    from pulse.engine import Engine, PartitionState


async def verify(
    config: Config,
    engine: Engine,
    states: Sequence[PartitionState],
    went_on: Callable[[], object] = lambda: None,
) -> None:
    """Raise PulseError where a state in the changelog is another one than it should be.

    `went_on` is called after each partition.
    """
    settings, kafka = for_aiokafka(config.kafka), config.kafka
    for number, wanted in enumerate(states):
        snapshot = (await read_snapshots(settings, kafka.topics.changelog, [number]))[number]
        manifest = snapshot.manifest(kafka.partitions)
        found = empty_state(config, number)
        if manifest is not None:
            snapshot.restore(engine, found, manifest)
        if _bytes_of(found) != _bytes_of(wanted):
            raise PulseError(
                f"what stands in partition {number} of {kafka.topics.changelog} is not what was "
                "written",
                hint="run it again; what was read is as it was",
            )
        went_on()


def _bytes_of(state: PartitionState) -> tuple[int, dict[str, bytes]]:
    names = [name for page in state.pages for name in page.accounts]
    return state.position, {name: state.packed(name) for name in names}
