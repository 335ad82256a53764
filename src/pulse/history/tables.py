"""The tables of the history's file."""

from __future__ import annotations

from typing import Final, get_args

from pulse.model.account import Lifecycle, Zone

FORM: Final = 1
"""Of the file; a pulse reads its own alone."""

# Names are kept as their place in these, so they must only grow at the end.
INDEX_OF: Final[dict[str, int]] = {
    **{name: place for place, name in enumerate(get_args(Zone))},
    **{name: place for place, name in enumerate(get_args(Lifecycle))},
}

MAKE: Final = (
    # How far each partition of the topic was read.
    "CREATE TABLE IF NOT EXISTS place (partition INTEGER PRIMARY KEY, next INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS account (id INTEGER PRIMARY KEY, account_id TEXT NOT NULL UNIQUE)",
    # Days are proleptic Gregorian ordinals; score, line and approach hundredths.
    """CREATE TABLE IF NOT EXISTS day (
        account INTEGER NOT NULL, day INTEGER NOT NULL, score INTEGER, zone INTEGER NOT NULL,
        lifecycle INTEGER NOT NULL, line INTEGER NOT NULL, approach INTEGER NOT NULL,
        segment TEXT NOT NULL, mrr REAL NOT NULL, events REAL NOT NULL, value REAL NOT NULL,
        active_users INTEGER NOT NULL, features INTEGER NOT NULL, active_days INTEGER NOT NULL,
        PRIMARY KEY (account, day)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS fleet (
        day INTEGER NOT NULL, segment TEXT NOT NULL, zone INTEGER NOT NULL,
        lifecycle INTEGER NOT NULL, bucket INTEGER NOT NULL, accounts INTEGER NOT NULL,
        mrr REAL NOT NULL, PRIMARY KEY (day, segment, zone, lifecycle, bucket)) WITHOUT ROWID""",
    # Of zones. `was` is -1 for an account of which there was nothing before.
    """CREATE TABLE IF NOT EXISTS move (
        day INTEGER NOT NULL, segment TEXT NOT NULL, was INTEGER NOT NULL, now INTEGER NOT NULL,
        accounts INTEGER NOT NULL, PRIMARY KEY (day, segment, was, now)) WITHOUT ROWID""",
    # The same of lifecycles.
    """CREATE TABLE IF NOT EXISTS turn (
        day INTEGER NOT NULL, segment TEXT NOT NULL, was INTEGER NOT NULL, now INTEGER NOT NULL,
        accounts INTEGER NOT NULL, PRIMARY KEY (day, segment, was, now)) WITHOUT ROWID""",
    # Accounts that were forgotten (`renamed_to` is empty) or renamed, by a hash of their id.
    """CREATE TABLE IF NOT EXISTS gone (
        account BLOB PRIMARY KEY, at_ms INTEGER NOT NULL, renamed_to TEXT NOT NULL
        ) WITHOUT ROWID""",
)


def bucket_of(score: int | None) -> int:
    """Which of 20 equal parts of the scale a score in hundredths is in; -1 for none.

    >>> bucket_of(0), bucket_of(499), bucket_of(500), bucket_of(10_000), bucket_of(None)
    (0, 0, 1, 19, -1)
    """
    return -1 if score is None else min(score // 500, 19)
