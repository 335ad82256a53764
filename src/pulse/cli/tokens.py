"""`pulse tokens`: the tokens of people and programs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulse import keyring
from pulse.cli.auditing import Author, audited, by_command
from pulse.cli.writing import CONNECT_S, done
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.errors import PulseError
from pulse.model.audit import Change
from pulse.model.fields import is_plain_text
from pulse.topics.broker import Brokers
from pulse.web import tokens
from pulse.web.tokens import Role


class Action(StrEnum):
    """What to do."""

    make = "make"
    list = "list"
    revoke = "revoke"


ROLES = (
    "viewer: looks at everything; member: also acknowledges, snoozes, closes and silences; admin: "
    "also ends the silences of others, silences everything, and reads the audit log."
)


def role_called(text: str) -> Role:
    """What an option that names a role says; for typer's `parser`."""
    try:
        return Role(text)
    except ValueError:
        raise typer.BadParameter(f'"{text}" is no role: viewer, member, admin') from None


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME|TOKEN",
            help="For make: whose it is, the author of what is said with it. "
            "For revoke: the token, or what it begins with.",
        ),
    ] = None,
    role: Annotated[
        Role, typer.Option(metavar="ROLE", parser=role_called, help=ROLES)
    ] = Role.viewer,
    author: Author = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Make, list or revoke the tokens of the API and the page.

    A token is shown once, when it is made; kept is a hash of it, in Kafka. Each has a name, which
    stands beside whatever is said with it, and a role. What runs knows a new token, and forgets a
    revoked one and whoever is signed in with it, within a second.

    Example: pulse tokens make kim --role member
    """
    loaded = Config.load(config)
    topic = loaded.kafka.topics.tokens
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(topic)
    settings = for_aiokafka(loaded.kafka)
    if action is Action.make:
        by = by_command(author)
        name = subject or ""
        if not is_plain_text(name):
            raise PulseError(
                "a token is somebody's", hint="name them: `pulse tokens make kim --role member`"
            )
        token, kept = tokens.make(name, role)
        audited(
            loaded,
            by,
            Change.token_made,
            subject=kept.begins_with,
            name=name,
            role=role,
        )
        done(keyring.write(settings, topic, keyring.hash_of(token), kept))
        print(token)
        return
    ring = done(keyring.read(settings, topic, tokens.TokenRing()))
    if action is Action.list:
        for _, each in ring:
            print(f"{each.begins_with}…  {each.made_at}  {each.role:<6}  {each.name}")
        return
    by = by_command(author)
    found = ring.called(subject or "")
    if len(found) != 1:
        raise PulseError(
            "no token is called so" if not found else f"{len(found)} tokens begin so",
            hint="`pulse tokens list` says what they begin with",
        )
    hashed, each = found[0]
    audited(loaded, by, Change.token_revoked, subject=each.begins_with, name=each.name)
    done(keyring.write(settings, topic, hashed, None))
    print(f"revoked: {each.begins_with}… of {each.name}")
