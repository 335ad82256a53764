"""`pulse keys`: the write keys of product apps."""

import asyncio
from collections.abc import Coroutine
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from aiokafka.errors import KafkaError

from pulse import keyring
from pulse.alerting.people.outcomes import SOURCE
from pulse.cli.auditing import Author, audited, by_command
from pulse.collector import keys
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.errors import PulseError
from pulse.model.audit import Change
from pulse.model.fields import is_plain_text
from pulse.topics.broker import Brokers

CONNECT_S = 10.0
"""How long to wait for Kafka."""

T = TypeVar("T")


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
            metavar="SOURCE|KEY",
            help="For make: the source that events with the key are of. "
            "For revoke: the key, or what it begins with.",
        ),
    ] = None,
    author: Author = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Make, list or revoke the write keys of product apps.

    A key is shown once, when it is made; kept is a hash of it, in Kafka. Each is of one source, and
    what comes with it is of that source, whatever the events say. Collectors that run know a new
    key, and forget a revoked one, within a second.

    Example: pulse keys make web-app
    """
    loaded = Config.load(config)
    topic = loaded.kafka.topics.keys
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(topic)
    settings = for_aiokafka(loaded.kafka)
    if action is Action.make:
        by = by_command(author)
        source = subject or ""
        if not is_plain_text(source):
            raise PulseError("a key is of a source", hint="name it: `pulse keys make web-app`")
        if source == SOURCE:
            raise PulseError(
                f"{SOURCE} is the source of what pulse itself writes", hint="name another one"
            )
        key, kept = keys.make(source)
        audited(loaded, by, Change.key_made, subject=kept.begins_with, source=source)
        _done(keyring.write(settings, topic, keyring.hash_of(key), kept))
        print(key)
        return
    ring = _done(keyring.read(settings, topic, keys.KeyRing()))
    if action is Action.list:
        for _, each in ring:
            print(f"{each.begins_with}…  {each.made_at}  {each.source}")
        return
    by = by_command(author)
    found = ring.called(subject or "")
    if len(found) != 1:
        raise PulseError(
            "no key is called so" if not found else f"{len(found)} keys begin so",
            hint="`pulse keys list` says what they begin with",
        )
    hashed, each = found[0]
    audited(loaded, by, Change.key_revoked, subject=each.begins_with, source=each.source)
    _done(keyring.write(settings, topic, hashed, None))
    print(f"revoked: {each.begins_with}… of {each.source}")


def _done(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (TimeoutError, KafkaError, OSError) as error:
        raise PulseError(f"Kafka did not do it: {error!r}", hint="is it there? try again") from None
