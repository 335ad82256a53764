"""`pulse collect`: the collector."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from pulse import logs
from pulse.config import Config


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Run the collector: events in over HTTP.

    Product apps point the client that they have at it: pulse's own API, or Segment's, which
    RudderStack's clients speak too. Each sends with a write key (`pulse keys make`). It answers 2xx
    only when Kafka has the events, and 503 while Kafka is away and too much waits for it. Several
    may run at once. The page of the API is at /docs. Ctrl-C or SIGTERM ends it: what was taken is
    written first.
    """
    # They take their time to import, and `pulse collect --help` should not.
    from pulse.collector.process import run

    loaded = Config.load(config)
    logs.to_stderr()
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:  # there is none for Windows
        runner = asyncio.Runner()
    with runner:
        runner.run(run(loaded))
