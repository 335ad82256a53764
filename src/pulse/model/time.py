"""Instants at the edges: RFC 3339 text or integer milliseconds, to and from what pulse counts in.

Inside pulse an instant is an `int`: milliseconds since 1970-01-01T00:00:00Z. Text appears only
where something is read or written. The text form read here is exactly the one `msgspec.json`
decodes into a time-zone-aware `datetime`, so the hot decoder and the pydantic models agree.
"""

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Annotated
from zoneinfo import available_timezones

import msgspec

MAX_MS = 253_402_300_799_999
"""The last millisecond of the year 9999; the first instant is 0."""

MAX_DURATION_MS = 366 * 86_400_000
"""The longest that a setting, a silence or a snooze may last: a leap year."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_NAIVE = datetime(1970, 1, 1)  # noqa: DTZ001  # for text alone
_MILLISECOND = timedelta(milliseconds=1)
_AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]


def parse_ts(value: object) -> int:
    """The instant in milliseconds UTC that RFC 3339 text or an integer of milliseconds names.

    Text needs seconds and an offset (`Z` or `+02:00`); what is finer than a millisecond is cut off.
    Raises `ValueError` for anything else: other types (also `bool` and `float`), no offset,
    a leap second, an instant before 1970 or after 9999.

    >>> parse_ts("2024-10-24T21:33:01.5+02:00")
    1729798381500
    >>> parse_ts(1729798381500)
    1729798381500
    """
    if isinstance(value, str):
        try:
            moment = msgspec.convert(value, _AwareDatetime)
        except msgspec.ValidationError:
            raise ValueError(
                "must be RFC 3339 with seconds and an offset, like 2024-10-24T19:33:01Z"
            ) from None
        ms = (moment - _EPOCH) // _MILLISECOND
    elif isinstance(value, int) and not isinstance(value, bool):
        ms = value
    else:
        raise ValueError("must be RFC 3339 text or integer milliseconds")
    if not 0 <= ms <= MAX_MS:
        raise ValueError("must lie between 1970-01-01 and 9999-12-31")
    return ms


@lru_cache(maxsize=4096)
def format_ms(ms: int) -> str:
    """RFC 3339 UTC text of an instant in milliseconds, with `.mmm` only where it is not whole.

    Raises `ValueError` outside 0..`MAX_MS`. `parse_ts(format_ms(ms)) == ms`.

    >>> format_ms(1729798381000), format_ms(1729798381007)
    ('2024-10-24T19:33:01Z', '2024-10-24T19:33:01.007Z')
    """
    if not 0 <= ms <= MAX_MS:
        raise ValueError(f"{ms} ms is not between 1970-01-01 and 9999-12-31")
    seconds, rest_ms = divmod(ms, 1000)
    text = (_EPOCH_NAIVE + timedelta(seconds=seconds)).isoformat()
    return f"{text}.{rest_ms:03d}Z" if rest_ms else f"{text}Z"


def is_time_zone(name: str) -> bool:
    """Whether there is an IANA time zone of that name.

    >>> is_time_zone("Europe/Berlin"), is_time_zone("Europe/Atlantis")
    (True, False)
    """
    return name in _time_zones()


@cache
def _time_zones() -> frozenset[str]:
    # What the machine calls its own is no name: elsewhere it is another zone.
    return frozenset(available_timezones()) - {"localtime", "Factory"}
