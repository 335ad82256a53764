"""Every account as it stands in the changelog, without a worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulse.config.kafka_clients import for_aiokafka
from pulse.config.policy import policy
from pulse.engine import Engine
from pulse.stream.changelog import read_snapshots
from pulse.stream.partition import empty_state

if TYPE_CHECKING:
    from pulse.config import Config
    from pulse.engine import PartitionState


async def read_statuses(config: Config) -> list[dict[str, Any]]:
    """The lines of `pulse replay --accounts-out`, in its order, from the state of the workers.

    The accounts of a partition are as of its largest tick. What a worker has applied and not yet
    written is not in it.
    """
    engine = Engine(policy(config))
    statuses: list[dict[str, Any]] = []
    for state in await _settled(config, engine):
        if state.clock_ms is not None:
            statuses += [engine.status(state.account(name), state.clock_ms) for name in state.ids()]
    statuses.sort(key=lambda status: str(status["account_id"]))
    return statuses


async def read_packed(config: Config) -> dict[str, bytes]:
    """Every account as bytes, by its id: as `read_statuses`, for a comparison to the byte."""
    states = await _settled(config, Engine(policy(config)))
    return {name: state.packed(name) for state in states for name in state.ids()}


async def _settled(config: Config, engine: Engine) -> list[PartitionState]:
    """The state of every partition that has one, with everything done that is due."""
    partitions = config.kafka.partitions
    snapshots = await read_snapshots(
        for_aiokafka(config.kafka), config.kafka.topics.changelog, range(partitions)
    )
    states = []
    for number, snapshot in snapshots.items():
        manifest = snapshot.manifest(partitions)
        if manifest is None:
            continue
        state = empty_state(config, number)
        snapshot.restore(engine, state, manifest)
        if state.clock_ms is not None:
            engine.settle(state)
        states.append(state)
    return states
