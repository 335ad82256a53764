"""What of a partition's state stands in the changelog, and what is to be written of it.

The log of events is the journal: a page that has changed need not be written as long as the input
is read again from where the page still held everything. So a flush writes the pages that have
waited for longest, and its manifest says where reading must begin again: at the least offset of
those that wait. What must be done again after a crash is bounded by the work it is
(`worker.reread_s`), not by the number of records: a record may hold one event or a thousand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pulse.stream.state import pages
from pulse.stream.state.pages import (
    ChangelogRecord,
    Context,
    Manifest,
    PageVersion,
    encode_accounts,
    keys_of,
    manifest_record,
    page_records,
)
from pulse.stream.state.snapshot import Restored

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pulse.engine import Page, PartitionState


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of the log from which reading could begin again, seen in passing.

    `work_s` is the work done so far, `at_s` the time (monotonic).
    """

    context: Context
    work_s: float = 0.0
    at_s: float = 0.0


class Written(NamedTuple):
    """A page that was packed: its records, and what it is once they are acknowledged."""

    page: Page
    version: PageVersion
    records: list[ChangelogRecord]


class Checkpoint:
    """The written side of one partition's state, while one generation writes it.

    `restored` is what was read back. Nothing here waits: who writes says when something is
    acknowledged (`wrote`, `wrote_manifest`, `committed`).
    """

    def __init__(
        self,
        state: PartitionState,
        generation: int,
        restored: Restored | None = None,
        at_s: float = 0.0,
    ) -> None:
        self.is_first = restored is None
        """Whether nobody has had the partition before."""
        restored = restored or Restored()
        self.generation = generation
        self._state = state
        self._versions = restored.versions
        self._replaced = restored.replaced
        self._garbage = restored.garbage
        self._to_delete: list[bytes] = []
        self._superseded: list[bytes] = []
        self._waiting: dict[int, tuple[Page, Mark]] = {}
        """Pages that changed since they were written, with the last mark at which they had not."""
        self.told = self._mark = self._read_on = Mark(Context.of(state), 0.0, at_s)

    # -- what there is to write ----------------------------------------------------------------

    @property
    def last(self) -> Mark:
        """Where the state stood at the last flush."""
        return self._mark

    def mark(self, work_s: float, at_s: float) -> Mark:
        """Note where the state stands; called at every flush."""
        for page in self._state.pages:
            if page.dirty and page.number not in self._waiting:
                self._waiting[page.number] = page, self._mark
        self._mark = Mark(Context.of(self._state), work_s, at_s)
        return self._mark

    @property
    def read_on(self) -> Mark:
        """Where reading would have to begin again if everything written were all there is."""
        return min(
            (mark for _, mark in self._waiting.values()),
            key=lambda mark: mark.context.offset,
            default=self._mark,
        )

    @property
    def written(self) -> Mark:
        """Where reading begins again by the last manifest: what may be committed."""
        return self._read_on

    def due(self, work_s: float, at_s: float) -> list[Page]:
        """Pages that wait since before that work, or since before that time, oldest first."""
        found = sorted(
            (
                (mark.context.offset, page.number, page)
                for page, mark in self._waiting.values()
                if mark.work_s <= work_s or mark.at_s <= at_s
            ),
            key=lambda each: each[:2],
        )
        # A page that is ahead of a log that is read again waits until the log has caught up: the
        # clock that stands in a page must be the clock at its offset.
        return [page for *_, page in found if page.guard <= self._state.position]

    def is_late(self, work_s: float, at_s: float) -> bool:
        """Whether the last manifest is as old as that, and a new one would say more."""
        written = self._read_on
        if written.work_s > work_s and written.at_s > at_s:
            return False
        return written.context.offset < self.read_on.context.offset

    # -- writing -------------------------------------------------------------------------------

    def pack(self, page: Page) -> Written:
        """A page as it stands now. What changes later makes it wait again."""
        state, old = self._state, self._versions.get(page.number)
        body = encode_accounts([state.packed(account_id) for account_id in page.accounts])
        parts = max(-(-len(body) // pages.PART_BYTES), 1)
        slot = 0
        if old is not None and old.writer == self.generation:
            slot = 1 - old.slot if parts > 1 or old.parts > 1 else old.slot
        context = Context.of(state)
        page.guard, page.dirty, page.size_bytes = context.offset, False, len(body)
        version = PageVersion(
            page.number, self.generation, context.offset, slot, parts, len(page.accounts)
        )
        return Written(page, version, list(page_records(version, context, body)))

    def wrote(self, written: Iterable[Written]) -> None:
        """These pages are acknowledged."""
        for page, version, _ in written:
            old = self._versions.get(page.number)
            if old is not None and old.writer == self.generation and old.slot != version.slot:
                self._superseded += keys_of(old)
            self._versions[page.number] = version
            self._waiting.pop(page.number, None)
            self._garbage += self._replaced.pop(page.number, ())

    def superseded(self) -> list[ChangelogRecord]:
        """Tombstones for the slots that this writer has left, as the other one holds more.

        They are written before anything else: nothing may stay there of what was forgotten. Like
        overwriting a page of its own that harms nobody, whoever has the partition.
        """
        keys, self._superseded = self._superseded, []
        return [ChangelogRecord(key, None) for key in keys]

    def manifest(self, partitions: int, config_version: str) -> ChangelogRecord:
        """The manifest as of what is acknowledged, also all that was caused before `last`."""
        manifest = Manifest(
            partitions,
            config_version,
            max(self._mark.context.offset, self._state.settled),
            self.read_on.context,
            list(self._versions.values()),
            [(*origin, arrived) for origin, arrived in self._state.forwarded.items()],
        )
        return manifest_record(self.generation, manifest)

    def wrote_manifest(self) -> None:
        """The last manifest is acknowledged."""
        self.told, self._read_on = self._mark, self.read_on
        self._to_delete += self._garbage
        self._garbage = []

    def deletions(self) -> list[ChangelogRecord]:
        """Tombstones for what nobody needs once a commit of the last manifest is taken.

        They are written after a commit that the group took and that came after this was called:
        whoever has the partition later reads that manifest or one that follows from it, and so
        cannot need these keys. A worker that was only thought to have the partition never comes
        so far.
        """
        keys, self._to_delete = self._to_delete, []
        return [ChangelogRecord(key, None) for key in keys]

    def not_deleted(self, records: Iterable[ChangelogRecord]) -> None:
        """These are still to be deleted: the group did not take the commit."""
        self._to_delete += [record.key for record in records]


def even_share(backlogs: Sequence[float], total: float) -> float:
    """What each may keep of its backlog, so that together they keep no more than `total`.

    >>> even_share([1.0, 2.0], 3.0)
    inf
    >>> even_share([1.0, 4.0, 4.0], 5.0)
    2.0
    """
    left = sorted(backlogs)
    if sum(left) <= total:
        return math.inf
    for number, backlog in enumerate(left):
        share = total / (len(left) - number)
        if backlog > share:
            return share
        total -= backlog
    return math.inf
