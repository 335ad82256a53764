"""Numbers and times as sentences have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pulse.model.time import format_ms, parse_ts

if TYPE_CHECKING:
    from collections.abc import Sequence


def count(number: int, what: str, many: str | None = None) -> str:
    """So many of something.

    >>> count(1, "event"), count(20108, "event"), count(2, "dead letter has", "dead letters have")
    ('1 event', '20,108 events', '2 dead letters have')
    """
    return f"{number:,} {what if number == 1 else many or what + 's'}"


def listed(parts: Sequence[str]) -> str:
    """Several things in a row.

    >>> listed(["a"]), listed(["a", "b", "c"])
    ('a', 'a, b and c')
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def date_of(ms: int) -> str:
    """The UTC date of an instant.

    >>> date_of(1729798381500)
    '2024-10-24'
    """
    return format_ms(ms)[:10]


def too_short(ms: int, min_history_days: int) -> str:
    """A word on a history in which no line judges any account; empty where one may.

    >>> too_short(12 * 86_400_000, 28)
    'a history of 12 days, and no account is judged before 28 (line.min_history_days)'
    """
    days = ms // 86_400_000
    if days >= min_history_days:
        return ""
    return (
        f"a history of {count(days, 'day')}, and no account is judged before {min_history_days} "
        "(line.min_history_days)"
    )


def seconds_text(seconds: float) -> str:
    """How long something took.

    >>> seconds_text(0.42), seconds_text(25.13), seconds_text(187)
    ('0.4 s', '25 s', '3 min 7 s')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def date(text: str) -> int:
    """What an option that names a date says: its first millisecond; for typer's `parser`.

    >>> date("1970-01-02")
    86400000
    """
    return instant(text if "T" in text else f"{text}T00:00:00Z")


def instant(text: str) -> int:
    """What an option that names an instant says, in milliseconds; for typer's `parser`."""
    try:
        return parse_ts(text)
    except ValueError as error:
        raise typer.BadParameter(f'"{text}" {error}') from None
