"""What is known of an account besides its usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from pulse.engagement.days import NO_INSTANT

if TYPE_CHECKING:
    from pulse.engagement.codec import Reader, Writer

ProfileValue = str | int | float | None
Said = tuple[int, str, ProfileValue]
"""When it was said (ms), the id of the record that said it, and what."""

_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(dict[str, tuple[int, str, Any]]).decode
_NOTHING: Final = b"\x80"
_MORE: Final = 1.1


class Profile:
    """Fields with their latest word, kept as bytes, and what evaluations need of them.

    >>> profile = Profile()
    >>> profile.merge(1_000, "p1", {"seats": 20, "plan": "pro"})
    True
    >>> profile.merge(900, "p0", {"seats": 5})
    False
    >>> profile.seats, profile.fact("plan")
    (20.0, 'pro')
    """

    __slots__ = (
        "country", "grown_ms", "mrr", "packed", "renewal_ms", "seats", "segment", "started_ms",
        "timezone",
    )  # fmt: skip

    def __init__(self) -> None:
        self.packed = _NOTHING
        self.seats = 0.0
        """0 where it is not known; MRR the same."""
        self.mrr = 0.0
        self.segment = ""
        """Empty where it is not known; time zone and country the same."""
        self.timezone = ""
        self.country = ""
        self.started_ms = NO_INSTANT
        """`NO_INSTANT` where it is not known; the renewal the same."""
        self.renewal_ms = NO_INSTANT
        self.grown_ms = NO_INSTANT
        """When it was last said that there are at least a tenth more seats than before."""

    def said(self) -> dict[str, Said]:
        """Every field that was ever said, by name; the value None where it was deleted."""
        got: dict[str, Said] = _decode(self.packed)
        return got

    def fact(self, field: str) -> ProfileValue:
        """A field's value, None if it is not known."""
        got = self.said().get(field)
        return None if got is None else got[2]

    def merge(self, ts_ms: int, record_id: str, facts: dict[str, Any]) -> bool:
        """Take a record: the latest (ts, id) of each field wins. Whether that changed anything."""
        said = self.said()
        changed = False
        for field, value in facts.items():
            known = said.get(field)
            if known is None or (ts_ms, record_id) > (known[0], known[1]):
                said[field] = (ts_ms, record_id, value)
                changed = True
        if changed:
            self.packed = _encode({field: said[field] for field in sorted(said)})
            seats = self.seats
            self._look()
            if 0.0 < seats * _MORE <= self.seats:
                self.grown_ms = ts_ms
        return changed

    def unite(self, other: Profile) -> None:
        """Take what was said of another account: of each field the latest (ts, id) wins."""
        # Two accounts together have more seats, which nobody has bought.
        grown_ms = max(self.grown_ms, other.grown_ms)
        for field, (ts_ms, record_id, value) in other.said().items():
            self.merge(ts_ms, record_id, {field: value})
        self.grown_ms = grown_ms

    def write(self, writer: Writer) -> None:
        """Write everything; `read` takes it. What evaluations need is not looked up again then."""
        writer.data(self.packed)
        writer.fraction(self.seats)
        writer.fraction(self.mrr)
        writer.text(self.segment)
        writer.text(self.timezone)
        writer.text(self.country)
        writer.number(self.started_ms)
        writer.number(self.renewal_ms)
        writer.number(self.grown_ms)

    def read(self, reader: Reader) -> None:
        """Become what `write` wrote."""
        self.packed = reader.data()
        self.seats = reader.fraction()
        self.mrr = reader.fraction()
        self.segment = reader.text()
        self.timezone = reader.text()
        self.country = reader.text()
        self.started_ms = reader.number()
        self.renewal_ms = reader.number()
        self.grown_ms = reader.number()

    def _look(self) -> None:
        said = self.said()
        self.seats = self.mrr = 0.0
        self.segment = self.timezone = self.country = ""
        self.started_ms = self.renewal_ms = NO_INSTANT
        for field, (_, _, value) in said.items():
            if value is None:
                continue
            if field == "seats":
                self.seats = float(value)
            elif field == "mrr":
                self.mrr = float(value)
            elif field == "segment":
                self.segment = str(value)
            elif field == "timezone":
                self.timezone = str(value)
            elif field == "country":
                self.country = str(value)
            elif field == "started_at":
                self.started_ms = int(value)
            elif field == "renewal_at":
                self.renewal_ms = int(value)
