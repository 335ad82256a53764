"""`pulse web`: the API and the account page."""

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
    """Run the API, and the account page that a message's links open.

    Shows accounts, alerts and what became of them, and takes what people say: a silence, a snooze,
    an outcome. It answers 2xx only when Kafka has it. Who has a message's link sees its account and
    acts on its alert; everything else needs a user (`pulse users add`) or a token (`pulse tokens
    make`). Several may run at once. The page of the API is at /docs. Ctrl-C or SIGTERM ends it.
    """
    # They take their time to import, and `pulse web --help` should not.
    from pulse.web.process import run

    loaded = Config.load(config)
    logs.to_stderr()
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:  # there is none for Windows
        runner = asyncio.Runner()
    with runner:
        runner.run(run(loaded))
