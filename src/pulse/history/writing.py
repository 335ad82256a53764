"""What is read of the history topic, written into the file: one transaction's worth."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from pulse.history.days import Day, Moved, read_day
from pulse.history.tables import INDEX_OF, bucket_of

if TYPE_CHECKING:
    import sqlite3

log = structlog.get_logger("pulse.history")


class Record(NamedTuple):
    """A record of the history topic."""

    partition: int
    offset: int
    key: bytes
    value: bytes | None
    """None: the account was forgotten."""
    at_ms: int = 0
    """When it was written."""


class _Gone(NamedTuple):
    """That an account was forgotten, or goes on under another id, and since when."""

    at_ms: int
    to: str


class _Row(NamedTuple):
    """What is counted of an account's day."""

    day: int
    segment: str
    zone: int
    lifecycle: int
    score: int | None
    mrr: float


def _known_as(account_id: str) -> bytes:
    """What stands for an account that is gone: its id may be what was to be forgotten."""
    return hashlib.blake2b(account_id.encode(), digest_size=16).digest()


class Batch:
    """Records that are written in one transaction; what they add to the fleet, once at the end.

    A day that is newer than all of its account, as nearly every one is, waits in `_days`, and is
    written with others at once; whatever looks for days of an account that may wait writes them.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._ids: dict[str, int] = {}
        self._newest: dict[int, _Row | None] = {}
        """The newest day of an account, also where it waits; None where there is none."""
        self._days: list[tuple[object, ...]] = []
        self._accounts: Counter[tuple[int, str, int, int, int]] = Counter()
        self._mrr: dict[tuple[int, str, int, int, int], float] = {}
        self._moves: Counter[tuple[int, str, int, int]] = Counter()
        self._turns: Counter[tuple[int, str, int, int]] = Counter()
        found = db.execute("SELECT account, at_ms, renamed_to FROM gone")
        self._gone = {bytes(account): _Gone(at_ms, to) for account, at_ms, to in found}
        self.taken = 0

    def take(self, record: Record) -> None:
        """Write a record; what is none is passed over, and told."""
        self.taken += 1
        if record.value is None:
            account_id = record.key.decode(errors="replace")
            self._note_gone(account_id, _Gone(record.at_ms, ""))
            self._forget(account_id)
            return
        try:
            said = read_day(record.value)
            day = 0 if isinstance(said, Moved) else date.fromisoformat(said.day).toordinal()
        except (ValueError, UnicodeDecodeError) as error:
            log.warning(
                "a record of the history is none",
                origin=f"{record.partition}/{record.offset}",
                error=str(error),
            )
            return
        if isinstance(said, Moved):
            self._note_gone(said.account_id, _Gone(record.at_ms, said.renamed_to))
            self._move(said)
        else:
            self._keep_or_not(said, day, record.at_ms)

    def _note_gone(self, account_id: str, gone: _Gone) -> None:
        key = _known_as(account_id)
        self._gone[key] = gone
        self._db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?, ?)", (key, *gone))

    def _keep_or_not(self, said: Day, day: int, at_ms: int) -> None:
        """Keep a day, unless its account is known to have gone since.

        An account has one partition, until there are others: then what was said of it before may
        be read after what was said of it since.
        """
        gone = self._gone.get(_known_as(said.account_id)) if self._gone else None
        if gone is None or at_ms >= gone.at_ms:
            self._keep(said, day)
        elif gone.to and not self._has(gone.to, day):
            # From then on it was the other one's, which may have gone later still.
            self._keep_or_not(msgspec.structs.replace(said, account_id=gone.to), day, gone.at_ms)

    def _has(self, account_id: str, day: int) -> bool:
        self._write_days()
        found = self._find(account_id)
        before = [] if found is None else self._before(found, 1, day)
        return bool(before) and before[0].day == day

    def end(self) -> None:
        """Write what waits, and what the fleet is by it."""
        self._write_days()
        self._db.executemany(
            "INSERT INTO fleet VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "accounts = accounts + excluded.accounts, mrr = mrr + excluded.mrr",
            [(*at, accounts, self._mrr[at]) for at, accounts in self._accounts.items()],
        )
        for table, counted in (("move", self._moves), ("turn", self._turns)):
            self._db.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "accounts = accounts + excluded.accounts",
                [(*at, accounts) for at, accounts in counted.items()],
            )

    def _keep(self, said: Day, day: int) -> None:
        account = self._id(said.account_id)
        score = None if said.score is None else round(said.score * 100.0)
        row = _Row(
            day, said.segment, INDEX_OF[said.zone], INDEX_OF[said.lifecycle], score, said.mrr
        )
        if account not in self._newest:
            self._newest[account] = next(iter(self._before(account, 1)), None)
        newest = before = self._newest[account]
        if newest is not None and newest.day >= day:
            before = self._replaced(account, day)
        if newest is None or newest.day <= day:
            self._newest[account] = row
        self._count(row, 1)
        self._moved(row, before, 1)
        measured = said.measures
        self._days.append(
            (
                account,
                day,
                score,
                row.zone,
                row.lifecycle,
                round(said.line * 100.0),
                round(said.approach * 100.0),
                said.segment,
                said.mrr,
                measured.events,
                measured.value,
                measured.active_users,
                measured.features,
                measured.active_days,
            )
        )

    def _replaced(self, account: int, day: int) -> _Row | None:
        """Count a day no longer that was said before, as a worker does that has begun again.

        Returns the day before it.
        """
        self._write_days()
        was = self._before(account, 2, day)
        if was and was[0].day == day:
            old, before = was[0], was[1] if len(was) > 1 else None
            self._count(old, -1)
            self._moved(old, before, -1)
            return before
        return was[0] if was else None

    def _before(self, account: int, most: int, day: int = date.max.toordinal()) -> list[_Row]:
        """The newest days of an account up to that one."""
        found = self._db.execute(
            "SELECT day, segment, zone, lifecycle, score, mrr FROM day "
            "WHERE account = ? AND day <= ? ORDER BY day DESC LIMIT ?",
            (account, day, most),
        )
        return [_Row(*each) for each in found]

    def _write_days(self) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO day VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self._days,
        )
        self._days.clear()

    def _count(self, row: _Row, times: int) -> None:
        at = (row.day, row.segment, row.zone, row.lifecycle, bucket_of(row.score))
        self._accounts[at] += times
        self._mrr[at] = self._mrr.get(at, 0.0) + times * row.mrr

    def _moved(self, row: _Row, before: _Row | None, times: int) -> None:
        zone, lifecycle = (-1, -1) if before is None else (before.zone, before.lifecycle)
        if zone != row.zone:
            self._moves[row.day, row.segment, zone, row.zone] += times
        if lifecycle != row.lifecycle:
            self._turns[row.day, row.segment, lifecycle, row.lifecycle] += times

    def _id(self, account_id: str) -> int:
        found = self._ids.get(account_id) or self._find(account_id)
        if found is None:
            made = self._db.execute("INSERT INTO account (account_id) VALUES (?)", (account_id,))
            assert made.lastrowid is not None
            found = made.lastrowid
        self._ids[account_id] = found
        return found

    def _find(self, account_id: str) -> int | None:
        found = self._db.execute("SELECT id FROM account WHERE account_id = ?", (account_id,))
        row = found.fetchone()
        return None if row is None else int(row[0])

    def _forget(self, account_id: str) -> None:
        """Remove an account's days. That it was counted among others tells nothing of it."""
        self._begin_anew()
        found = self._find(account_id)
        if found is not None:
            self._db.execute("DELETE FROM day WHERE account = ?", (found,))
            self._db.execute("DELETE FROM account WHERE id = ?", (found,))

    def _move(self, said: Moved) -> None:
        """Give an account's days to the one that goes on with them, which keeps its own."""
        self._begin_anew()
        found = self._find(said.account_id)
        if found is None:
            return
        to = self._id(said.renamed_to)
        self._db.execute("UPDATE OR IGNORE day SET account = ? WHERE account = ?", (to, found))
        self._forget(said.account_id)

    def _begin_anew(self) -> None:
        """Write what waits; what is known of accounts may not be so afterwards."""
        self._write_days()
        self._ids.clear()
        self._newest.clear()
