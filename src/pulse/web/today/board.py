"""The board: accounts in danger and approaching it, and the names of all, in memory.

1. All documents are read once, some hundreds at a time: what is needed of one is kept.
2. Then the read model says which accounts were written, and these are read again.
3. Where it cannot say that for sure (Redis was emptied, or too much was written meanwhile), or its
   writers are of a version that never says it, begin at 1.

While Redis is away the board stays as it was, and says since when.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from heapq import nsmallest
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from pulse.model.time import parse_ts
from pulse.readmodel import NOWHERE, ReadModelError
from pulse.web.today.choosing import Order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pulse.readmodel import ReadModel

log = structlog.get_logger("pulse.web")

SHOWN: Final = ("danger", "approaching")
"""The zones whose accounts are on the board."""

_AT_ONCE: Final = 500
_WAIT_MS: Final = 1_000
_PAUSE_S: Final = 1.0
"""Between two looks: what changed meanwhile is told at once."""
_AGAIN_S: Final = 2.0
_ANEW_S: Final = 600.0
"""So often all is read again, whatever the writers say; of those that say nothing, sooner."""
_ANEW_UNTOLD_S: Final = 60.0


class _Line(msgspec.Struct):
    enter: float
    approach: float


class _Then(msgspec.Struct):
    score: float | None = None


class _Profile(msgspec.Struct):
    name: str | None = None
    segment: str | None = None
    plan: str | None = None
    owner: str | None = None
    mrr: float | None = None
    renewal_at: str | None = None


class _Alert(msgspec.Struct):
    reason: str


class _Document(msgspec.Struct):
    account_id: str
    as_of: str
    zone: str
    lifecycle: str
    score: float | None
    line: _Line
    since: str | None
    then: _Then | None
    profile: _Profile
    alerts: list[_Alert]
    contributions: dict[str, float]
    out_of: dict[str, float]


_decode: Final = msgspec.json.Decoder(_Document).decode


class Known(msgspec.Struct, frozen=True):
    """What is known of every account. `zone` is `churned` for those that have left."""

    account_id: str
    name: str
    zone: str
    mrr: float
    owner: str
    segment: str
    score: float | None
    enter: float
    """Danger is below it."""


class Entry(msgspec.Struct, frozen=True):
    """An account on the board. Instants are milliseconds UTC."""

    known: Known
    approach: float
    then: float | None
    """The score 28 days ago."""
    since_ms: int | None
    """When it went into its zone."""
    renewal_ms: int | None
    has_mrr: bool
    plan: str
    lifecycle: str
    reasons: tuple[str, ...]
    """Of its firing alerts, each once, the oldest first."""
    lacks: tuple[str, float, float] | None
    """The measure that lacks most points: its name, how many it has, and of how many."""


class Board:
    """The accounts of a read model. `on_change` is told which changed, None where all may have."""

    def __init__(
        self,
        model: ReadModel,
        on_change: Callable[[set[str] | None], None] = lambda changed: None,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model = model
        self._on_change = on_change
        self._monotonic_s = monotonic_s
        self._place: str | None = None
        self._anew_at_s = 0.0
        self._known: dict[str, Known] = {}
        self._entries: dict[str, Entry] = {}
        self._accounts: Counter[str] = Counter()
        self._mrr: defaultdict[str, float] = defaultdict(float)
        self.as_of_ms = 0
        """The latest instant that an account was written as of; 0 where there is none."""
        self.version = 0
        """Another one whenever an entry is."""
        self.order = Order()
        self.is_filled = False
        """False until all accounts were read for the first time."""
        self.away: str | None = None
        """Why it is not fresh; None where it is."""

    # -- what is on it ---------------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """The accounts in danger and approaching it, in no order."""
        return list(self._entries.values())

    def known(self) -> list[Known]:
        """All accounts, in no order."""
        return list(self._known.values())

    def get(self, account_id: str) -> Known | None:
        """An account; None where there is none."""
        return self._known.get(account_id)

    def accounts(self, zone: str) -> int:
        """How many there are in a zone."""
        return self._accounts[zone]

    def mrr(self, zone: str) -> float:
        """What those of a zone pay a month, together."""
        return max(self._mrr[zone], 0.0)

    # -- keeping it fresh ------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep it fresh, until cancelled."""
        while True:
            try:
                await self.step(_WAIT_MS)
                pause_s = _PAUSE_S
            except ReadModelError as error:
                if self.away is None:
                    log.warning("accounts are shown as they were", reason=str(error))
                self.away = str(error)
                pause_s = _AGAIN_S
            await asyncio.sleep(pause_s)

    async def step(self, wait_ms: int = 0) -> None:
        """Take over what has changed, for which it waits so long. Raises `ReadModelError`."""
        if self._place is None or self._monotonic_s() >= self._anew_at_s:
            await self._read_all()
        place = self._place or NOWHERE
        said = await self._model.changes(place, max(wait_ms, 1))
        if not said.is_whole and (said.account_ids or place != NOWHERE):
            await self._read_all()
        elif said.account_ids:
            await self._read(sorted(said.account_ids))
            self._place = said.place
            self._on_change(said.account_ids)
        if self.away is not None:
            log.info("accounts are shown as they are again")
            self.away = None

    async def _read_all(self) -> None:
        # First the place: what is written while all is read is read once more.
        place = await self._model.place()
        seen: set[str] = set()
        async for names in self._model.names():
            new = [name for name in names if name not in seen]
            seen.update(new)
            for start in range(0, len(new), _AT_ONCE):
                await self._read(new[start : start + _AT_ONCE])
        for name in [name for name in self._known if name not in seen]:
            self._put(name, None)
        untold = place == NOWHERE
        self._anew_at_s = self._monotonic_s() + (_ANEW_UNTOLD_S if untold else _ANEW_S)
        self._place, self.is_filled = place, True
        self._on_change(None)

    async def _read(self, account_ids: Sequence[str]) -> None:
        for start in range(0, len(account_ids), _AT_ONCE):
            some = account_ids[start : start + _AT_ONCE]
            for name, text in zip(some, await self._model.texts(some), strict=True):
                self._put(name, text)
            await asyncio.sleep(0)

    def _put(self, account_id: str, text: bytes | None) -> None:
        self.version += 1
        before = self._known.pop(account_id, None)
        self._entries.pop(account_id, None)
        if before is not None:
            self._accounts[before.zone] -= 1
            self._mrr[before.zone] -= before.mrr
        if text is None:
            return
        try:
            said = _decode(text)
            known = _known(said)
            entry = _entry(said, known) if known.zone in SHOWN else None
            self.as_of_ms = max(self.as_of_ms, parse_ts(said.as_of))
        except (ValueError, UnicodeDecodeError) as error:
            log.warning("a document is none", account=account_id, error=str(error))
            return
        self._known[account_id] = known
        if entry is not None:
            self._entries[account_id] = entry
        self._accounts[known.zone] += 1
        self._mrr[known.zone] += known.mrr


