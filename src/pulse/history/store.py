"""The history in a file: a SQLite database, which one process writes and any may read.

What is read of the topic and how far it was read are written in one transaction, so nothing counts
twice and nothing is left out, whenever the process ends. Two that write to one file take turns.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from datetime import date
from typing import TYPE_CHECKING, Final, get_args

from pulse.engagement.days import DAY_MS
from pulse.errors import PulseError
from pulse.history.rows import DayRow, FleetDay, HeldLine, LifecycleMove, ZoneMove
from pulse.history.tables import FORM, MAKE
from pulse.history.trial import Calm, Scored, Trial, tried
from pulse.history.writing import Batch
from pulse.model.account import Lifecycle, Zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from pulse.history.trial import Lines
    from pulse.history.writing import Record

_ZONES: Final[tuple[Zone, ...]] = get_args(Zone)
_LIFECYCLES: Final[tuple[Lifecycle, ...]] = get_args(Lifecycle)
_WAIT_S: Final = 30.0
_EPOCH: Final = date(1970, 1, 1).toordinal()
_SLICE: Final = 2_000
"""Accounts whose old days go in one transaction."""

_PAGES: Final = 2_000
"""That are copied between two words of how far it is."""


class HistoryError(PulseError):
    """The file cannot be read or written."""


class OtherFormError(HistoryError):
    """The file is another version's."""


