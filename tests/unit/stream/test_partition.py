"""The order in which a partition's flush writes, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine import Columns, Engine
from pulse.metrics import WorkerMetrics
from pulse.producer import Outgoing, Producer
from pulse.stream import partition as module
from pulse.stream.partition import Partition, Surroundings, empty_state
from pulse.stream.state.checkpoint import Checkpoint
from pulse.testing.histories import Log, usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest


class Broker(Producer):
    """Acknowledges everything at once, and keeps what came together."""

    def __init__(self, steps: list[str]) -> None:
        self._steps = steps

    async def send(self, records: Sequence[Outgoing]) -> None:
        self._steps.append(
            "+".join(sorted({(r.key or r.topic.encode()).decode() for r in records}))
        )


async def test_each_write_of_a_flush_is_acknowledged_before_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "CHUNK_BYTES", 1)
    config = Config.model_validate({"worker": {"page_accounts": 1}})
    steps: list[str] = []
    around = Surroundings(
        config, Engine(policy(config)), Broker(steps), WorkerMetrics(), 4,
        lambda step, number: steps.append(f"{step} {number}"),
    )  # fmt: skip
    state = empty_state(config, 3)
    partition = Partition(3, state, Checkpoint(state, 7), around)
    await partition.take_up()
    assert steps == ["manifest/7", "manifest_written 3"]
    steps.clear()
    log = Log()
    log.add(b"not json")
    log.add(usage("e1", "a", 0))
    log.add(usage("e2", "b", 0))
    partition.apply(Columns.of(log.records))
    assert partition.written == 0
    await partition.flush()
    assert partition.written == 3
    assert steps == [
        "pulse.deadletter",
        "effects_acknowledged 3",
        "page/0/7/0/0", "pages_chunk_written 3",
        "page/1/7/0/0", "pages_chunk_written 3",
        "pages_written 3",
        "manifest/7", "manifest_written 3",
    ]  # fmt: skip
