"""How many notifications of each receiver there may be, so that none takes the others' room."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pulse.alerting.records.delivery import State

if TYPE_CHECKING:
    from collections.abc import Collection

    from pulse.alerting.records.delivery import Delivery


class Room:
    """Counts what is still to be sent, by receiver, and how much more may come of it.

    Of a receiver there are at most `untried` that were not attempted yet, and `open_` in all. What
    is above waits in its groups. Of receivers that are not among `receivers` nothing is bounded:
    nothing is made for them.
    """

    def __init__(self, receivers: Collection[str], untried: int, open_: int) -> None:
        self.open: Counter[str] = Counter()
        """Notifications that are still to be sent, by receiver."""
        self.untried: Counter[str] = Counter()
        """Those of them that were not attempted yet."""
        self._receivers = receivers
        self._most_untried = untried
        self._most_open = open_

    def change(self, before: Delivery | None, after: Delivery) -> None:
        """A notification was not known, or stood as `before`, and stands as `after`."""
        for each, by in (before, -1), (after, 1):
            if each is not None and each.is_open:
                self.open[each.receiver] += by
                self.untried[each.receiver] += by * (each.state is State.PENDING)

    def of(self, receiver: str) -> int:
        """How many more may be made for a receiver; 0 or less where none may."""
        left = self._most_open - self.open[receiver]
        if receiver not in self._receivers:
            return max(left, self._most_untried)
        return min(left, self._most_untried - self.untried[receiver])
