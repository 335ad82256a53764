"""The records of the history topic, as a worker makes them and a reader reads them."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import msgspec

from pulse.engagement.measures import decimal
from pulse.model.account import Lifecycle, Zone
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from pulse.engagement.account import Account
    from pulse.engine.seeing import View

_28D: Final = 1


class Measures(msgspec.Struct, frozen=True):
    """`pulse.model.day.DayMeasures`, quickly."""

    events: float
    value: float
    active_users: int
    features: int
    active_days: int


class Day(msgspec.Struct, frozen=True):
    """`pulse.model.day.AccountDay`, quickly."""

    account_id: str
    day: str
    at: str
    score: float | None
    zone: Zone
    lifecycle: Lifecycle
    line: float
    approach: float
    segment: str
    mrr: float
    measures: Measures


class Moved(msgspec.Struct, frozen=True):
    """`pulse.model.day.AccountMoved`, quickly."""

    account_id: str
    renamed_to: str


class _Kind(msgspec.Struct):
    renamed_to: str | None = None


_encode: Final = msgspec.json.Encoder().encode
_decode_day: Final = msgspec.json.Decoder(Day).decode
_decode_moved: Final = msgspec.json.Decoder(Moved).decode
_decode_kind: Final = msgspec.json.Decoder(_Kind).decode


class Days:
    """Collects the day starts that an engine evaluates, as records; `observe` is its observer.

    >>> Days().take()
    []
    """

    def __init__(self) -> None:
        self._records: list[tuple[bytes, bytes]] = []

    def observe(self, account: Account, at_ms: int, view: View, judged: float | None) -> None:
        """A day start was evaluated."""
        now, profile, rules = view.now, account.profile, view.rules
        said = Day(
            account.account_id,
            _text(account.calendar.day),
            format_ms(at_ms),
            None if account.score is None else round(account.score, 2),
            account.zone,
            view.lifecycle,
            round(rules.enter, 2),
            round(rules.approach, 2),
            "" if profile is None else profile.segment,
            0.0 if profile is None else profile.mrr,
            Measures(
                decimal(now.events[_28D]),
                decimal(now.value[_28D]),
                now.active_users[_28D],
                now.features[_28D],
                now.active_days[_28D],
            ),
        )
        self._records.append((account.account_id.encode(), _encode(said)))

    def take(self) -> list[tuple[bytes, bytes]]:
        """Key and value of what was collected since the last time."""
        records, self._records = self._records, []
        return records


def moved(account_id: str, to: str) -> bytes:
    """The value of a record that says where an account went."""
    return _encode(Moved(account_id, to))


def read_day(value: bytes) -> Day | Moved:
    """A record of the topic. Raises `ValueError` where it is none.

    >>> read_day(b'{"account_id": "acme-eu", "renamed_to": "acme"}')
    Moved(account_id='acme-eu', renamed_to='acme')
    """
    if _decode_kind(value).renamed_to is not None:
        return _decode_moved(value)
    return _decode_day(value)


@lru_cache(maxsize=1_000)
def _text(day: int) -> str:
    return date.fromordinal(day).isoformat()
