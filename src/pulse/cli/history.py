"""`pulse history`: the file in which `pulse web` keeps the history."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.progress import file_progress
from pulse.config import Config
from pulse.history import History


class Action(StrEnum):
    """What to do."""

    backup = "backup"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write the copy.")],
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Back up the history: a copy of its file, while `pulse web` writes it.

    It copies `history.file` as it is at one instant, and overwrites nothing. To go back to a copy,
    put it there while `pulse web` does not run, without the `-wal` and `-shm` of the file before:
    what came since is read from Kafka.

    Example: pulse history backup copy.sqlite3
    """
    source = Path(Config.load(config).history.file)
    with file_progress("copying", 100) as shown:
        History(source).copy_to(file, lambda done, pages: shown(100 * done // (pages or 1), ""))
    print(f"{source} is copied to {file}: {file.stat().st_size:,} bytes")
