"""Lists of what the books and a history have, gone through beside the loop that answers."""

from __future__ import annotations

import asyncio
import base64
import binascii
from concurrent.futures import ThreadPoolExecutor
from heapq import nlargest
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import structlog

from pulse.history import HistoryError
from pulse.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

log = structlog.get_logger("pulse.web")

# One thread: lists wait for each other, and for none of them does anybody else.
_beside: Final = ThreadPoolExecutor(1, thread_name_prefix="pulse-lists")
# A month of a large fleet takes a second, for which no list should wait.
_remembered: Final = ThreadPoolExecutor(1, thread_name_prefix="pulse-history")

_cursor: Final = msgspec.json.Decoder(tuple[int, str]).decode


async def beside(work: Callable[[], T]) -> T:
    """What the work gives, done in a thread. It may go through what was taken out of a book before:
    books give what they have at that moment, and do not change it.
    """
    return await asyncio.get_running_loop().run_in_executor(_beside, work)


async def remembered(work: Callable[[], T]) -> tuple[T | None, bool]:
    """What the work reads of a history, done in a thread that lists do not wait for; and whether it
    cannot be read now.
    """
    try:
        return await asyncio.get_running_loop().run_in_executor(_remembered, work), False
    except HistoryError as error:
        log.warning("the history cannot be shown", reason=str(error))
        return None, True


async def paged(
    items: Iterable[T], key: Callable[[T], tuple[int, str]], limit: int, cursor: str | None
) -> tuple[list[T], str | None]:
    """The items with the largest keys below the cursor's, and the cursor of those that follow.

    They are gone through `beside`. Raises `Refusal` (400) for a cursor that is none.
    """
    below = None if cursor is None else _read_cursor(cursor)
    left = (each for each in items if below is None or key(each) < below)
    found = await beside(lambda: nlargest(limit + 1, left, key=key))
    if len(found) <= limit:
        return found, None
    found = found[:limit]
    said = msgspec.json.encode(key(found[-1]))
    return found, base64.urlsafe_b64encode(said).decode()


def _read_cursor(text: str) -> tuple[int, str]:
    try:
        return _cursor(base64.urlsafe_b64decode(text.encode("ascii")))
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise bad_cursor() from None


def bad_cursor() -> Refusal:
    """What a cursor that is none is told."""
    return Refusal(
        400, "bad_cursor", "that is no cursor of this list: begin without one, or take the last's"
    )
