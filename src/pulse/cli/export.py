"""`pulse export`: the workers' state as a file."""

import asyncio
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pulse.config import Config
from pulse.playback.outputs import LineFile
from pulse.topics.broker import Brokers

CONNECT_S = 10.0
"""How long to wait for Kafka."""


def command(
    accounts_out: Annotated[
        Path, typer.Option(metavar="FILE", help="Where to write; `-` is the terminal.")
    ] = Path("-"),
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Write every account as the workers' state in Kafka has it.

    One JSON object a line, by account id, in the form of `pulse replay --accounts-out`. It reads
    the changelog topic, needs no worker, and changes nothing.
    """
    from pulse.stream.export import read_statuses

    loaded = Config.load(config)
    topics = [loaded.kafka.topics.changelog, loaded.kafka.topics.events]
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(*topics)
    statuses = asyncio.run(read_statuses(loaded))
    with LineFile(accounts_out) as out:
        for status in statuses:
            out.write(msgspec.json.encode(status))
        out.commit()
