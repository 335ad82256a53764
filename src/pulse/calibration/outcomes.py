"""Churn outcomes: a CSV of who left, and when that could be known.

    account_id,started_at,churned_at
    acme,2025-01-07,
    globex,2024-11-30,2025-06-14
    globex,2025-09-01,

A line is a stay. `churned_at` is empty for whoever stayed. `started_at` may be empty in the first
stay of an account; what it did before says nothing. Both are dates or RFC 3339. An account that
left and came back has a line for each stay.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from pulse.errors import PulseError
from pulse.model.time import format_ms, parse_ts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COLUMNS = ("account_id", "started_at", "churned_at")


class OutcomesError(PulseError):
    """The outcomes cannot be used."""


class Stay(NamedTuple):
    """One stay of an account, in ms UTC; None where there is nothing to say."""

    started_ms: int | None
    churned_ms: int | None


Outcomes = dict[str, tuple[Stay, ...]]
"""What became of each account: its stays, in order of time, none of them within another."""


def read_outcomes(lines: Iterable[str], name: str) -> Outcomes:
    """The outcomes by account; `name` is what messages call the file.

    Raises `OutcomesError` with the line of the first mistake.

    >>> lines = ["account_id,churned_at", "acme,", "globex,1970-01-02"]
    >>> read_outcomes(lines, "churn.csv")["globex"]
    (Stay(started_ms=None, churned_ms=86400000),)
    """
    reader = csv.DictReader(lines, skipinitialspace=True)
    try:
        columns = [column.strip() for column in reader.fieldnames or ()]
        reader.fieldnames = columns
        return _read(reader, columns, name)
    except csv.Error as error:
        raise OutcomesError(
            f"{name}, line {reader.line_num}: {error}", hint="is a quote not closed?"
        ) from None


def censored(outcomes: Mapping[str, tuple[Stay, ...]], known_until_ms: int) -> Outcomes:
    """As they were known at an instant: who left then or later is still there, and who came then or
    later is not yet.

    >>> censored({"acme": (Stay(None, 5), Stay(8, 9))}, 9)
    {'acme': (Stay(started_ms=None, churned_ms=5), Stay(started_ms=8, churned_ms=None))}
    """
    found = {}
    for account_id, stays in outcomes.items():
        known = [each for each in stays if (each.started_ms or 0) < known_until_ms]
        if known and known[-1].churned_ms is not None and known[-1].churned_ms >= known_until_ms:
            known[-1] = known[-1]._replace(churned_ms=None)
        if known:
            found[account_id] = tuple(known)
    return found


class _Line(NamedTuple):
    """A stay, and the line it stands on."""

    number: int
    stay: Stay

    @property
    def begins_ms(self) -> int:
        """What stays are in order of; the one without a start is the first."""
        return -1 if self.stay.started_ms is None else self.stay.started_ms


def _read(reader: csv.DictReader[str], columns: list[str], name: str) -> Outcomes:
    for needed in ("account_id", "churned_at"):
        if needed not in columns:
            raise OutcomesError(
                f"{name} has no column {needed}",
                hint=f"its first line must be {','.join(COLUMNS)}",
            )
    lines: dict[str, list[_Line]] = defaultdict(list)
    for row in reader:
        where = f"{name}, line {reader.line_num}"
        if None in row or None in row.values():
            raise OutcomesError(
                f"{where}: {'more' if None in row else 'fewer'} fields than columns",
                hint="a field with a comma needs quotes",
            )
        account_id = row["account_id"].strip()
        if not account_id:
            raise OutcomesError(
                f"{where}: no account_id", hint="name the account, or drop the line"
            )
        stay = Stay(_instant(row, "started_at", where), _instant(row, "churned_at", where))
        started_ms, churned_ms = stay
        if started_ms is not None and churned_ms is not None and churned_ms < started_ms:
            raise OutcomesError(
                f"{where}: churned_at is before started_at", hint="are the two exchanged?"
            )
        lines[account_id].append(_Line(reader.line_num, stay))
    if not lines:
        raise OutcomesError(f"{name} has no accounts", hint="one line each, below the header")
    return {account_id: _in_order(account_id, each, name) for account_id, each in lines.items()}


def _in_order(account_id: str, lines: list[_Line], name: str) -> tuple[Stay, ...]:
    lines = sorted(lines, key=lambda line: line.begins_ms)
    for earlier, later in pairwise(lines):
        # The mistake is where a second line of the account is read.
        where, other = sorted((earlier.number, later.number), reverse=True)
        again = f'{name}, line {where}: account "{account_id}" stands on line {other} too'
        if later.stay.started_ms is None:
            raise OutcomesError(
                f"{again}, and neither says started_at",
                hint="only the first stay of an account may begin at an unknown time",
            )
        if earlier.stay.churned_ms is None:
            raise OutcomesError(
                f"{again}, and the stay before {format_ms(later.stay.started_ms)[:10]} has no end",
                hint="give churned_at to each stay but the last",
            )
        if later.stay.started_ms < earlier.stay.churned_ms:
            raise OutcomesError(
                f"{again}, and the two stays overlap",
                hint="end one before the next begins, or make one line of them",
            )
    return tuple(line.stay for line in lines)


def _instant(row: Mapping[str, str], column: str, where: str) -> int | None:
    text = row.get(column, "").strip()
    if not text:
        return None
    try:
        return parse_ts(text if "T" in text or " " in text else f"{text}T00:00:00Z")
    except ValueError as error:
        raise OutcomesError(
            f'{where}: {column} "{text[:40]}" {error}',
            hint="like 2025-06-14 or 2025-06-14T09:30:00Z",
        ) from None
