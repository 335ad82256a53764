"""`pulse activate`: another configuration for the workers, from here on."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.auditing import Author, audited, by_command
from pulse.config import Config
from pulse.model.audit import Change


def command(
    author: Author = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Put a configuration in force from here on.

    What decides results (scores, lines, signals) may not change in the middle of anything. This
    writes the configuration's version into every partition. Leave the workers running that have the
    former one: each works off what comes before, writes it, and ends with a word. Start them again
    with this file; whoever supervises them does so by itself if the file has the same name.

    Accounts that the new rules bring into another zone make one alert, not one each.
    """
    from pulse.stream.activation import activate
    from pulse.stream.process import quieten

    quieten()
    loaded = Config.load(config)
    audited(loaded, by_command(author), Change.configuration_activated, subject=loaded.version)
    count = asyncio.run(activate(loaded))
    topic = loaded.kafka.topics.events
    print(
        f"configuration {loaded.version} is in force from here on, in {count} partitions of {topic}"
    )
