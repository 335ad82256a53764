"""`pulse audit`: who changed what."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pulse.cli.reading import Screen
from pulse.cli.records import done, moment, table
from pulse.cli.words import count, date
from pulse.cli.writing import CONNECT_S
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.desk.audit import AuditBook, Entry, Wanted
from pulse.following import Follower
from pulse.model.audit import Change
from pulse.topics.broker import Brokers


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    who: Annotated[str | None, typer.Option(metavar="NAME", help="By them alone.")] = None,
    what: Annotated[
        Change | None, typer.Option(metavar="CHANGE", help="Of this kind alone, like token_made.")
    ] = None,
    account: Annotated[
        str | None, typer.Option(metavar="ID", help="About this account alone.")
    ] = None,
    since: Annotated[
        int | None, typer.Option(parser=date, metavar="TIME", help="Then or later, UTC.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 is all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List who changed what: on the pages, by the API, and with commands.

    The newest first, as far back as the topic keeps them (`kafka.retention_days.audit`). An entry
    is written before the change itself, so one may be of what then could not be done.

    Example: pulse audit --who kim --since 2026-11-01
    """
    loaded = Config.load(config)
    topic = loaded.kafka.topics.audit
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(topic)
    book, wanted = AuditBook(sys.maxsize), Wanted(who, what, account, since)
    done(_read(loaded, topic, book))
    found = sorted(
        (each for each in book if wanted.has(each)),
        key=lambda each: (each.at_ms, each.id),
        reverse=True,
    )
    listed = found[:limit] if limit else found
    if as_json:
        for each in listed:
            sys.stdout.write(msgspec.json.encode(each).decode() + "\n")
    elif listed:
        Screen(sys.stdout).show(
            table(("when", "who", "by", "what", "about"), [_row(each) for each in listed])
        )
    sys.stdout.flush()
    more = "" if len(listed) == len(found) else f" of {len(found):,}; --limit 0 shows all"
    print(f"{count(len(listed), 'entry', 'entries')}{more}", file=sys.stderr)


def _row(said: Entry) -> tuple[str, str, str, str, str]:
    about = [each for each in (said.account_id, said.subject) if each]
    about += [f"{name}: {value}" for name, value in said.details.items()]
    way, change = said.way.replace("_", " "), said.change.replace("_", " ")
    return moment(said.at_ms), said.who, way, change, ", ".join(about)


async def _read(config: Config, topic: str, book: AuditBook) -> None:
    follower = Follower(for_aiokafka(config.kafka), topic, book.take)
    try:
        await follower.start()
    finally:
        await follower.stop()
