"""Notices that a source has stopped, or that one it took to have stopped runs again.

Who has partition 0 says that a source stopped, by the partitions that it has: events of accounts
are spread over all of them, so what is missing in these is missing. Every worker says that it runs
again once an event of it comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from aiokafka.errors import KafkaError

from pulse.engine.control import source
from pulse.engine.heard import SLOT_MS, stops
from pulse.stream.kafka.everywhere import write_everywhere

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from pulse.config import Config
    from pulse.engine import PartitionState
    from pulse.engine.control import ControlRecord
    from pulse.stream.partition import Partition

log = structlog.get_logger("pulse.worker")

_LOOK_S: Final = 2.0


class SourceGuard:
    """What is to be written, by the states of the partitions that a worker has.

    What was said is not said again before it has come back, which it does in the log.
    """

    def __init__(self, after_ms: int, regular_ms: int) -> None:
        self._after_ms = after_ms
        self._slots = max(regular_ms // SLOT_MS, 1)
        self._said: set[tuple[str, str, int]] = set()

    def look(self, states: Mapping[int, PartitionState]) -> list[ControlRecord]:
        """The records that every partition is to have."""
        return [*self._stopped(states), *self._running(states)]

    def _stopped(self, states: Mapping[int, PartitionState]) -> Iterator[ControlRecord]:
        clocks = [state.clock_ms for state in states.values() if state.clock_ms is not None]
        # Who lags behind has not heard what came.
        if 0 not in states or len(clocks) < len(states):
            return
        heard = (state.heard for state in states.values())
        for name, since_ms in stops(heard, min(clocks), self._after_ms, self._slots):
            is_known = name in states[0].outages.stopped()
            if not is_known and self._is_new(name, "stopped", since_ms):
                log.warning("a source has stopped", source=name, since_ms=since_ms)
                yield source(name, "stopped", since_ms, watched=True)

    def _running(self, states: Mapping[int, PartitionState]) -> Iterator[ControlRecord]:
        for state in states.values():
            for outage in state.outages.found:
                heard = state.heard.get(outage.source)
                if (
                    outage.watched
                    and outage.is_open
                    and heard is not None
                    and heard.last_ms > outage.from_ms
                    and self._is_new(outage.source, "running", outage.from_ms)
                ):
                    log.info("a source runs again", source=outage.source)
                    yield source(outage.source, "running", heard.last_ms)

    def _is_new(self, name: str, state: str, at_ms: int) -> bool:
        said = (name, state, at_ms)
        if said in self._said:
            return False
        self._said.add(said)
        return True

    def take_back(self) -> None:
        """What was said last could not be written: say it again."""
        self._said.clear()


async def guard_sources(
    config: Config, settings: dict[str, Any], count: int, partitions: Mapping[int, Partition]
) -> None:
    """Look every now and then, until cancelled."""
    rule = config.worker.source_guard
    guard = SourceGuard(rule.after_ms, rule.regular_ms)
    while True:
        await asyncio.sleep(_LOOK_S)
        records = guard.look({number: each.state for number, each in partitions.items()})
        for record in records:
            try:
                await write_everywhere(settings, config.kafka.topics.events, count, record)
            except (TimeoutError, KafkaError, OSError) as error:
                log.warning("what a source does cannot be written", reason=type(error).__name__)
                guard.take_back()
