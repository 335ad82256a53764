"""`pulse repartition` that dies as soon as it has written the pages of one new partition."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from pulse import cli
from pulse.stream.repartition import writing

if TYPE_CHECKING:
    from pulse.config import Config
    from pulse.engine import PartitionState
    from pulse.producer import Outgoing, Producer


def main() -> None:
    """Run it."""
    write = writing._write_pages

    async def once(config: Config, producer: Producer, state: PartitionState) -> Outgoing:
        await write(config, producer, state)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("it goes on")

    writing._write_pages = once
    cli.main()
