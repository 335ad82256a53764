"""Who came and who left: an account's users, or its features, of 28 days against the 28 before.

Of an id the last day is kept, not the first: who has left is known by name, who has come only by
number.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from pulse.engagement.distinct import FORGOTTEN
from pulse.engagement.windows import W28

if TYPE_CHECKING:
    from pulse.engagement.distinct import LastSeen, Mark

MOST_LEFT: Final = 8
MOST_HERE: Final = 5
"""Ids that are named; documents are written often, and there may be many accounts."""


def turnover(seen: LastSeen, today: int, then: int | None) -> dict[str, Any]:
    """Who is here, came and left, as the account's document has it.

    `then` is how many there were in the 28 days that ended 28 days ago, None where that is not
    known.

    - `here`: how many there were in the last 28 complete days or today, `left`: how many in the 28
      days before, and not since; `came`: how many of those here were not there before, null where
      that is not known. Of very many they are estimates
    - `here_names`, `left_names`: `[{"name", "last_seen", "share"}]`, those with the largest share
      of the use of the last weeks first, at most 5 and 8

    >>> from pulse.engagement.distinct import LastSeen
    >>> seen = LastSeen(limit=10_000)
    >>> for name, day in (("ada", 740_000), ("bob", 739_950), ("cy", 739_990)):
    ...     _ = seen.touch(name, day, 740_000)
    >>> found = turnover(seen, 740_000, then=2)
    >>> found["here"], found["left"], found["came"], found["left_names"][0]["name"]
    (2, 1, 1, 'bob')
    """
    since = today - W28
    here, left = seen.between(since, today + 1), seen.between(since - W28, since)
    used = seen.events()
    return {
        "here": here,
        "left": left,
        # Who was there before has left, or is here.
        "came": None if then is None else min(max(here - then + left, 0), here),
        "here_names": _named(seen.most_used(since, today + 1, MOST_HERE), used),
        "left_names": _named(seen.most_used(since - W28, since, MOST_LEFT), used) if left else [],
    }


def _named(marks: list[Mark], used: int) -> list[dict[str, Any]]:
    return [
        {
            "name": mark.name,
            "last_seen": date.fromordinal(mark.last).isoformat(),
            "share": round(mark.events / used, 3) if used else 0.0,
        }
        for mark in marks
        if not mark.name.startswith(FORGOTTEN)
    ]
