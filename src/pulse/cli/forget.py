"""`pulse forget`: erase an account, or a user."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.writing import CONNECT_S, done, links_of, write
from pulse.collector.links import Link
from pulse.collector.privacy import Privacy, privacy_of
from pulse.config import Config
from pulse.engine.control import ControlRecord
from pulse.engine.control import forget as record_of
from pulse.errors import PulseError
from pulse.notifier.arrival import Bounds
from pulse.placement import partition_of
from pulse.producer import Outgoing
from pulse.topics.broker import Brokers

COMPACTED_DAYS = 1
"""`max.compaction.lag.ms` of the topics as `pulse topics` makes them."""


class What(StrEnum):
    """What is to be forgotten."""

    account = "account"
    user = "user"


def command(
    what: Annotated[What, typer.Argument(help="What is to be forgotten.")],
    name: Annotated[str, typer.Argument(metavar="ID", help="Its id, as the events name it.")],
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Forget the user in this account alone."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Erase an account or a user, and say where what is left when.

    It is written into the log: workers take it out of their state, end the alerts that are about it
    and drop what comes of it later, for good. What was written before is gone with the retention of
    its topic. What is said twice counts once.

    Example: pulse forget user ada --account acme
    """
    for each in (name, account):
        if each is not None and (not 0 < len(each) <= 256 or not each.isprintable()):
            raise PulseError("that cannot be an id")
    if what is What.account and account is not None:
        raise PulseError("--account is for users")
    loaded = Config.load(config)
    privacy = privacy_of(loaded.collector)
    if what is What.user and account is None and privacy.hashes:
        raise PulseError(
            "user ids are hashed, in each account to something else",
            hint="name each account of the user's with --account",
        )
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        topics = loaded.kafka.topics
        for topic in (topics.events, topics.links):
            if topic not in brokers.find([topic]):
                raise PulseError(f"there is no topic {topic}", hint="`pulse topics` makes it")
    links = done(_forget(loaded, privacy, what, name, account))
    for line in places(loaded, links, time.time_ns() // 1_000_000):
        print(line)


async def _forget(
    config: Config, privacy: Privacy, what: What, name: str, account: str | None
) -> int:
    """Write everything; how many links are none any more."""
    kafka = config.kafka
    out = [
        Outgoing(kafka.topics.events, partition, None, record.value, record.headers)
        for partition, record in records(privacy, what, name, account, kafka.partitions)
    ]
    known = await links_of(kafka)
    gone = [link for link in known if is_of(link, privacy, what, name, account)]
    for link in gone:
        partition = partition_of(link.user, kafka.partitions)
        out.append(Outgoing(kafka.topics.links, partition, link.key, None))
    await write(kafka, out)
    return len(gone)


def records(
    privacy: Privacy, what: What, name: str, account: str | None, partitions: int
) -> Iterator[tuple[int, ControlRecord]]:
    """What is written into which partitions of the events."""
    now_ms = time.time_ns() // 1_000_000
    if what is What.account:
        yield partition_of(name, partitions), record_of(name, None, now_ms)
    elif account is None:
        record = record_of(None, name, now_ms)
        yield from ((number, record) for number in range(partitions))
    else:
        # Also as it came before ids were hashed.
        for user in sorted({name, privacy.user(account, name)}):
            yield partition_of(account, partitions), record_of(account, user, now_ms)


def is_of(link: Link, privacy: Privacy, what: What, name: str, account: str | None) -> bool:
    """Whether a link is of what is to be forgotten."""
    if what is What.account:
        return link.account == name
    user = privacy.linked(link.source, name) if link.is_hashed else name
    return link.user == user and account in (None, link.account)


def places(config: Config, links: int, now_ms: int) -> Iterator[str]:
    """Each place in which it may have been, and when it is clean."""
    topics, kept = config.kafka.topics, config.kafka.retention_days

    def until(days: int) -> str:
        at = datetime.fromtimestamp(now_ms / 1000, tz=UTC) + timedelta(days=days)
        return at.date().isoformat()

    yield f"{topics.events}: {until(kept.events)}, when the last event before is gone; so is this"
    yield f"{topics.changelog}: {until(COMPACTED_DAYS)}, once the worker has come to it"
    yield f"{topics.links}: {until(COMPACTED_DAYS)}; {links} links of it"
    yield f"{topics.alerts}: {until(kept.alerts)}"
    yield f"{topics.deadletter}: {until(kept.deadletter)}"
    sent = until(Bounds().retention_days + COMPACTED_DAYS)
    yield f"{topics.deliveries}: {sent}, if receivers answer"
    if config.redis.enabled:
        yield f"Redis, {config.redis.prefix}*: once the worker has come to it"
    yield "receivers of alerts: what was sent to them is theirs to erase"
