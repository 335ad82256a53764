"""Distinct ids of one account, users or features, over 7, 28 and 84 of its days."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from librt.vecs import append, vec
from mypy_extensions import i64
from xxhash import xxh3_64_intdigest

from pulse.engagement.windows import KEPT_DAYS, W7, W28, W84, Triple

if TYPE_CHECKING:
    from pulse.engagement.codec import Reader, Writer

_BREAK: Final = b"\n"
FORGOTTEN: Final = "\0"
"""What stands in place of a name that was forgotten begins with it, and a number follows; no id
that is counted does."""
_FEW: Final = 64
"""Up to that many ids are found among their hashes, one after the other; more in an index."""
_HALF: Final = 32
_EVENTS: Final = 0xFFFF_FFFF
_PLACES: Final = 30
_AT: Final = (1 << _PLACES) - 1
_OFTEN: Final = 12
"""Looked for more often than that since it was unpacked, and hashes or an index are made."""


class Mark(NamedTuple):
    """An id, the last day on which it was seen, and its events, of which older ones count less."""

    name: str
    last: int
    events: int


class LastSeen:
    """Distinct ids by window, exact up to `limit` ids.

    Each id has the last day on which it was seen. The distinct ids of the W days that end today are
    those seen last in these days: an event adds to the count, the start of a day takes away those
    seen last W days ago.

    Names stand one after the other in a few bytes, with a line break before and behind each. A few
    are found by their hashes: 64 bits with a key of the process, so that two of an account's few
    ids have the same in one of 10**16 accounts, and nobody can look for such ids. These are a
    hundred bytes in one place, where a dict and its texts are a thousand in a dozen, which no
    cache of the processor holds for all accounts. Many ids are found in an index.

    Beyond `limit` ids it becomes a sample: only ids whose hash ends in `level` zero bits are kept
    and counts are multiplied by 2**level (adaptive sampling, Flajolet 1990; the standard error of
    a count is about 1.2 / sqrt(limit)). `level` > 0 marks the count as approximate.

    Each id also has how many events it had; every 28 days all of these are halved, so that they say
    whose the use of the last weeks is.

    >>> seen = LastSeen(limit=10_000)
    >>> seen.touch("ada", 100, 100), seen.touch("bob", 98, 100), seen.touch("ada", 99, 100)
    (True, True, False)
    >>> seen.windows()
    (2, 2, 2)
    """

    __slots__ = (
        "_asked", "_due", "_fixed7", "_fixed28", "_fixed84", "_hashes", "_index", "_live7",
        "_live28", "_live84", "_marks", "_names", "level", "limit",
    )  # fmt: skip

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.level = 0
        self._marks: vec[i64] = vec[i64]()
        """The last day of each id and, in the lower half, its events, in the order in which they
        came. Together: to reach memory takes longer than what is done there."""
        self._names = _BREAK
        """The ids in the same order, where there is no index."""
        self._hashes: vec[i64] = vec[i64]()
        """Those of the ids in the same order; none where nothing was asked often enough yet, or
        where there is an index."""
        self._index: dict[str, int] | None = None
        """Id → its place in that order."""
        self._asked = 0
        """How often a name was looked for without either."""
        self._live7 = 0
        """Ids last seen in the W days that end today."""
        self._live28 = 0
        self._live84 = 0
        self._due: i64 = 0
        """No id leaves a window before this day."""
        self._fixed7 = 0
        """Ids seen in the W days before today, as of the start of today."""
        self._fixed28 = 0
        self._fixed84 = 0

    def __len__(self) -> int:
        return len(self._marks)

    @property
    def live(self) -> Triple:
        """Ids last seen in the W days that end today, of those that are kept."""
        return (self._live7, self._live28, self._live84)

    @property
    def fixed(self) -> Triple:
        """Ids seen in the W days before today, of those that are kept."""
        return (self._fixed7, self._fixed28, self._fixed84)

    @property
    def days(self) -> dict[str, int]:
        """The last day of each id that is kept."""
        return {each.name: each.last for each in self.marks()}

    def touch(self, name: str, day: int, today: int) -> bool:
        """See `name` on `day` (today or before); whether that changed anything."""
        at, last, marks = self._place(name), 0, self._marks
        if at >= 0:
            mark = marks[i64(at)] + 1
            last = int(mark >> _HALF)
            if last >= day:
                marks[i64(at)] = mark
                return False
            marks[i64(at)] = i64(day) << _HALF | mark & _EVENTS
        elif self.level and xxh3_64_intdigest(name.encode()) & ((1 << self.level) - 1):
            return False
        else:
            self._append(name)
            self._marks = append(marks, i64(day) << _HALF | 1)
        due = _leaves(i64(day), i64(today))
        if due < self._due:
            self._due = due
        if last <= today - W7 < day:
            self._live7 += 1
        if last <= today - W28 < day:
            self._live28 += 1
        if last <= today - W84 < day:
            self._live84 += 1
        if len(self) > self.limit:
            self._thin(today)
        return True

    def last_of(self, name: str) -> int:
        """The last day on which an id was seen, 0 if it is not kept; an index is never made."""
        index = self._index
        if index is None and len(self._hashes) < len(self._marks):
            at = self._in_names(name)
        else:
            at = self._place(name)
        return int(self._marks[i64(at)] >> _HALF) if at >= 0 else 0

    def can_keep(self, name: str) -> bool:
        """Whether an id would be kept, as all are up to `limit`, and then those in the sample."""
        return not self.level or not xxh3_64_intdigest(name.encode()) & ((1 << self.level) - 1)

    def holds(self, name: str) -> bool:
        """Whether an id is kept."""
        return self._place(name) >= 0

    def forget(self, name: str) -> bool:
        """Let nobody's name stand for an id, with all that is known of it; whether it was kept."""
        if not self.last_of(name):
            return False
        marks = self.marks()
        nobody = f"{FORGOTTEN}{_most(marks) + 1}"
        self._keep([each if each.name != name else each._replace(name=nobody) for each in marks])
        return True

    def unite(self, other: LastSeen, today: int) -> None:
        """See what another one has seen, of which no day is after today."""
        known = {each.name: each for each in self.marks()}
        nobody = _most(self.marks())
        for each in other.marks():
            mine, name, last = known.get(each.name), each.name, min(each.last, today)
            if today - last >= KEPT_DAYS:
                continue
            if name.startswith(FORGOTTEN):
                nobody += 1  # somebody else
                mine, name = None, f"{FORGOTTEN}{nobody}"
            events = each.events
            if mine is not None:
                last, events = max(last, mine.last), min(events + mine.events, _EVENTS)
            known[name] = Mark(name, last, events)
        self._raise_to(other.level)
        self._keep([each for each in known.values() if self.can_keep(each.name)])
        if len(self) > self.limit:
            self._thin(today)
        else:
            self._count(today)

    def split(self, size: int) -> list[LastSeen]:
        """Take out all ids but the first so many; the others, in as many as are needed."""
        marks, found = self.marks(), list[LastSeen]()
        for start in range(size, len(marks), size):
            part = LastSeen(self.limit)
            part.level = self.level
            part._keep(marks[start : start + size])
            found.append(part)
        self._keep(marks[:size])
        return found

    def _raise_to(self, level: int) -> None:
        if level > self.level:
            # What was fixed at the day's start was counted at the level before.
            down = level - self.level
            self._fixed7, self._fixed28, self._fixed84 = (
                self._fixed7 >> down, self._fixed28 >> down, self._fixed84 >> down
            )  # fmt: skip
            self.level = level

    def _place(self, name: str) -> int:
        index = self._index
        if index is not None:
            return index.get(name, -1)
        hashes, size, at = self._hashes, len(self._marks), i64(0)
        if len(hashes) == size:
            wanted = i64(hash(name))
            while at < size:
                if hashes[at] == wanted:
                    return int(at)
                at += 1
            return -1
        self._asked += 1
        if self._asked > _OFTEN or size > _FEW:
            self._prepare()
            return self._place(name)
        return self._in_names(name)

    def _append(self, name: str) -> None:
        """Take in the name of an id that is not kept; its mark comes after."""
        size = len(self._marks)
        if self._index is not None:
            self._index[name] = size
            return
        self._names += name.encode() + _BREAK
        if len(self._hashes) == size:
            self._hashes = append(self._hashes, i64(hash(name)))
            if size == _FEW:
                self._prepare()

    def _prepare(self) -> None:
        """Make of the names what they are found by."""
        names = self._all()
        if len(names) > _FEW:
            self._index = {each: n for n, each in enumerate(names)}
            self._names, self._hashes = _BREAK, vec[i64]()
        else:
            self._hashes = vec[i64]([i64(hash(each)) for each in names])

    def _in_names(self, name: str) -> int:
        """The place of an id among the names, -1 if it is not kept."""
        at = self._names.find(("\n" + name + "\n").encode())
        return at if at <= 0 else self._names.count(_BREAK, 0, at)

    def _all(self) -> list[str]:
        if self._index is not None:
            return list(self._index)
        return self._names[1:-1].decode().split("\n") if len(self._names) > 1 else []

    def _joined(self) -> bytes:
        if self._index is None:
            return self._names
        return ("\n" + "".join([name + "\n" for name in self._index])).encode()

    def roll(self, day: int) -> None:
        """Begin `day`, the day after today."""
        self._fixed7, self._fixed28, self._fixed84 = self._live7, self._live28, self._live84
        marks, at, out7, out28, out84, gone = self._marks, i64(0), i64(0), i64(0), i64(0), i64(0)
        size, today = len(marks), i64(day)
        if today < self._due and today % W28:
            return
        due = today + KEPT_DAYS
        while at < size:
            last = marks[at] >> _HALF
            age = today - last
            leaves = _leaves(last, today)
            if leaves < due:
                due = leaves
            if age >= W7:
                if age == W7:
                    out7 += 1
                elif age == W28:
                    out28 += 1
                elif age == W84:
                    out84 += 1
                elif age >= KEPT_DAYS:
                    gone += 1
            at += 1
        self._due = due
        self._live7 -= int(out7)
        self._live28 -= int(out28)
        self._live84 -= int(out84)
        if gone:
            self._keep([each for each in self.marks() if day - each.last < KEPT_DAYS])
        if today % W28 == 0:
            marks, at, size = self._marks, 0, len(self._marks)
            while at < size:
                mark = marks[at]
                marks[at] = mark >> _HALF << _HALF | (mark & _EVENTS) >> 1
                at += 1

    def _keep(self, kept: list[Mark]) -> None:
        """Keep these ids, and no others."""
        self._marks = vec[i64]([i64(each.last << 32 | each.events) for each in kept])
        self._due = 0
        self._index, self._hashes = None, vec[i64]()
        self._names = b"".join([_BREAK, *[each.name.encode() + _BREAK for each in kept]])
        self._prepare()

    def marks(self) -> list[Mark]:
        """Every id that is kept, in the order in which they came."""
        marks = self._marks
        return [
            Mark(name, int(marks[i64(n)] >> _HALF), int(marks[i64(n)] & _EVENTS))
            for n, name in enumerate(self._all())
        ]

    def events(self) -> int:
        """Events of all ids together."""
        total, at, marks = i64(0), i64(0), self._marks
        while at < len(marks):
            total += marks[at] & _EVENTS
            at += 1
        return int(total)

    def most(self, before: int) -> int:
        """The most events that an id has which was last seen before a day; 0 if there is none."""
        most, at, marks = i64(0), i64(0), self._marks
        size, end = len(marks), i64(before) << _HALF
        while at < size:
            mark = marks[at]
            if mark < end and mark & _EVENTS > most:
                most = mark & _EVENTS
            at += 1
        return int(most)

    def between(self, first: int, end: int) -> int:
        """Of how many ids the last day is `first` or one after it, before `end`."""
        found, at, marks = i64(0), i64(0), self._marks
        size, low, high = len(marks), i64(first) << _HALF, i64(end) << _HALF
        while at < size:
            if low <= marks[at] < high:
                found += 1
            at += 1
        return int(found) << self.level

    def most_used(self, first: int, end: int, most: int) -> list[Mark]:
        """Those of these ids that have the most events, at most so many, the most first."""
        best: vec[i64] = vec[i64]([i64(-1)] * most)
        marks, at, lowest = self._marks, i64(0), i64(most) - 1
        size, low, high = len(marks), i64(first) << _HALF, i64(end) << _HALF
        while at < size:
            mark = marks[at]
            if low <= mark < high:
                # An id's events, and where it is.
                key = (mark & _EVENTS) << _PLACES | at
                n = lowest
                if key > best[n]:
                    while n > 0 and key > best[n - 1]:
                        best[n] = best[n - 1]
                        n -= 1
                    best[n] = key
            at += 1
        names = self._all()
        found = list[Mark]()
        for key in best:
            if key < 0:
                break
            at = key & _AT
            mark = marks[at]
            found.append(Mark(names[int(at)], int(mark >> _HALF), int(mark & _EVENTS)))
        return found

    def windows(self) -> Triple:
        """Distinct ids over each window, as of now."""
        a, b, c = self._live7, self._live28, self._live84
        x, y, z = self._fixed7, self._fixed28, self._fixed84
        level = self.level
        if not level:
            return (a if a > x else x, b if b > y else y, c if c > z else z)
        return (
            (a if a > x else x) << level,
            (b if b > y else y) << level,
            (c if c > z else z) << level,
        )

    def fixed_windows(self) -> Triple:
        """Distinct ids over the complete days, as of the start of today."""
        level = self.level
        if not level:
            return (self._fixed7, self._fixed28, self._fixed84)
        return (self._fixed7 << level, self._fixed28 << level, self._fixed84 << level)

    def is_empty(self) -> bool:
        """Whether no id is kept."""
        return not len(self._marks)

    def write(self, present: Writer, past: Writer, today: int) -> None:
        """Write everything, what only a new id changes apart; `read` takes it."""
        past.data(self._joined())
        past.number(self.level)
        past.number(self._fixed7)
        past.number(self._fixed28)
        past.number(self._fixed84)
        marks, now, at = self._marks, i64(today), i64(0)
        size = len(marks)
        present.plain(size)
        while at < size:
            present.plain(now - (marks[at] >> _HALF))
            present.plain(marks[at] & _EVENTS)
            at += 1

    def read(self, present: Reader, past: Reader, today: int) -> None:
        """Become what `write` wrote."""
        self._names = past.data()
        self.level = past.number()
        self._fixed7 = past.number()
        self._fixed28 = past.number()
        self._fixed84 = past.number()
        size, now = present.plain(), i64(today)
        marks = vec[i64](capacity=size)
        while size > 0:
            last = now - present.plain()
            marks = append(marks, last << _HALF | present.plain())
            size -= 1
        self._marks = marks
        self._count(today)

    def _thin(self, today: int) -> None:
        kept = self.marks()
        while len(kept) > self.limit:
            self.level += 1
            mask = (1 << self.level) - 1
            kept = [each for each in kept if not xxh3_64_intdigest(each.name.encode()) & mask]
            # What was fixed at the day's start was counted at the level before.
            self._fixed7, self._fixed28, self._fixed84 = (
                self._fixed7 >> 1, self._fixed28 >> 1, self._fixed84 >> 1
            )  # fmt: skip
        self._keep(kept)
        self._count(today)

    def _count(self, today: int) -> None:
        """Count the windows that end today from the days."""
        marks, at, a, b, c = self._marks, i64(0), i64(0), i64(0), i64(0)
        size, now = len(marks), i64(today)
        while at < size:
            age = now - (marks[at] >> _HALF)
            if age < W84:
                c += 1
                if age < W28:
                    b += 1
                    if age < W7:
                        a += 1
            at += 1
        self._live7, self._live28, self._live84 = int(a), int(b), int(c)


def _most(marks: list[Mark]) -> int:
    """The largest of the numbers that stand for somebody who was forgotten, 0 if there is none."""
    found = (int(each.name[1:]) for each in marks if each.name.startswith(FORGOTTEN))
    return max(found, default=0)


def _leaves(last: i64, today: i64) -> i64:
    """The next day after today on which an id that was last seen then leaves a window."""
    age = today - last
    if age < W7:
        return last + W7
    if age < W28:
        return last + W28
    return last + W84 if age < W84 else last + KEPT_DAYS
