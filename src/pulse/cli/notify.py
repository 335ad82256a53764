"""`pulse notify`: the process that sends alerts to the receivers of the configuration."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from pulse import logs
from pulse.cli.auditing import Author, audited, by_command
from pulse.cli.send_test import receiver_of
from pulse.config import Config
from pulse.model.audit import Change
from pulse.notifier import app


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    enable: Annotated[
        str | None,
        typer.Option(
            metavar="RECEIVER",
            help="Instead of sending: permit a receiver again that answered 410 Gone. "
            "Notifiers that run have to be started again.",
        ),
    ] = None,
    author: Author = None,
) -> None:
    """Run the notifier: alerts in, webhooks out.

    Reads the alerts topic and tells the receivers of the configuration what its routes say, signed,
    until it is delivered or the receiver's schedule is used up. Several may run at once: one leads
    and sends, the others stand by and take over. A Kafka that is away is waited for. Ctrl-C or
    SIGTERM ends it: requests under way are finished, the rest is sent when it starts again.
    """
    loaded = Config.load(config)
    logs.to_stderr()
    if enable is not None:
        subject = receiver_of(loaded, enable).name
        audited(loaded, by_command(author), Change.receiver_enabled, subject=subject)
        asyncio.run(app.enable(loaded, enable))
        print(f'receiver "{enable}" is enabled; start running notifiers again')
        return
    try:
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    except ImportError:  # there is none for Windows
        runner = asyncio.Runner()
    with runner:
        runner.run(_until_told(loaded))


async def _until_told(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await app.run(config, stop)
