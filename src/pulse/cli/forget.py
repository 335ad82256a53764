"""`pulse forget`: erase an account, or a user."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from pulse.cli.auditing import Author, audited, by_command
from pulse.cli.writing import CONNECT_S, done, links_of, notes_of, write
from pulse.collector.links import Link, forgotten_key
from pulse.collector.privacy import Privacy, privacy_of
from pulse.collector.turning import EVERY_S
from pulse.config import Config
from pulse.engagement.days import DAY_MS
from pulse.engine.control import ControlRecord
from pulse.engine.control import forget as record_of
from pulse.errors import PulseError
from pulse.model.audit import Change
from pulse.model.fields import is_plain_text
from pulse.notifier.reading.arrival import Bounds
from pulse.placement import partition_of
from pulse.producer import Outgoing
from pulse.topics.broker import Brokers
from pulse.topics.wanted import wanted_topics

OF_KAFKA = {"segment.ms": 7 * DAY_MS, "delete.retention.ms": DAY_MS}
"""Settings as Kafka has them, where brokers do not tell and `pulse topics` leaves them."""

SILENCES_MS = 90 * DAY_MS
"""So long after it has ended a silence is taken out, with the next one that is made."""

ENDLESS_MS = 100 * 365 * DAY_MS


class Erased(NamedTuple):
    """How many there were of what the command itself erases."""

    links: int
    notes: int


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
    author: Author = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    formerly: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="An id that the account had before it was renamed, by which users are hashed too.",
        ),
    ] = None,
) -> None:
    """Erase an account or a user, and say where what is left when.

    It is written into the log: workers take it out of their state, end the alerts that are about it
    and drop what comes of it later, for good. What was written before is gone with the retention of
    its topic. What is said twice counts once.

    Example: pulse forget user ada --account acme
    """
    before = tuple(formerly or ())
    for each in (name, account, *before):
        if each is not None and not is_plain_text(each):
            raise PulseError("that cannot be an id")
    if what is What.account and (account is not None or before):
        raise PulseError("--account and --formerly are for users")
    loaded = Config.load(config)
    privacy = privacy_of(loaded.collector)
    if what is What.user and account is None and privacy.hashes:
        raise PulseError(
            "user ids are hashed, in each account to something else",
            hint="name each account of the user's with --account",
        )
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        topics = loaded.kafka.topics
        brokers.need(topics.events, topics.links, topics.notes)
        found = brokers.find([topic for _, topic in topics])
    of = {} if what is What.account else {"in": "one account" if account else "all accounts"}
    audited(loaded, by_command(author), Change.erased, account_id=account, what=what, **of)
    left = done(_forget(loaded, privacy, what, name, account, before))
    settings = {topic: found[topic].settings for topic in found}
    for line in places(loaded, settings, left, time.time_ns() // 1_000_000):
        print(line)


async def _forget(
    config: Config,
    privacy: Privacy,
    what: What,
    name: str,
    account: str | None,
    before: Sequence[str],
) -> Erased:
    """Write everything; how many links and notes are none any more."""
    kafka = config.kafka
    out = [
        Outgoing(kafka.topics.events, partition, None, record.value, record.headers)
        for partition, record in records(privacy, what, name, account, kafka.partitions, before)
    ]
    # Before the links are read, so that collectors write no other ones.
    out += [
        Outgoing(kafka.topics.links, partition_of(key.decode(), kafka.partitions), key, b"{}")
        for key in told_to_collectors(privacy, what, name, account)
    ]
    await write(kafka, out)
    known = await links_of(kafka)
    gone = [link for link in known if is_of(link, privacy, what, name, account)]
    # What people wrote of a user is text, in which nobody finds them.
    notes = await notes_of(kafka, name) if what is What.account else []
    await write(
        kafka,
        [
            Outgoing(kafka.topics.links, partition_of(each.user, kafka.partitions), each.key, None)
            for each in gone
        ]
        + [Outgoing(kafka.topics.notes, 0, each.id.encode(), None) for each in notes],
    )
    return Erased(len(gone), len(notes))


def records(
    privacy: Privacy,
    what: What,
    name: str,
    account: str | None,
    partitions: int,
    before: Sequence[str] = (),
) -> Iterator[tuple[int, ControlRecord]]:
    """What is written into which partitions of the events; `before` are ids of the account."""
    now_ms = time.time_ns() // 1_000_000
    if account is None:
        # An account too: where one was renamed to it, that is known by its name.
        is_account = what is What.account
        record = record_of(name if is_account else None, None if is_account else name, now_ms)
        yield from ((number, record) for number in range(partitions))
    else:
        # Also as it came before ids were hashed.
        hashed = {privacy.user(each, name) for each in (account, *before)}
        for user in sorted({name, *hashed}):
            yield partition_of(account, partitions), record_of(account, user, now_ms)


def told_to_collectors(
    privacy: Privacy, what: What, name: str, account: str | None
) -> Iterator[bytes]:
    """The keys by which collectors know of it, and write no links of theirs any more."""
    if what is What.account:
        yield forgotten_key(name, None)
    elif account is None:
        yield forgotten_key(None, name)
    else:
        yield forgotten_key(account, privacy.user(account, name))


def is_of(link: Link, privacy: Privacy, what: What, name: str, account: str | None) -> bool:
    """Whether a link is of what is to be forgotten."""
    if what is What.account:
        return link.account == name
    user = privacy.linked(link.source, name) if link.is_hashed else name
    return link.user == user and account in (None, link.account)


def places(
    config: Config, settings: Mapping[str, Mapping[str, str | None]], gone: Erased, now_ms: int
) -> Iterator[str]:
    """Each place in which it may have been, and when it is clean by the topics' settings."""
    topics, redis = config.kafka.topics, config.redis
    wanted = {topic.name: topic.settings for topic in wanted_topics(config.kafka)}

    def until(topic: str, more_ms: int, *names: str) -> str:
        known = {**OF_KAFKA, **wanted[topic], **settings.get(topic, {})}
        waits = [int(known[name] or 0) for name in names]
        if not all(0 <= wait < ENDLESS_MS for wait in waits):
            return f"never, by its {' and '.join(names)}; `pulse topics` says what they should be"
        at = datetime.fromtimestamp(now_ms / 1000, tz=UTC) + timedelta(
            milliseconds=sum(waits) + more_ms
        )
        return at.date().isoformat()

    def kept(topic: str) -> str:
        return until(topic, 0, "retention.ms", "segment.ms")

    lag = "max.compaction.lag.ms"
    sent_ms = Bounds().retention_days * DAY_MS
    yield f"{topics.events}: {kept(topics.events)}, with all from before; so is this"
    yield f"{topics.changelog}: {until(topics.changelog, 0, lag)}, once the worker has come to it"
    turns_ms = 2 * round(EVERY_S * 1000)
    erased = until(topics.links, turns_ms, lag, "delete.retention.ms", lag)
    yield f"{topics.links}: {erased}, if a collector runs; {gone.links} links of it"
    yield f"{topics.alerts}: {kept(topics.alerts)}"
    yield f"{topics.outcomes}: {kept(topics.outcomes)}"
    ended = until(topics.silences, SILENCES_MS, lag)
    yield f"{topics.silences}: {ended}, if no silence that goes on names it: `pulse silence list`"
    cleaned = until(topics.notes, 0, lag)
    yield f"{topics.notes}: {cleaned}, with the next note that is written; {gone.notes} notes on it"
    yield f"{topics.deadletter}: {kept(topics.deadletter)}"
    yield f"{topics.audit}: {kept(topics.audit)}, where its id is: who changed something of it"
    if config.history.enabled:
        yield f"{topics.history}: {kept(topics.history)}"
        yield f"histories, {config.history.file}: once each `pulse web` has come to it"
    yield f"{topics.deliveries}: {until(topics.deliveries, sent_ms, lag)}, if receivers answer"
    if config.collector.spool is not None:
        yield f"collectors, {config.collector.spool}: when Kafka has taken it; say this again then"
    if redis.enabled:
        yield f"Redis, {redis.prefix}*: once the worker has come to it"
    yield "receivers of alerts: what was sent to them is theirs to erase"