class History:
    """The file. Who writes it makes it with `prepare`; who only reads needs no more than the path.

    Methods take and give days as `date`; an account's days are its own. They raise `HistoryError`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    # --- writing --------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the file, where there is none. Raises `OtherFormError` for another version's."""
        with self._writing() as db:
            (form,) = db.execute("PRAGMA user_version").fetchone()
            if form not in (0, FORM):
                raise OtherFormError(
                    f"{self._path} was written in form {form}, this pulse reads {FORM}",
                    hint="name another file in history.file, or use the pulse that wrote it",
                )
            for statement in MAKE:
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {FORM}")

    def places(self) -> dict[int, int]:
        """The next offset of each partition that was read."""
        with self._reading() as db:
            return dict(db.execute("SELECT partition, next FROM place"))

    def take(self, records: Iterable[Record]) -> int:
        """Write records of the topic; returns how many were new. Those already read are skipped."""
        with self._writing() as db:
            places = dict(db.execute("SELECT partition, next FROM place"))
            batch = Batch(db)
            for record in records:
                if record.offset < places.get(record.partition, 0):
                    continue
                places[record.partition] = record.offset + 1
                batch.take(record)
            batch.end()
            db.executemany("INSERT OR REPLACE INTO place VALUES (?, ?)", places.items())
        return batch.taken

    def begin_again(self, partition: int) -> None:
        """Read a partition from its beginning: its topic is another one."""
        with self._writing() as db:
            db.execute("DELETE FROM place WHERE partition = ?", (partition,))

    def forget_before(self, first: date) -> int:
        """Remove the days before `first`; returns how many of accounts' days went."""
        day, gone, after = first.toordinal(), 0, 0
        while True:
            with self._writing() as db:
                (last,) = db.execute(
                    "SELECT max(id) FROM (SELECT id FROM account WHERE id > ? ORDER BY id LIMIT ?)",
                    (after, _SLICE),
                ).fetchone()
                if last is None:
                    db.execute("DELETE FROM fleet WHERE day < ?", (day,))
                    db.execute("DELETE FROM move WHERE day < ?", (day,))
                    db.execute("DELETE FROM turn WHERE day < ?", (day,))
                    db.execute("DELETE FROM gone WHERE at_ms < ?", ((day - _EPOCH) * DAY_MS,))
                    return gone
                gone += db.execute(
                    "DELETE FROM day WHERE account > ? AND account <= ? AND day < ?",
                    (after, last, day),
                ).rowcount
                db.execute(
                    "DELETE FROM account WHERE id > ? AND id <= ? AND NOT EXISTS "
                    "(SELECT 1 FROM day WHERE day.account = account.id)",
                    (after, last),
                )
            after = last

    # --- reading --------------------------------------------------------------------------------

    def newest(self) -> date | None:
        """The newest day of which there is anything."""
        with self._reading() as db:
            (day,) = db.execute("SELECT max(day) FROM fleet").fetchone()
        return None if day is None else date.fromordinal(day)

    def account(self, account_id: str, since: date) -> list[DayRow]:
        """An account's days from `since` on, the oldest first."""
        return self.accounts((account_id,), since)[account_id]

    def accounts(self, account_ids: Iterable[str], since: date) -> dict[str, list[DayRow]]:
        """The days of some accounts from `since` on, the oldest first; of one by `account`."""
        with self._reading() as db:
            return {
                account_id: [
                    DayRow(
                        date.fromordinal(day),
                        None if score is None else score / 100.0,
                        _ZONES[zone],
                        _LIFECYCLES[lifecycle],
                        line / 100.0,
                        approach / 100.0,
                        *rest,
                    )
                    for day, score, zone, lifecycle, line, approach, *rest in db.execute(
                        "SELECT day, score, zone, lifecycle, line, approach, mrr, events, value, "
                        "active_users, features, active_days FROM day "
                        "WHERE account = (SELECT id FROM account WHERE account_id = ?) "
                        "AND day >= ? ORDER BY day",
                        (account_id, since.toordinal()),
                    )
                ]
                for account_id in account_ids
            }

    def fleet(self, since: date, segment: str | None = None) -> list[FleetDay]:
        """How many accounts stood where, each day from `since` on, the oldest first."""
        with self._reading() as db:
            found = db.execute(
                "SELECT day, zone, lifecycle, sum(accounts), sum(mrr) FROM fleet "
                "WHERE day >= ? AND (?2 IS NULL OR segment = ?2) "
                "GROUP BY day, zone, lifecycle HAVING sum(accounts) > 0 ORDER BY day",
                (since.toordinal(), segment),
            ).fetchall()
        return [
            FleetDay(date.fromordinal(day), _ZONES[zone], _LIFECYCLES[lifecycle], accounts, mrr)
            for day, zone, lifecycle, accounts, mrr in found
        ]

    def moves(self, since: date, segment: str | None = None) -> list[ZoneMove]:
        """How many accounts went from zone to zone, each day from `since` on."""
        return [
            ZoneMove(day, None if was < 0 else _ZONES[was], _ZONES[now], accounts)
            for day, was, now, accounts in self._moves("move", since, segment)
        ]

    def lifecycle_moves(self, since: date, segment: str | None = None) -> list[LifecycleMove]:
        """How many went from one stage of life to another."""
        return [
            LifecycleMove(day, None if was < 0 else _LIFECYCLES[was], _LIFECYCLES[now], accounts)
            for day, was, now, accounts in self._moves("turn", since, segment)
        ]

    def _moves(
        self, table: str, since: date, segment: str | None
    ) -> Iterator[tuple[date, int, int, int]]:
        with self._reading() as db:
            found = db.execute(
                f"SELECT day, was, now, sum(accounts) FROM {table} "
                "WHERE day >= ? AND (?2 IS NULL OR segment = ?2) "
                "GROUP BY day, was, now HAVING sum(accounts) > 0 ORDER BY day",
                (since.toordinal(), segment),
            ).fetchall()
        for day, was, now, accounts in found:
            yield date.fromordinal(day), was, now, accounts

    def distribution(self, day: date, segment: str | None = None) -> list[int]:
        """How many accounts had a score of 0 to 5, 5 to 10, …, 95 to 100 on a day: 20 numbers.

        Those that have left are not among them.
        """
        counts = [0] * 20
        with self._reading() as db:
            for bucket, accounts in db.execute(
                "SELECT bucket, sum(accounts) FROM fleet WHERE day = ?1 AND bucket >= 0 "
                "AND (?2 IS NULL OR segment = ?2) AND lifecycle != ?3 GROUP BY bucket",
                (day.toordinal(), segment, _LIFECYCLES.index("churned")),
            ):
                counts[bucket] = accounts
        return counts

    def lines(self, since: date, until: date) -> dict[str, HeldLine]:
        """The line of each segment on the newest of these days that it has; `""`: of none.

        Within a day a line may move, between the day starts of two time zones.
        """
        found: dict[str, list[tuple[int, int, int, int]]] = {}
        with self._reading() as db:
            for day, segment, line, approach, accounts in db.execute(
                "SELECT d.day, d.segment, d.line, d.approach, count(*) FROM account a "
                "CROSS JOIN day d ON d.account = a.id AND d.day BETWEEN ? AND ? "
                "GROUP BY 1, 2, 3, 4",
                (since.toordinal(), until.toordinal()),
            ):
                found.setdefault(segment, []).append((day, accounts, line, approach))
        held = {}
        for segment, days in found.items():
            newest, _, line, approach = max(days)
            accounts = sum(each[1] for each in days if each[0] == newest)
            held[segment] = HeldLine(line / 100.0, approach / 100.0, accounts)
        return held

    def try_line(
        self, since: date, until: date, held: Lines, other: Lines, segment: str | None = None
    ) -> Trial:
        """What other lines would have said from a day to another, beside those that hold.

        `segment`: of the accounts that were in it on each of the days; None for all.
        """
        unknown, churned = _ZONES.index("unknown"), _LIFECYCLES.index("churned")
        enter = round(max(held.highest, other.highest) * 100.0)
        asked = (since.toordinal(), until.toordinal(), segment)
        with self._reading() as db:
            # Of most accounts no line says anything: their days stay where they are.
            stirred: list[tuple[int, str]] = []
            calm, first, last = 0, 0, 0
            for account, account_id, least, has_left, its_first, its_last in db.execute(
                "SELECT a.id, a.account_id, min(d.score), max(d.lifecycle = ?4), min(d.day), "
                "max(d.day) FROM account a "
                "CROSS JOIN day d ON d.account = a.id AND d.day BETWEEN ?1 AND ?2 "
                "WHERE ?3 IS NULL OR d.segment = ?3 GROUP BY a.id",
                (*asked, churned),
            ):
                if has_left or (least is not None and least < enter):
                    stirred.append((account, account_id))
                else:
                    calm += 1
                    first, last = min(first or its_first, its_first), max(last, its_last)
            return tried(
                (
                    Scored(
                        account_id,
                        day,
                        None if score is None else score / 100.0,
                        zone != unknown,
                        lifecycle == churned,
                        its_segment,
                    )
                    for account, account_id in stirred
                    for day, score, zone, lifecycle, its_segment in db.execute(
                        "SELECT day, score, zone, lifecycle, segment FROM day WHERE account = ?4 "
                        "AND day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR segment = ?3) ORDER BY day",
                        (*asked, account),
                    )
                ),
                held,
                other,
                Calm(calm, first, last),
            )

    def segments(self) -> list[str]:
        """The segments that are known; an empty one for accounts without."""
        with self._reading() as db:
            return [name for (name,) in db.execute("SELECT DISTINCT segment FROM fleet ORDER BY 1")]

    def copy_to(self, path: Path, told: Callable[[int, int], None] = lambda _, __: None) -> None:
        """Copy all of it, as it is now, into a new file; others may write meanwhile.

        `told` is given the pages that are copied, and all of them, as it goes on. Raises
        `HistoryError`, also where `path` is there already; what is half done is removed.
        """
        with self._reading() as db:
            # What is read within one transaction stays as it is, and the copy never begins anew.
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM place").fetchone()
            try:
                path.open("xb").close()
            except OSError as error:
                raise HistoryError(
                    f"cannot make {path}: {(error.strerror or '').lower()}",
                    hint="name a file that is not there yet, in a folder that is",
                ) from None
            try:
                with closing(sqlite3.connect(path)) as copy:
                    db.backup(
                        copy,
                        pages=_PAGES,
                        progress=lambda _, left, pages: told(pages - left, pages),
                    )
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    # --- the file -------------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection within a transaction: all of it is written, or nothing."""
        with self._told(), closing(self._connect(read_only=False)) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                # A full disk, among others, has rolled back already.
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._told(), closing(self._connect(read_only=True)) as db:
            yield db

    def _connect(self, *, read_only: bool) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}{'?mode=ro' if read_only else ''}"
        db = sqlite3.connect(uri, uri=True, timeout=_WAIT_S, isolation_level=None)
        if not read_only:
            # Readers go on while it is written; what the last moment lacks is read again.
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
        return db

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise HistoryError(
                f"{self._path}: {error}",
                hint="history.file names it; is there room, and may it be written?",
            ) from error
