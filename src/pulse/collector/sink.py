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


class _Request(NamedTuple):
    """What a request brings, and the word that its client waits for."""

    round: _Round
    size: int
    done: asyncio.Future[None]


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
        self._waiting: list[_Request] = []
        self._sent: list[_Request] = []
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
        size = sum([len(line[1]) for line in lines]) + sum(len(each.data) for each in letters)
        size += sum(len(link.key) + len(link.account or "") for link in links)
        size += LINE_BYTES * (len(lines) + len(letters) + len(links))
        is_full = bool(self._bytes) and self._bytes + size > self._most_bytes
        # What is on its way to the disk may be as much again.
        if is_full and (self._spool is None or self._bytes + size > 2 * self._most_bytes):
            raise _come_again("Kafka is slow or away, and too much waits for it already")
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._bytes += size
        self._waiting.append(_Request(_Round(list(lines), letters, list(links)), size, done))
        if self._spool is not None and (is_full or self._is_behind):
            self._spool_waiting(self._spool)
        self.start()
        late = loop.call_later(self._within_s, self._is_late, done)
        try:
            await done
        finally:
            late.cancel()

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

    def _is_late(self, done: asyncio.Future[None]) -> None:
        """A client has waited for long enough."""
        if self._spool is not None:
            self._spool_waiting(self._spool)
        elif not done.done():
            # What it brought is sent all the same, with that of the others.
            detail = f"Kafka has not acknowledged within {self._within_s:g} s"
            done.set_exception(_come_again(detail))

    def _finish(self, request: _Request, error: BaseException | None) -> None:
        """It waits no more: Kafka or the spool has it, or never will."""
        self._bytes -= request.size
        if request.done.done():
            return
        if error is None:
            request.done.set_result(None)
        else:
            request.done.set_exception(error)
            request.done.exception()  # whoever waited may be gone

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
                for request in self._sent:
                    self._finish(request, error)
                raise
            finally:
                self._sent = []

    async def _send_sent(self) -> None:
        """Send what is at hand: together, and where Kafka refuses that for good each by itself."""
        try:
            await self._producer.send(self._records([each.round for each in self._sent]))
        except Exception:
            await self._send_singly()
        # What went to the spool meanwhile is not among it any more.
        for request in self._sent:
            self._finish(request, None)

    async def _send_singly(self) -> None:
        while self._sent:  # what takes too long may go to the spool meanwhile
            request, refusal = self._sent[0], None
            try:
                await self._producer.send(self._records([request.round]))
            except Exception as error:
                log.warning("Kafka refuses what came in", error=repr(error))
                refusal = Refusal(503, "kafka_refused", str(error), retry_after_s=RETRY_AFTER_S)
            if request in self._sent[:1]:
                self._finish(request, refusal)
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
        for request in waiting:
            try:
                written = spool.add(msgspec.msgpack.encode(request.round))
            except SpoolFullError as error:
                self._finish(request, _come_again(f"Kafka is away, and {error}"))
            else:
                written.add_done_callback(partial(self._finish_spooled, request))

    def _finish_spooled(self, request: _Request, written: asyncio.Future[None]) -> None:
        error = None
        if written.cancelled() or written.exception() is not None:
            why = "" if written.cancelled() else str(written.exception())
            error = Refusal(503, "spool_failed", why, retry_after_s=RETRY_AFTER_S)
        self._finish(request, error)

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


def _come_again(detail: str) -> Refusal:
    return Refusal(503, "kafka_away", detail, retry_after_s=RETRY_AFTER_S)
