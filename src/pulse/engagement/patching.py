"""An event counted into a packed account as it lies there.

Most events change little: a sum of today, a day on which somebody was seen, the list of recent
records. To unpack a whole account for that and to pack it again takes three times as long as
everything else an event costs. So where nothing else can follow from an event, its numbers are
changed in the bytes. Tests hold that to what unpacking, counting and packing gives, byte for byte.
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
    packed: bytes,
    soon_at: int,
    key: i64,
    clock_ms: int,
    at_ms: int,
    weight: int,
    value: int,
    user: str | None,
    feature: str,
    ways: Ways,
) -> bytes | None:
    """The account with one more event, which weighs something and whose value is not negative.

    None where more follows from it, or may: something is due by then, the event is late or of
    another day, it is known, a user or feature is new, more use can end an alert. Then the account
    must be unpacked, and nothing was decided. `key` is the record's hash, `clock_ms` the log's
    clock, which is known, `soon_at` when a tick looks at the account.
    """
    reader, out = Reader(packed, 0), Writer()
    minute_ms = at_ms - at_ms % MINUTE_MS
    closing_ms = clock_ms - ways.grace_ms

    reader.skip_numbers(2)
    reader.skip_data()
    if reader.number():  # it has changed its time zone
        return None
    reader.skip_data()
    today, start_ms = reader.number(), reader.number()
    end_ms = start_ms + reader.number()
    if at_ms < start_ms or end_ms <= closing_ms or end_ms <= minute_ms:
        return None
    done = _add(packed, 0, weight, reader, out)
    done = _add(packed, done, value, reader, out)
    _skip_sums(reader)
    if user is None:
        _skip_names(reader)
    else:
        done = _see(packed, done, user, reader, out)
        if done < 0:
            return None
    done = _see(packed, done, feature, reader, out)
    if done < 0:
        return None
    if reader.skip_data():
        reader.skip_numbers(1)

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
    behind = reader.place()
    reader.skip_numbers(1)
    first_ms = reader.number()
    last_place = reader.place()
    last_ms, last_day = reader.number(), reader.number()
    back = reader.place()
    reader.skip_numbers(1)
    forget_place = reader.place()
    reader.skip_numbers(1)
    front_ms = reader.number()
    reader.skip_numbers(1)
    rest = reader.place()
    deadline_ms = reader.number()
    reader.skip_numbers(1)
    flags = reader.number()
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
    if at_ms > last_ms:
        last_ms, last_day = at_ms, today

    out.raw(packed[done:place])
    # Of the records that it has taken lately the oldest may be forgotten now.
    out.number(size - gone + 1)
    out.raw(packed[words + 8 * gone : stamps])
    out.word(key)
    if gone < size:
        out.number(oldest_ms)
        out.raw(packed[kept:behind])
    out.number(clock_ms - stamp_ms)
    out.raw(packed[behind:last_place])
    out.number(last_ms)
    out.number(last_day)
    out.raw(packed[back:forget_place])
    out.number(oldest_ms + ways.duplicate_ms)
    out.number(minute_ms)
    out.number(minute_ms)
    out.raw(packed[rest:])
    return out.done()


def _add(packed: bytes, done: int, amount: int, reader: Reader, out: Writer) -> int:
    """Add to the sum of today; up to where the bytes are written then."""
    if not amount:
        _skip_sums(reader)
        return done
    unit = reader.number()
    place = reader.place()
    total = unpacked(reader.number(), unit) + amount
    out.raw(packed[done:place])
    out.number(packed_amount(total, unit))
    done = reader.place()
    reader.skip_numbers(7)
    reader.skip_data()
    return done


def _skip_sums(reader: Reader) -> None:
    reader.skip_numbers(9)
    reader.skip_data()


def _see(packed: bytes, done: int, name: str, reader: Reader, out: Writer) -> int:
    """See a user or a feature today; up to where the bytes are written then, -1 if it is new."""
    reader.skip_numbers(4)
    nth = reader.finds_line(name.encode())
    if nth < 0:
        return -1
    size = reader.number()
    reader.skip_ages(nth)
    out.raw(packed[done : reader.place()])
    out.number(0)
    reader.skip_ages(1)
    done = reader.place()
    reader.skip_ages(size - nth - 1)
    return done


def _skip_names(reader: Reader) -> None:
    reader.skip_numbers(4)
    reader.skip_data()
    reader.skip_ages(reader.number())
