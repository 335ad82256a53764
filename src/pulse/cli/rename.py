"""`pulse rename`: an account goes on under another id."""

import time
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pulse.alerting.people.account_notes import AccountNote, encode_note
from pulse.cli.auditing import Author, audited, by_command
from pulse.cli.writing import CONNECT_S, done, links_of, notes_of, write
from pulse.collector.links import Link
from pulse.config import Config, Kafka
from pulse.engine.control import rename
from pulse.errors import PulseError
from pulse.model.audit import Change
from pulse.model.fields import is_plain_text
from pulse.placement import partition_of
from pulse.producer import Outgoing
from pulse.topics.broker import Brokers


def command(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Its id, as the events name it.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The id under which it goes on.")],
    author: Author = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Let an account go on under another id; where that is known, both become one.

    It is written into the log. Workers hand what is known of the account to its new id, end its
    alerts as `renamed`, and tell what still holds under the new id; its notes follow. Events and
    profiles that come with the old id later are counted for the new one. A merge cannot be undone;
    a new name can be given back; an id that was erased (`pulse forget`) takes nothing in, and the
    account stays as it is. What is said twice counts once.

    Example: pulse rename acme-eu acme
    """
    for each in (old, new):
        if not is_plain_text(each):
            raise PulseError("that cannot be an id")
    if old == new:
        raise PulseError("both are the same id")
    loaded = Config.load(config)
    kafka = loaded.kafka
    with Brokers(kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(kafka.topics.events, kafka.topics.links, kafka.topics.notes)
    audited(loaded, by_command(author), Change.account_renamed, account_id=old, to=new)
    links = done(_rename(kafka, old, new))
    print(
        f"{old} goes on as {new} once the worker has come to it; {links} links of users follow it"
    )
    if loaded.collector.user_ids == "hashed":
        print("user ids are hashed, in each account to something else: who was seen under both ids")
        print("counts as two until it is 92 days that they were seen under the old one")


async def _rename(kafka: Kafka, old: str, new: str) -> int:
    """Write everything; how many links there are to another account now."""
    links = [link for link in await links_of(kafka) if link.account == old]
    notes = await notes_of(kafka, old)
    await write(kafka, records(kafka, links, notes, old, new, time.time_ns() // 1_000_000))
    return len(links)


def records(
    kafka: Kafka, links: list[Link], notes: list[AccountNote], old: str, new: str, now_ms: int
) -> list[Outgoing]:
    """What is written where, the links first: who comes back links to the new id by then."""
    out = [
        Outgoing(
            kafka.topics.links, partition_of(link.user, kafka.partitions), link.key, new.encode()
        )
        for link in links
    ]
    for note in notes:
        key, value = encode_note(msgspec.structs.replace(note, account_id=new))
        out.append(Outgoing(kafka.topics.notes, 0, key.encode(), value))
    record, partition = rename(old, new, now_ms), partition_of(old, kafka.partitions)
    return [*out, Outgoing(kafka.topics.events, partition, None, record.value, record.headers)]
