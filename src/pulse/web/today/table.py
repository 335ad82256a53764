"""The board as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.model.time import format_ms
from pulse.web.sheets import csv_text, safe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.web.today.board import Entry

COLUMNS: Final = (
    "account_id", "name", "zone", "since", "score", "line", "score_28d_ago", "reasons", "owner",
    "segment", "plan", "mrr", "renewal_at", "taken", "held_out",
)  # fmt: skip


def csv_of(
    entries: Iterable[Entry],
    taken: Callable[[Entry], Iterable[object]],
    is_held_out: Callable[[str], bool],
) -> str:
    """A header and a line for each entry, in their order.

    `taken`: who has it, in words; `is_held_out`: of an account's id.
    """
    return csv_text(
        COLUMNS,
        (_row(each, taken(each), is_held_out(each.known.account_id)) for each in entries),
    )


def _row(entry: Entry, taken: Iterable[object], is_held_out: bool) -> tuple[str, ...]:
    known = entry.known
    return (
        safe(known.account_id),
        safe(known.name),
        known.zone,
        _time(entry.since_ms),
        _number(known.score),
        _number(known.enter),
        _number(entry.then),
        safe(" ".join(entry.reasons)),
        safe(known.owner),
        safe(known.segment),
        safe(entry.plan),
        _number(known.mrr if entry.has_mrr else None),
        _time(entry.renewal_ms),
        safe("; ".join(map(str, taken))),
        "yes" if is_held_out else "no",
    )


def _time(at_ms: int | None) -> str:
    return "" if at_ms is None else format_ms(at_ms)


def _number(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.10g}"
