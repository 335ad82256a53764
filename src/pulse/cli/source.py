"""`pulse source`: say that a source of events stopped, or runs again."""

import asyncio
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from pulse.cli.auditing import Author, audited, by_command
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.engine.control import source as record_of
from pulse.errors import PulseError
from pulse.model.audit import Change
from pulse.model.fields import is_plain_text
from pulse.topics.broker import Brokers

CONNECT_S = 10.0
"""How long to wait for Kafka."""


class State(StrEnum):
    """What a source does."""

    stopped = "stopped"
    running = "running"


def command(
    state: Annotated[State, typer.Argument(help="What is so from now on.")],
    name: Annotated[str, typer.Argument(help="The source, as the events name it.")],
    author: Author = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Say that a source of events has stopped, or that it runs again.

    While it is stopped, accounts whose events all come from such sources are in no zone and raise
    nothing that follows from use, and the days are left out of what comes after. It is written into
    every partition of the events topic. Workers notice by themselves when a source that always had
    events has none; what was said here holds until it is taken back here.
    """
    from pulse.stream.kafka.everywhere import write_everywhere

    if not is_plain_text(name):
        raise PulseError("that cannot be the name of a source")
    loaded = Config.load(config)
    topic = loaded.kafka.topics.events
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(topic)
    count = loaded.kafka.partitions
    has_stopped = state is State.stopped
    change = Change.source_stopped if has_stopped else Change.source_running
    audited(loaded, by_command(author), change, subject=name)
    record = record_of(name, state.value, time.time_ns() // 1_000_000)
    try:
        asyncio.run(write_everywhere(for_aiokafka(loaded.kafka), topic, count, record))
    except (TimeoutError, KafkaError, OSError) as error:
        raise PulseError(
            f"it could not be written everywhere: {error!r}",
            hint="say it again; what is said twice counts once",
        ) from None
    print(f"the source {name} is {state.value}: said in {count} partitions")
