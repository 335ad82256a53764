"""Churn outcomes: a CSV of who left, and when that could be known.

    account_id,started_at,churned_at
    acme,2025-01-07,
    globex,2024-11-30,2025-06-14

`churned_at` is empty for whoever stayed. `started_at` may be empty; what an account did before says
nothing. Both are dates or RFC 3339. An account that came back has one line: that of its last stay.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple

from pulse.errors import PulseError
from pulse.model.time import parse_ts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

COLUMNS = ("account_id", "started_at", "churned_at")


class OutcomesError(PulseError):
    """The outcomes cannot be used."""


class Outcome(NamedTuple):
    """What became of one account, in ms UTC; None where there is nothing to say."""

    started_ms: int | None
    churned_ms: int | None


def read_outcomes(lines: Iterable[str], name: str) -> dict[str, Outcome]:
    """The outcomes by account; `name` is what messages call the file.

    Raises `OutcomesError` with the line of the first mistake.

    >>> lines = ["account_id,churned_at", "acme,", "globex,1970-01-02"]
    >>> read_outcomes(lines, "churn.csv")["globex"]
    Outcome(started_ms=None, churned_ms=86400000)
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


def _read(reader: csv.DictReader[str], columns: list[str], name: str) -> dict[str, Outcome]:
    for needed in ("account_id", "churned_at"):
        if needed not in columns:
            raise OutcomesError(
                f"{name} has no column {needed}",
                hint=f"its first line must be {','.join(COLUMNS)}",
            )
    outcomes: dict[str, Outcome] = {}
    for row in reader:
        where = f"{name}, line {reader.line_num}"
        if None in row or None in row.values():
            raise OutcomesError(
                f"{where}: {'more' if None in row else 'fewer'} fields than columns",
                hint="a field with a comma needs quotes",
            )
        account_id = row["account_id"].strip()
        if not account_id:
            raise OutcomesError(f"{where}: no account_id")
        if account_id in outcomes:
            raise OutcomesError(
                f'{where}: account "{account_id}" stands there twice',
                hint="keep one line an account: its last stay",
            )
        outcome = Outcome(_instant(row, "started_at", where), _instant(row, "churned_at", where))
        started_ms, churned_ms = outcome
        if started_ms is not None and churned_ms is not None and churned_ms < started_ms:
            raise OutcomesError(f"{where}: churned_at is before started_at")
        outcomes[account_id] = outcome
    if not outcomes:
        raise OutcomesError(f"{name} has no accounts", hint="one line each, below the header")
    return outcomes


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
