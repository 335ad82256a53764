"""Lines → Kafka: many requests' lines in one round, and an answer when Kafka has them."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import structlog

from pulse.collector.refusals import Refusal
from pulse.placement import partition_of
from pulse.producer import Outgoing, Producer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.collector.links import Link

log = structlog.get_logger("pulse.collector")

RECORD_BYTES = 256 << 10
"""Lines of a partition packed into one record, at most (one line may have more)."""

RETRY_AFTER_S = 5

MAX_LETTER_BYTES = 512 << 10
"""Of what is kept of an event that cannot be counted: Kafka takes no record of any size."""

# It takes as long as all else that is done with a line here.
_partition_of = lru_cache(maxsize=1 << 16)(partition_of)


class Line(NamedTuple):
    """A line of the events topic."""

    account_id: str
    data: bytes


class Letter(NamedTuple):
    """An event that cannot be counted: kept among the dead letters, with the reason."""

    data: bytes
    reason: str
    detail: str


class _Round(NamedTuple):
    lines: list[Line]
    letters: list[Letter]
    links: list[Link]


class Sink:
    """Writes lines to the topic of events, letters to that of dead letters, and links to theirs.

    At most `most_bytes` wait for Kafka at once; beyond that, and where Kafka does not acknowledge
    within `within_s`, a request is told to come again (503). What was not acknowledged in time may
    be written all the same: a repeat has the same id, and is counted once.
    """

    def __init__(
        self,
        producer: Producer,
        *,
        events: str,
        deadletter: str,
        links: str,
        partitions: int,
        most_bytes: int,
        within_s: float,
    ) -> None:
        self._producer = producer
        self._events = events
        self._deadletter = deadletter
        self._links = links
        self._partitions = partitions
        self._most_bytes = most_bytes
        self._within_s = within_s
        self._waiting: list[tuple[_Round, asyncio.Future[None]]] = []
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting_bytes(self) -> int:
        """Bytes that Kafka has not acknowledged."""
        return self._bytes

    async def put(
        self, lines: Sequence[Line], letters: Sequence[Letter] = (), links: Sequence[Link] = ()
    ) -> None:
        """Return when Kafka has acknowledged all of them. Raises `Refusal` (503)."""
        letters = [each._replace(data=each.data[:MAX_LETTER_BYTES]) for each in letters]
        size = sum(len(line.data) for line in lines) + sum(len(each.data) for each in letters)
        size += sum(len(link.key) + len(link.account or "") for link in links)
        if not size:
            return
        if self._bytes and self._bytes + size > self._most_bytes:
            raise _come_again("Kafka is slow or away, and too much waits for it already")
        done = asyncio.get_running_loop().create_future()
        self._bytes += size
        self._waiting.append((_Round(list(lines), letters, list(links)), done))
        done.add_done_callback(lambda _: self._gone(size))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="sink")
        try:
            # The round goes on for the others, and for these too.
            await asyncio.wait_for(asyncio.shield(done), self._within_s)
        except TimeoutError:
            raise _come_again(f"Kafka has not acknowledged within {self._within_s:g} s") from None

    async def close(self, within_s: float) -> None:
        """Wait until everything is acknowledged, for at most so long."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._task), within_s)
            self._task.cancel()

    def _gone(self, size: int) -> None:
        self._bytes -= size

    async def _run(self) -> None:
        """One round after the other; what comes meanwhile makes the next one."""
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                await self._producer.send(self._records([each for each, _ in waiting]))
            except BaseException as error:
                told = error
                if isinstance(error, Exception):
                    log.warning("Kafka has refused what came in", error=repr(error))
                    told = Refusal(503, "kafka_refused", str(error), retry_after_s=RETRY_AFTER_S)
                for _, done in waiting:
                    if not done.done():
                        done.set_exception(told)
                        done.exception()  # whoever waited may be gone
                if told is error:
                    raise
            else:
                for _, done in waiting:
                    if not done.done():
                        done.set_result(None)

    def _records(self, rounds: list[_Round]) -> list[Outgoing]:
        of_partition: dict[int, list[Line]] = defaultdict(list)
        records: list[Outgoing] = []
        for round_ in rounds:
            for line in round_.lines:
                of_partition[_partition_of(line.account_id, self._partitions)].append(line)
            for each in round_.letters:
                said = {"pulse-reason": each.reason, "pulse-detail": each.detail}
                headers = [(name, text.encode()) for name, text in said.items()]
                records.append(Outgoing(self._deadletter, None, None, each.data, headers))
            for link in round_.links:
                # One partition for each: the newest of a user's must stand last.
                partition = partition_of(link.user, self._partitions)
                account = None if link.account is None else link.account.encode()
                records.append(Outgoing(self._links, partition, link.key, account))
        for partition, lines in of_partition.items():
            records += self._packed(partition, lines)
        return records

    def _packed(self, partition: int, lines: list[Line]) -> list[Outgoing]:
        """Lines of one partition, in order, in few records."""
        packs: list[list[Line]] = []
        size = RECORD_BYTES
        for line in lines:
            size += len(line.data) + 1
            if size > RECORD_BYTES:
                packs.append([])
                size = len(line.data)
            packs[-1].append(line)
        return [
            Outgoing(self._events, partition, _key(pack), b"\n".join(each.data for each in pack))
            for pack in packs
        ]


def _key(lines: list[Line]) -> bytes | None:
    """The account, where it is one."""
    accounts = {each.account_id for each in lines}
    return accounts.pop().encode() if len(accounts) == 1 else None


def _come_again(detail: str) -> Refusal:
    return Refusal(503, "kafka_away", detail, retry_after_s=RETRY_AFTER_S)
