"""Lists as CSV, for spreadsheets: no cell of one is taken for a formula."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from fastapi import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A header and the rows; texts of others in them have been made `safe`.

    Every cell is quoted, since some spreadsheets also split at a semicolon or a tab.

    >>> csv_text(("name", "mrr"), [("a;b", "12")])
    '"name","mrr"\\r\\n"a;b","12"\\r\\n'
    """
    out = io.StringIO()
    write = csv.writer(out, quoting=csv.QUOTE_ALL).writerow
    write(columns)
    for row in rows:
        write(row)
    return out.getvalue()


def csv_answer(text: str, name: str, now_ms: int) -> Response:
    """The answer that a browser keeps as a file with the list's name and the day, UTC.

    It begins with a mark that it is UTF-8: without one Excel takes it for something older.
    """
    file = f"pulse-{name}-{datetime.fromtimestamp(now_ms / 1000, tz=UTC):%Y-%m-%d}.csv"
    return Response(
        f"\ufeff{text}",
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )
