"""The board as CSV, for spreadsheets: no cell of it is taken for a formula."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from pulse.model.time import format_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pulse.web.today.board import Entry

COLUMNS: Final = (
    "account_id", "name", "zone", "since", "score", "line", "score_28d_ago", "reasons", "owner",
    "segment", "plan", "mrr", "renewal_at", "taken",
)  # fmt: skip


def safe(text: str) -> str:
    """Text that a spreadsheet shows, whoever wrote it.

    >>> safe("=HYPERLINK(1)"), safe("Acme")
    ("'=HYPERLINK(1)", 'Acme')
    """
    begins = text[:1]
    if begins == " ":
        begins = text.lstrip(" ")[:1]
    return f"'{text}" if begins in _BEGINS_FORMULA else text


# Also as they are written in Japan: full width.
_BEGINS_FORMULA: Final = frozenset("=+-@\t\r\n|%\uff1d\uff0b\uff0d\uff20")


def csv_of(entries: Iterable[Entry], taken: Callable[[Entry], Iterable[object]]) -> str:
    """A header and a line for each entry, in their order. `taken`: who has it, in words."""
    out = io.StringIO()
    write = csv.writer(out).writerow
    write(COLUMNS)
    for each in entries:
        known = each.known
        write(
            (
                safe(known.account_id),
                safe(known.name),
                known.zone,
                _time(each.since_ms),
                _number(known.score),
                _number(known.enter),
                _number(each.then),
                safe(" ".join(each.reasons)),
                safe(known.owner),
                safe(known.segment),
                safe(each.plan),
                _number(known.mrr if each.has_mrr else None),
                _time(each.renewal_ms),
                safe("; ".join(map(str, taken(each)))),
            )
        )
    return out.getvalue()


def _time(at_ms: int | None) -> str:
    return "" if at_ms is None else format_ms(at_ms)


def _number(amount: float | None) -> str:
    return "" if amount is None else f"{amount:.10g}"
