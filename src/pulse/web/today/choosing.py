"""Which accounts of the board are shown, in which order, and how many there are of each kind."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.alerting.stages.budget import at_stake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.web.today.board import Entry

NO_OWNER: Final = "-"
"""In a filter: accounts whose owner, or segment, is not known."""
_MOST_CHOICES: Final = 200
_MINUTE_MS: Final = 60_000


class Wanted(NamedTuple):
    """What somebody wants to see; empty: all. Of an owner or segment `-` is nobody's, or none."""

    zone: str = ""
    segment: str = ""
    owner: str = ""
    reason: str = ""
    waiting: str = ""
    """`1`: only those that nobody has taken over or snoozed."""

    def query(self) -> dict[str, str]:
        """What of it is said, as the query of an address has it."""
        return {name: value for name, value in self._asdict().items() if value}


class Choices(NamedTuple):
    """For each filter what there is to choose, and how many accounts of the board have it."""

    segments: list[tuple[str, int]]
    owners: list[tuple[str, int]]
    reasons: list[tuple[str, int]]


class Order:
    """The accounts of a board, what has most at stake first: MRR x risk x nearness of the renewal.

    Sorted once for all who look, until the board has another `version` or a minute is over. It is
    asked by one at a time.
    """

    def __init__(self) -> None:
        self._of: tuple[int, int] | None = None
        self._sorted: list[Entry] = []

    def of(self, entries: Iterable[Entry], version: int, now_ms: int) -> list[Entry]:
        """These entries, which are those of that version, in their order."""
        at = (version, now_ms // _MINUTE_MS)
        if self._of != at:
            self._sorted = sorted(
                entries, key=lambda each: (*stake(each, now_ms), each.known.account_id)
            )
            self._of = at
        return self._sorted


def chosen(
    entries: Iterable[Entry], wanted: Wanted, is_taken: Callable[[Entry], bool]
) -> list[Entry]:
    """Those that are wanted, in their order."""
    found = list(entries)
    if wanted.query():
        found = [each for each in found if _fits(each, wanted)]
    if wanted.waiting:
        found = [each for each in found if not is_taken(each)]
    return found


def stake(entry: Entry, now_ms: int) -> tuple[float, float]:
    """By what it is sorted; the smallest first."""
    score = entry.known.score
    # Who is on the board without a score is about as badly off as the line says.
    risk = 1.0 - (entry.known.enter if score is None else score) / 100.0
    return at_stake(entry.known.mrr, min(max(risk, 0.0), 1.0), entry.renewal_ms, now_ms)


def _fits(entry: Entry, wanted: Wanted) -> bool:
    known = entry.known
    return (
        wanted.zone in ("", known.zone)
        and wanted.segment in ("", known.segment or NO_OWNER)
        and wanted.owner in ("", known.owner or NO_OWNER)
        and (not wanted.reason or wanted.reason in entry.reasons)
    )


def choices(entries: Iterable[Entry], wanted: Wanted) -> Choices:
    """What there is to choose from; what is wanted is among it, also where no account has it."""
    of = list(entries)
    # A `Counter` counts what it is given at once several times as fast.
    segments = Counter([each.known.segment or NO_OWNER for each in of])
    owners = Counter([each.known.owner or NO_OWNER for each in of])
    reasons = Counter(chain.from_iterable([each.reasons for each in of]))
    return Choices(
        _most(segments, wanted.segment), _most(owners, wanted.owner), _most(reasons, wanted.reason)
    )


def _most(counts: Counter[str], wanted: str) -> list[tuple[str, int]]:
    found = dict(counts.most_common(_MOST_CHOICES))
    if wanted:
        found.setdefault(wanted, counts[wanted])
    return sorted(found.items())
