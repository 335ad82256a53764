"""What runs in the background: none of it may end unseen."""

import asyncio
from collections.abc import Coroutine

import structlog

log = structlog.get_logger("pulse.notifier")


class Tasks:
    """Tasks of which any that raises ends the process: what it did would be done no more, and
    nobody would notice. `failed` is set then.

    Who starts the process anew goes on with what is recorded.
    """

    def __init__(self) -> None:
        self.failed = asyncio.Event()
        self._error: BaseException | None = None

    def start(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        """Run something; it may be cancelled, and it may return."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    def raise_failed(self) -> None:
        """Raise what the first of them raised, if any did."""
        if self._error is not None:
            raise self._error

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._error is None:
            log.error(
                "work in the background ended in a bug; the process ends, the next one goes on "
                "with what is recorded",
                task=task.get_name(),
                exc_info=error,
            )
            self._error = error
            self.failed.set()
