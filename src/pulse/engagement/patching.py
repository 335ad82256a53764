"""An event counted into a packed account as it lies there.

Most events change little: a sum of today, a day on which somebody was seen, the list of recent
records. To unpack a whole account for that and to pack it again takes three times as long as
everything else an event costs. So where nothing else can follow from an event, its numbers are
changed in the bytes, of which the larger part stays as it lies. Tests hold that to what unpacking,
counting and packing gives, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.engagement.codec import Reader, Writer
from pulse.engagement.days import MINUTE_MS, NO_INSTANT
from pulse.engagement.packing import FORCE, PARKED, QUIET
from pulse.engagement.windows import packed_amount, unpacked

if TYPE_CHECKING:
    from mypy_extensions import i64


class Ways:
    """What of a policy, and of the engine's ways, bears on whether an event is simple. In ms."""

    __slots__ = ("ahead_ms", "dormant_after_ms", "duplicate_ms", "grace_ms")

    def __init__(
        self, dormant_after_ms: int, duplicate_ms: int, grace_ms: int, ahead_ms: int
    ) -> None:
        self.dormant_after_ms = dormant_after_ms
        self.duplicate_ms = duplicate_ms
        self.grace_ms = grace_ms
        self.ahead_ms = ahead_ms


def patch(
    present: bytes,
    past: bytes,
    soon_at: int,
    key: i64,
    clock_ms: int,
    at_ms: int,
    weight: int,
    value: int,
    user: str | None,
    feature: str,
    source: int,
    ways: Ways,
) -> bytes | None:
    """The account's present with one more event, which weighs something, of no negative value.

    None where more follows from it, or may: something is due by then, the event is late or of
    another day, it is known, a user, feature or source is new, more use can end an alert. Then the
    account must be unpacked, and nothing was decided. `present` and `past` are what `pack` gave,
    `key` is the record's hash, `source` its source's (`source_key`), `clock_ms` the log's clock,
    which is known, `soon_at` when a tick looks at the account.
    """
    reader, out = Reader(present, 0), Writer()
    minute_ms = at_ms - at_ms % MINUTE_MS
    closing_ms = clock_ms - ways.grace_ms

    reader.skip_numbers(2)
    if reader.number():  # it has changed its time zone
        return None
    reader.skip_data()
    today, start_ms = reader.number(), reader.number()
    end_ms = start_ms + reader.number()
    if at_ms < start_ms or end_ms <= closing_ms or end_ms <= minute_ms:
        return None
    names = Reader(past, 0)
    names.skip_data()
    if user is None:
        names.skip_data()
        reader.skip_numbers(2 * int(reader.plain()))
        done = 0
    else:
        done = _see(present, 0, user, names, reader, out)
        if done < 0:
            return None
    names.skip_numbers(4)
    done = _see(present, done, feature, names, reader, out)
    if done < 0:
        return None
    out.raw(present[done : reader.place()])
    _add(weight, reader, out)
    _add(value, reader, out)
    last_ms, last_day = reader.number(), reader.number()
    reader.skip_numbers(1)
    front_ms = reader.number()
    reader.skip_numbers(1)
    rest = reader.place()
    first_ms, deadline_ms, flags = reader.number(), reader.number(), reader.number()
    if front_ms + MINUTE_MS <= closing_ms:
        front_ms = closing_ms - closing_ms % MINUTE_MS
    if (
        flags & (FORCE | PARKED | QUIET) != QUIET
        or minute_ms < front_ms
        or deadline_ms <= clock_ms
        or deadline_ms <= minute_ms
        or (deadline_ms < soon_at and deadline_ms < end_ms + ways.ahead_ms)
        or last_ms == NO_INSTANT
        or at_ms < first_ms
        or minute_ms - last_ms >= ways.dormant_after_ms
    ):
        return None
    is_known = False
    for _ in range(reader.number()):
        is_known |= reader.number() == source
    if not is_known:
        return None
    if at_ms > last_ms:
        last_ms, last_day = at_ms, today

    place = reader.place()
    size = reader.number()
    words = reader.place()
    if reader.finds_word(key, size):
        return None
    stamps = reader.place()
    gone, kept, oldest_ms, stamp_ms = reader.stamps(size, clock_ms - ways.duplicate_ms)
    if gone < 0:
        return None
    if gone == size:
        stamp_ms, oldest_ms = 0, clock_ms

    out.number(last_ms)
    out.number(last_day)
    out.number(oldest_ms + ways.duplicate_ms)
    out.number(minute_ms)
    out.number(minute_ms)
    out.raw(present[rest:place])
    # Of the records that it has taken lately the oldest may be forgotten now.
    out.number(size - gone + 1)
    out.raw(present[words + 8 * gone : stamps])
    out.word(key)
    if gone < size:
        out.number(oldest_ms)
        out.raw(present[kept:])
    out.number(clock_ms - stamp_ms)
    return out.done()


def _add(amount: int, reader: Reader, out: Writer) -> None:
    """Add to the sum of today."""
    unit = reader.number()
    out.number(unit)
    out.number(packed_amount(unpacked(reader.number(), unit) + amount, unit))


def _see(present: bytes, done: int, name: str, names: Reader, reader: Reader, out: Writer) -> int:
    """See a user or a feature today; up to where the bytes are written then, -1 if it is new."""
    nth = names.finds_line(name.encode())
    if nth < 0:
        return -1
    size = int(reader.plain())
    reader.skip_numbers(2 * nth)
    place = reader.place()
    reader.skip_numbers(1)
    events = reader.plain()
    out.raw(present[done:place])
    out.plain(0)
    out.plain(events + 1)
    done = reader.place()
    reader.skip_numbers(2 * (size - nth - 1))
    return done
