"""What servers that take requests have in common: they know topics before, and follow them."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

from aiokafka.errors import KafkaError

from pulse.errors import PulseError
from pulse.topics.broker import KafkaAwayError, reached

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable

    from pulse.following import Follower
    from pulse.serving import Server


class Runs(Protocol):
    """What goes on while a server serves."""

    def run(self) -> Awaitable[None]:
        """Go on, until cancelled."""


async def catch_up(
    look: Callable[[], None], followers: Iterable[Follower], say: Callable[[str], None]
) -> None:
    """Look at the topics, in a thread, and have each follower read its own; Kafka is waited for.

    `look` raises `KafkaAwayError`, and `PulseError` for what a person has to mend, which is raised.
    `say`: see `reached`.
    """
    await reached(lambda: asyncio.to_thread(look), say)
    for follower in followers:
        await reached(partial(_start, follower), say)


async def serve_and_follow(
    server: Server, listening: socket.socket, following: Iterable[Runs], what: str
) -> None:
    """Serve, and follow; where that is not possible any more, end.

    Who does not follow would let in who may not come in any more, and show what is not so any more.
    Raises `PulseError`, which says that `what` cannot be read.
    """
    tasks = [asyncio.ensure_future(each.run()) for each in following]
    for task in tasks:
        task.add_done_callback(lambda _: setattr(server, "should_exit", True))
    try:
        await server.serve([listening])
        for task in tasks:
            if task.done():
                task.result()
    except KafkaError as error:
        raise PulseError(
            f"{what} cannot be read any more: {error!r}", hint="start it again"
        ) from error
    finally:
        for task in tasks:
            task.cancel()


async def _start(follower: Follower) -> None:
    """Raises `KafkaAwayError` for what is over when Kafka is back, `PulseError` for all else."""
    try:
        await follower.start()
    except (TimeoutError, KafkaError, OSError) as error:
        mends_itself = getattr(error, "retriable", True)
        raise (KafkaAwayError if mends_itself else PulseError)(
            f"{follower.topic} cannot be read: {error!r}", hint="is Kafka there? `pulse doctor`"
        ) from None