def _known(said: _Document) -> Known:
    profile = said.profile
    return Known(
        account_id=said.account_id,
        name=profile.name or said.account_id,
        zone="churned" if said.lifecycle == "churned" else said.zone,
        mrr=profile.mrr or 0.0,
        owner=profile.owner or "",
        segment=profile.segment or "",
        score=said.score,
        enter=said.line.enter,
    )


def _entry(said: _Document, known: Known) -> Entry:
    profile = said.profile
    lacking = [
        (name, has, said.out_of[name])
        for name, has in said.contributions.items()
        if name in said.out_of
    ]
    return Entry(
        known=known,
        approach=said.line.approach,
        then=None if said.then is None else said.then.score,
        since_ms=None if said.since is None else parse_ts(said.since),
        renewal_ms=None if profile.renewal_at is None else parse_ts(profile.renewal_at),
        has_mrr=profile.mrr is not None,
        plan=profile.plan or "",
        lifecycle=said.lifecycle,
        reasons=tuple(dict.fromkeys(each.reason for each in said.alerts)),
        lacks=max(lacking, key=lambda each: each[2] - each[1], default=None),
    )


def found(known: Iterable[Known], text: str, most: int) -> tuple[list[Known], int]:
    """Up to `most` accounts whose id or name has the text in it, and how many there are in all.

    The ones that are called so come first, then those that begin so.
    """
    wanted = text.casefold()

    def hits() -> Iterator[tuple[int, str, Known]]:
        for each in known:
            name, account_id = each.name.casefold(), each.account_id.casefold()
            if wanted in (name, account_id):
                yield 0, name, each
            elif name.startswith(wanted) or account_id.startswith(wanted):
                yield 1, name, each
            elif wanted in name or wanted in account_id:
                yield 2, name, each

    every = list(hits())
    first = nsmallest(most, every, key=lambda each: (each[0], each[1], each[2].account_id))
    return [each for _, _, each in first], len(every)
