"""The text of instants, some millions of times."""

from __future__ import annotations

from functools import lru_cache

from pulse.simulation.product import date_of


@lru_cache(maxsize=64)
def _date(day: int) -> bytes:
    return f"{date_of(day):%Y-%m-%d}".encode()


def text_of(at_s: int) -> bytes:
    """RFC 3339 of a second UTC.

    >>> text_of(1_729_798_381)
    b'2024-10-24T19:33:01Z'
    """
    day, second = divmod(at_s, 86_400)
    return b"%sT%02d:%02d:%02dZ" % (
        _date(day),
        second // 3_600,
        second // 60 % 60,
        second % 60,
    )
