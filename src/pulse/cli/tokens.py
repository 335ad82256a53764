"""`pulse tokens`: the tokens of people and programs."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulse import keyring
from pulse.cli.writing import CONNECT_S, done
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.errors import PulseError
from pulse.model.fields import is_plain_text
from pulse.topics.broker import Brokers
from pulse.web import tokens
from pulse.web.tokens import Role


class Action(StrEnum):
    """What to do."""

    make = "make"
    list = "list"
    revoke = "revoke"


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
        Role,
        typer.Option(
            help="viewer: looks at everything; responder: also acknowledges, snoozes, closes and "
            "silences; admin: also ends the silences of others, and silences everything."
        ),
    ] = Role.viewer,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Make, list or revoke the tokens of the API and the page.

    A token is shown once, when it is made; kept is a hash of it, in Kafka. Each has a name, which
    stands beside whatever is said with it, and a role. What runs knows a new token, and forgets a
    revoked one and whoever is signed in with it, within a second.

    Example: pulse tokens make kim --role responder
    """
    loaded = Config.load(config)
    topic = loaded.kafka.topics.tokens
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(topic)
    settings = for_aiokafka(loaded.kafka)
    if action is Action.make:
        name = subject or ""
        if not is_plain_text(name):
            raise PulseError(
                "a token is somebody's", hint="name them: `pulse tokens make kim --role responder`"
            )
        token, kept = tokens.make(name, role)
        done(keyring.write(settings, topic, keyring.hash_of(token), kept))
        print(token)
        return
    ring = done(keyring.read(settings, topic, tokens.TokenRing()))
    if action is Action.list:
        for _, each in ring:
            print(f"{each.begins_with}…  {each.made_at}  {each.role:<9}  {each.name}")
        return
    found = ring.called(subject or "")
    if len(found) != 1:
        raise PulseError(
            "no token is called so" if not found else f"{len(found)} tokens begin so",
            hint="`pulse tokens list` says what they begin with",
        )
    hashed, each = found[0]
    done(keyring.write(settings, topic, hashed, None))
    print(f"revoked: {each.begins_with}… of {each.name}")
