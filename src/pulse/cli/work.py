"""`pulse work`: the worker."""

from pathlib import Path
from typing import Annotated

import typer

from pulse.config import Config


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(
            metavar="PORT",
            min=1,
            max=65_535,
            help="Where its metrics are, whatever the file says: each worker of a machine needs "
            "a port of its own.",
        ),
    ] = None,
) -> None:
    """Run the worker: usage events in, alerts out.

    Reads the events topic, keeps the state of its share of the accounts and writes alerts. Several
    may run at once, at most one for each partition; they share the work. A Kafka that is away is
    waited for. Ctrl-C or SIGTERM ends it: what was read is written first.
    """
    # Faust takes its time to import, and `pulse work --help` should not.
    from pulse.stream.process import run

    loaded = Config.load(config)
    if metrics_port is not None:
        worker = loaded.worker.model_copy(update={"metrics_port": metrics_port})
        loaded = loaded.model_copy(update={"worker": worker})
    run(loaded)
