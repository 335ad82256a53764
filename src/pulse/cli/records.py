"""What the commands that look at alerts and deliveries share: the deliveries topic, read."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from rich.table import Table
from rich.text import Text

from pulse.alerting.records import envelope
from pulse.alerting.records.reader import Deliveries
from pulse.cli.progress import file_progress
from pulse.cli.words import count
from pulse.cli.writing import CONNECT_S
from pulse.config.kafka_clients import close, for_aiokafka, start
from pulse.errors import PulseError
from pulse.following import reader
from pulse.topics.broker import Brokers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from aiokafka import AIOKafkaConsumer

    from pulse.config import Config

T = TypeVar("T")

_QUIET_S: Final = 10.0
"""So long nothing may come before the end."""


def deliveries_of(config: Config, *, keep_json: bool = False) -> Deliveries:
    """What the deliveries topic says now. Raises `PulseError`."""
    with Brokers(config.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(config.kafka.topics.deliveries)
    known = Deliveries(keep_json=keep_json)
    done(follow(config, known))
    return known


def done(work: Coroutine[Any, Any, T]) -> T:
    """The result of what reads Kafka. Raises `PulseError` where it is away."""
    try:
        return asyncio.run(work)
    except (TimeoutError, KafkaError, OSError) as error:
        raise PulseError(
            f"Kafka did not answer: {error!r}", hint="is it there? try again"
        ) from None


async def follow(
    config: Config,
    known: Deliveries,
    until: Callable[[], bool] = lambda: True,
    within_s: float = 0.0,
    *,
    first: int | None = None,
) -> bool:
    """Read from an offset, else from the beginning, to the end, and on until something holds, for
    so long at most; whether it does.

    Raises TimeoutError, KafkaError or OSError.
    """
    async with _reader(config) as (consumer, source):
        async with asyncio.timeout(CONNECT_S):
            if first is None:
                first = (await consumer.beginning_offsets([source]))[source]
            last = (await consumer.end_offsets([source]))[source]
        consumer.seek(source, first)
        await _to_the_end(consumer, source, first, last, known)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not until():
                    _take(await consumer.getmany(source, timeout_ms=200), known)
        return until()


async def end_of(config: Config) -> int:
    """The offset of the next record. Raises as `follow`."""
    async with _reader(config) as (consumer, source):
        return int((await consumer.end_offsets([source]))[source])


@asynccontextmanager
async def _reader(config: Config) -> AsyncIterator[tuple[AIOKafkaConsumer, TopicPartition]]:
    source = TopicPartition(config.kafka.topics.deliveries, envelope.PARTITION)
    consumer = reader(for_aiokafka(config.kafka), fetch_max_wait_ms=100)
    try:
        async with asyncio.timeout(CONNECT_S):
            await start(consumer)
        consumer.assign([source])
        yield consumer, source
    finally:
        await close(consumer)


async def _to_the_end(
    consumer: AIOKafkaConsumer, source: TopicPartition, first: int, last: int, known: Deliveries
) -> None:
    bad, position = 0, first
    loop = asyncio.get_running_loop()
    heard_s = loop.time()
    with file_progress("deliveries", last - first) as progress:
        while position < max(last, consumer.highwater(source) or 0):
            records = await consumer.getmany(source, timeout_ms=200)
            bad += _take(records, known)
            if (following := await consumer.position(source)) > position:
                position, heard_s = following, loop.time()
                progress(position - first, count(len(known.notifications), "notification"))
            elif loop.time() - heard_s > _QUIET_S:
                raise TimeoutError("it stopped before the end of the deliveries topic")
    if bad:
        print(f"{count(bad, 'record')} could not be read, and were passed over", file=sys.stderr)


def _take(polled: dict[TopicPartition, list[Any]], known: Deliveries) -> int:
    bad = 0
    for records in polled.values():
        for record in records:
            key = "" if record.key is None else record.key.decode(errors="replace")
            try:
                known.read(key, record.value)
            except ValueError:
                bad += 1
    return bad


def moment(ms: int | None) -> str:
    """An instant as people read it, UTC to the second.

    >>> moment(1729798381500), moment(None)
    ('2024-10-24 19:33:01', '-')
    """
    if ms is None:
        return "-"
    return f"{datetime.fromtimestamp(ms // 1000, tz=UTC):%Y-%m-%d %H:%M:%S}"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Rows under titles, none of which means markup."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        made.add_column(title, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def the_one(kind: str, name: str | None, names: Sequence[str], command: str) -> str:
    """The id that somebody means: all of it, or what only it begins with. Raises `PulseError`."""
    if not name:
        raise PulseError(f"which {kind}?", hint=f"`{command}` lists them")
    found = [name] if name in names else [each for each in names if each.startswith(name)]
    if len(found) != 1:
        raise PulseError(
            f"no {kind} is called so" if not found else f"{len(found)} {kind}s begin so",
            hint=f"`{command}` lists them",
        )
    return found[0]
