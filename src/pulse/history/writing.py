"""What is read of the history topic, written into the file: one transaction's worth."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

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


class Batch:
    """Records that are written in one transaction; what they add to the fleet, once at the end."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._accounts: Counter[tuple[int, str, int, int, int]] = Counter()
        self._mrr: dict[tuple[int, str, int, int, int], float] = {}
        self._moves: Counter[tuple[int, str, int, int]] = Counter()
        self.taken = 0

    def take(self, record: Record) -> None:
        """Write a record; what is none is passed over, and told."""
        self.taken += 1
        if record.value is None:
            self._forget(record.key.decode(errors="replace"))
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
            self._move(said)
        else:
            self._keep(said, day)

    def end(self) -> None:
        """Write what the fleet is by it."""
        self._db.executemany(
            "INSERT INTO fleet VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "accounts = accounts + excluded.accounts, mrr = mrr + excluded.mrr",
            [(*at, accounts, self._mrr[at]) for at, accounts in self._accounts.items()],
        )
        self._db.executemany(
            "INSERT INTO move VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
            "accounts = accounts + excluded.accounts",
            [(*at, accounts) for at, accounts in self._moves.items()],
        )

    def _keep(self, said: Day, day: int) -> None:
        db = self._db
        account = self._id(said.account_id)
        zone, lifecycle = INDEX_OF[said.zone], INDEX_OF[said.lifecycle]
        score = None if said.score is None else round(said.score * 100.0)
        was = db.execute(
            "SELECT day, segment, zone, lifecycle, score, mrr FROM day "
            "WHERE account = ? AND day <= ? ORDER BY day DESC LIMIT 2",
            (account, day),
        ).fetchall()
        if was and was[0][0] == day:
            # It was said before, by a worker that has begun again.
            _, segment, old_zone, old_lifecycle, old_score, old_mrr = was.pop(0)
            self._count(day, segment, old_zone, old_lifecycle, old_score, old_mrr, -1)
            self._moved(day, segment, was[0][2] if was else -1, old_zone, -1)
        self._count(day, said.segment, zone, lifecycle, score, said.mrr, 1)
        self._moved(day, said.segment, was[0][2] if was else -1, zone, 1)
        measured = said.measures
        db.execute(
            "INSERT OR REPLACE INTO day VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                account,
                day,
                score,
                zone,
                lifecycle,
                round(said.line * 100.0),
                round(said.approach * 100.0),
                said.segment,
                said.mrr,
                measured.events,
                measured.value,
                measured.active_users,
                measured.features,
                measured.active_days,
            ),
        )

    def _count(
        self, day: int, segment: str, zone: int, lifecycle: int, score: int | None, mrr: float,
        times: int,
    ) -> None:  # fmt: skip
        at = (day, segment, zone, lifecycle, bucket_of(score))
        self._accounts[at] += times
        self._mrr[at] = self._mrr.get(at, 0.0) + times * mrr

    def _moved(self, day: int, segment: str, was: int, now: int, times: int) -> None:
        if was != now:
            self._moves[day, segment, was, now] += times

    def _id(self, account_id: str) -> int:
        found = self._find(account_id)
        if found is not None:
            return found
        made = self._db.execute("INSERT INTO account (account_id) VALUES (?)", (account_id,))
        assert made.lastrowid is not None
        return made.lastrowid

    def _find(self, account_id: str) -> int | None:
        found = self._db.execute("SELECT id FROM account WHERE account_id = ?", (account_id,))
        row = found.fetchone()
        return None if row is None else int(row[0])

    def _forget(self, account_id: str) -> None:
        """Remove an account's days. That it was counted among others tells nothing of it."""
        found = self._find(account_id)
        if found is not None:
            self._db.execute("DELETE FROM day WHERE account = ?", (found,))
            self._db.execute("DELETE FROM account WHERE id = ?", (found,))

    def _move(self, said: Moved) -> None:
        """Give an account's days to the one that goes on with them, which keeps its own."""
        found = self._find(said.account_id)
        if found is None:
            return
        to = self._id(said.renamed_to)
        self._db.execute("UPDATE OR IGNORE day SET account = ? WHERE account = ?", (to, found))
        self._forget(said.account_id)
