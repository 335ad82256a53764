"""Lines → Kafka: many requests' lines in one round, and an answer when Kafka has them."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from pulse.collector.refusals import Refusal
from pulse.collector.spool import FILE_BYTES, SpoolFullError
from pulse.packs import Line, packed
from pulse.placement import partition_of
from pulse.producer import Outgoing, Producer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pulse.collector.links import Link
    from pulse.collector.spool import Batch, Spool

log = structlog.get_logger("pulse.collector")

RETRY_AFTER_S = 5

LINE_BYTES = 200
"""What a line takes besides what it says, about, while it waits."""

MAX_DETAIL = 1_000
"""Characters of what is wrong with an event: some of it is the client's own words."""

MAX_LETTER_BYTES = 512 << 10
"""Of what is kept of an event that cannot be counted: Kafka takes no record of any size."""


class Letter(NamedTuple):
    """An event that cannot be counted: kept among the dead letters, with the reason."""

    data: bytes
    reason: str
    detail: str


class _Round(NamedTuple):
    lines: list[Line]
    letters: list[Letter]
    links: list[Link]


_Waiting = list[tuple[_Round, asyncio.Future[None]]]


class Sink:
    """Writes lines to the topic of events, letters to that of dead letters, and links to theirs.

    At most `most_bytes` wait for Kafka at once; beyond that, and where Kafka does not acknowledge
    within `within_s`, a request is told to come again (503). What was not acknowledged in time may
    be written all the same: a repeat has the same id, and is counted once.

    With a spool, what would be told to come again waits on the disk instead, and its clients are
    answered when it is there. What comes goes behind it, until Kafka has all but the last of it;
    what waits there is always sent first, so that nothing overtakes.
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
        spool: Spool | None = None,
    ) -> None:
        self._producer = producer
        self._events = events
        self._deadletter = deadletter
        self._links = links
        self._partitions = partitions
        self._most_bytes = most_bytes
        self._within_s = within_s
        self._spool = spool
        self._is_behind = bool(spool)
        """Whether what comes goes to the spool."""
        self._waiting: _Waiting = []
        self._sent: _Waiting = []
        """What Kafka was given, while it has not acknowledged it."""
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def waiting_bytes(self) -> int:
        """Bytes that Kafka has not acknowledged."""
        return self._bytes

    async def put(
        self, lines: Sequence[Line], letters: Sequence[Letter] = (), links: Sequence[Link] = ()
    ) -> None:
        """Return when Kafka, or the spool, has all of them. Raises `Refusal` (503)."""
        if not (lines or letters or links):
            return
        letters = [
            Letter(each.data[:MAX_LETTER_BYTES], each.reason, each.detail[:MAX_DETAIL])
            for each in letters
        ]
        size = sum(len(line.data) for line in lines) + sum(len(each.data) for each in letters)
        size += sum(len(link.key) + len(link.account or "") for link in links)
        size += LINE_BYTES * (len(lines) + len(letters) + len(links))
        is_full = bool(self._bytes) and self._bytes + size > self._most_bytes
        # What is on its way to the disk may be as much again.
        if is_full and (self._spool is None or self._bytes + size > 2 * self._most_bytes):
            raise _come_again("Kafka is slow or away, and too much waits for it already")
        done = asyncio.get_running_loop().create_future()
        self._bytes += size
        self._waiting.append((_Round(list(lines), letters, list(links)), done))
        done.add_done_callback(lambda _: self._gone(size))
        if self._spool is not None and (is_full or self._is_behind):
            self._spool_waiting(self._spool)
        self.start()
        try:
            # The round goes on for the others, and for these too.
            await asyncio.wait_for(asyncio.shield(done), self._within_s)
        except TimeoutError:
            if self._spool is None:
                detail = f"Kafka has not acknowledged within {self._within_s:g} s"
                raise _come_again(detail) from None
            self._spool_waiting(self._spool)
            await asyncio.shield(done)

    def start(self) -> None:
        """Send what waits, also what was left in the spool."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="sink")

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
        while self._waiting or self._spool:
            if self._spool:
                await self._drain(self._spool)
                continue
            self._sent, self._waiting = self._waiting, []
            try:
                await self._send_sent()
            except BaseException as error:
                for _, done in self._sent:
                    _settle(done, error)
                raise
            finally:
                self._sent = []

    async def _send_sent(self) -> None:
        """Send what is at hand: together, and where Kafka refuses that for good each by itself."""
        try:
            await self._producer.send(self._records([each for each, _ in self._sent]))
        except Exception:
            await self._send_singly()
        for _, done in self._sent:
            _settle(done, None)

    async def _send_singly(self) -> None:
        while self._sent:  # what takes too long may go to the spool meanwhile
            round_, done = self._sent[0]
            refusal = None
            try:
                await self._producer.send(self._records([round_]))
            except Exception as error:
                log.warning("Kafka refuses what came in", error=repr(error))
                refusal = Refusal(503, "kafka_refused", str(error), retry_after_s=RETRY_AFTER_S)
            _settle(done, refusal)
            self._sent = self._sent[1:]

    def _spool_waiting(self, spool: Spool) -> None:
        """Put on the disk, in order, what Kafka has not acknowledged.

        What was sent already may come twice, with the same ids.
        """
        waiting = [*self._sent, *self._waiting]
        self._sent, self._waiting = [], []
        if not self._is_behind:
            self._is_behind = True
            log.warning("Kafka is slow or away: what comes in waits in the spool")
        for round_, done in waiting:
            if done.done():
                continue
            try:
                written = spool.add(msgspec.msgpack.encode(round_))
            except SpoolFullError as error:
                _settle(done, _come_again(f"Kafka is away, and {error}"))
            else:
                written.add_done_callback(partial(_settle_spooled, done))

    async def _drain(self, spool: Spool) -> None:
        """Send what has waited longest."""
        batch = await spool.oldest()
        if batch is None:
            return
        try:
            await self._producer.send(self._records([_read(each) for each in batch.records]))
        except Exception:
            await self._drain_singly(spool, batch)
        try:
            spool.remove(batch)
        except OSError as error:
            log.error("the spool cannot be emptied", error=str(error))
            await asyncio.sleep(RETRY_AFTER_S)
            return
        if self._is_behind and spool.size < FILE_BYTES:
            # Under load it would never be empty: there is always somebody on the way to the disk.
            self._is_behind = False
            log.info("Kafka takes what comes in again", spooled_bytes=spool.size)

    async def _drain_singly(self, spool: Spool, batch: Batch) -> None:
        """What Kafka refuses for good is set aside, so that the rest goes on."""
        refused = []
        for record in batch.records:
            try:
                await self._producer.send(self._records([_read(record)]))
            except Exception as error:
                log.error("Kafka refuses what waits in the spool", error=repr(error))
                refused.append(record)
        if refused:
            spool.set_aside(batch, refused)

    def _records(self, rounds: list[_Round]) -> list[Outgoing]:
        lines = chain.from_iterable(round_.lines for round_ in rounds)
        records = [
            Outgoing(self._events, each.partition, each.key, each.value)
            for each in packed(lines, self._partitions)
        ]
        for round_ in rounds:
            for each in round_.letters:
                said = {"pulse-reason": each.reason, "pulse-detail": each.detail}
                headers = [(name, text.encode()) for name, text in said.items()]
                records.append(Outgoing(self._deadletter, None, None, each.data, headers))
            for link in round_.links:
                # One partition for each: the newest of a user's must stand last.
                partition = partition_of(link.user, self._partitions)
                account = None if link.account is None else link.account.encode()
                records.append(Outgoing(self._links, partition, link.key, account))
        return records


def _read(record: bytes) -> _Round:
    """A round as the spool has it."""
    from pulse.collector.links import Link  # which needs this module

    lines, letters, links = msgspec.msgpack.decode(record)
    return _Round(
        [Line(*each) for each in lines],
        [Letter(*each) for each in letters],
        [Link(*each) for each in links],
    )


def _settle(done: asyncio.Future[None], error: BaseException | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
        done.exception()  # whoever waited may be gone


def _settle_spooled(done: asyncio.Future[None], written: asyncio.Future[None]) -> None:
    error = None if written.cancelled() else written.exception()
    refusal = Refusal(503, "spool_failed", str(error), retry_after_s=RETRY_AFTER_S)
    _settle(done, None if error is None and not written.cancelled() else refusal)


def _come_again(detail: str) -> Refusal:
    return Refusal(503, "kafka_away", detail, retry_after_s=RETRY_AFTER_S)
