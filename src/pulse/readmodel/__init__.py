"""What people look at: accounts as of now, in Redis.

The worker writes an account's document after its state is safe in Kafka; the command line and
the pages read. Everything here can be made again from state, so a Redis that is away, slow or
empty never holds up the worker: `ReadModel.write` says so and the caller writes again later.
Nothing here decides anything; only `stream`, `cli` and `web` call it.
"""

from pulse.readmodel.document import document
from pulse.readmodel.redis_store import (
    NOWHERE,
    WORST_FIRST,
    Changes,
    Page,
    ReadModel,
    ReadModelError,
    Summary,
    Written,
)

__all__ = [
    "NOWHERE",
    "WORST_FIRST",
    "Changes",
    "Page",
    "ReadModel",
    "ReadModelError",
    "Summary",
    "Written",
    "document",
]
