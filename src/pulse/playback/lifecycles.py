"""How many accounts were where in their life, day by day, and who moved."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pulse.engagement.days import DAY_MS
from pulse.engagement.lifecycle import LIFECYCLES
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.engine import Move


class Lifecycles:
    """Gathers the moves of a replay.

    An account counts in the segment that its profile named when it moved last.
    """

    def __init__(self) -> None:
        self._moves: list[Move] = []

    def take(self, moves: list[Move]) -> None:
        """Add what a batch brought."""
        self._moves += moves

    def days(self) -> Iterator[dict[str, Any]]:
        """For each UTC day and segment with moves, or that an account has left by a move: the
        accounts at its end, and the moves.
        """
        moves = sorted(self._moves, key=lambda move: (move.at_ms, move.account_id))
        where: dict[str, tuple[str, str]] = {}
        accounts: dict[str, Counter[str]] = {}
        start = 0
        while start < len(moves):
            day = moves[start].at_ms // DAY_MS
            end = start
            went: dict[str, Counter[tuple[str | None, str]]] = {}
            while end < len(moves) and moves[end].at_ms // DAY_MS == day:
                move = moves[end]
                before = where.get(move.account_id)
                if before is not None:
                    accounts[before[0]][before[1]] -= 1
                    went.setdefault(before[0], Counter())  # it may have left the segment
                where[move.account_id] = (move.segment, move.after)
                accounts.setdefault(move.segment, Counter())[move.after] += 1
                went.setdefault(move.segment, Counter())[move.before, move.after] += 1
                end += 1
            for segment in sorted(went):
                yield {
                    "day": format_ms(day * DAY_MS)[:10],
                    "segment": segment or None,
                    "accounts": {stage: accounts[segment][stage] for stage in LIFECYCLES},
                    "moves": [
                        {"from": before, "to": after, "accounts": number}
                        for (before, after), number in sorted(
                            went[segment].items(), key=lambda each: (each[0][0] or "", each[0][1])
                        )
                    ],
                }
            start = end
