"""`pulse note`: what should be known of an account."""

import asyncio
from typing import Annotated

import typer

from pulse.alerting.people.account_notes import AccountNote, note_id, note_text
from pulse.cli.auditing import Author, author_of, by_command
from pulse.cli.saying import ConfigFile, at_desk, now
from pulse.cli.writing import CONNECT_S, done, notes_of
from pulse.config import Config
from pulse.errors import PulseError
from pulse.model.fields import is_plain_text
from pulse.model.time import format_ms
from pulse.readmodel import ReadModel, ReadModelError
from pulse.topics.broker import Brokers


def command(
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="Its id, as the events name it.")
    ],
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="What others should know.")
    ] = None,
    erase: Annotated[
        str | None, typer.Option(metavar="NOTE", help="Erase this note, named by its id.")
    ] = None,
    author: Author = None,
    config: ConfigFile = None,
) -> None:
    """Write a note on an account; list those that there are, or erase one.

    Whoever looks at the account's page sees it among what happened. Without a text, and with
    nothing to erase, the account's notes are listed with their ids.

    Example: pulse note acme "Their admin is on leave until May"
    """
    if not is_plain_text(account):
        raise PulseError("that cannot be an id")
    if text is not None and erase is not None:
        raise PulseError("say either a text or --erase")
    loaded = Config.load(config)
    if text is not None:
        try:
            said = note_text(text)
        except ValueError as error:
            raise PulseError(str(error)) from None
        _check_is_known(loaded, account)
        who = author_of(author)
        note = AccountNote(id=note_id(who), account_id=account, author=who, at_ms=now(), text=said)
        at_desk(loaded, lambda desk, _: desk.note(note, by_command(who)))
        print(note.id)
        return
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(loaded.kafka.topics.notes)
    notes = done(notes_of(loaded.kafka, account))
    if erase is None:
        for each in notes:
            print(in_words(each))
        return
    found = next((each for each in notes if each.id == erase), None)
    if found is None:
        raise PulseError(
            f'{account} has no note "{erase}"', hint=f"`pulse note {account}` names them"
        )
    by = by_command(author)
    at_desk(loaded, lambda desk, _: desk.erase_note(found, by))
    print(f"erased: {in_words(found)}")


def in_words(note: AccountNote) -> str:
    """A note in one line."""
    return f"{note.id}  {format_ms(note.at_ms)}  {note.author}: {' '.join(note.text.split())}"


def _check_is_known(config: Config, account_id: str) -> None:
    """Raises `PulseError` where the read model knows no such account; without one, any may be."""
    if not config.redis.enabled:
        return

    async def find() -> object:
        async with ReadModel(config.redis.address().reveal(), config.redis.prefix) as model:
            return await model.account(account_id)

    try:
        found = asyncio.run(find())
    except ReadModelError as error:
        raise PulseError(str(error)) from None
    if found is None:
        raise PulseError(
            f'there is no account "{account_id}"', hint="`pulse accounts` lists the ids"
        )
