"""What was measured at the starts of an account's days, for "then", slopes and sparklines."""

from __future__ import annotations

from typing import Final

from librt.vecs import vec
from mypy_extensions import i16, i32, i64

from pulse.engagement.codec import Reader, Writer
from pulse.engagement.days import NEVER
from pulse.engagement.windows import KEPT_DAYS, THEN_DAYS, Triple

_SCORE_RING: Final = 128
_SCORE_MASK: Final = 127
_NO_SCORE: Final = -1
_COUNTS: Final = 6
"""Users and features: three windows each."""
_COUNT_RING: Final = 32
_COUNT_MASK: Final = 31


class Notes:
    """Scores of the last `KEPT_DAYS` day starts, users and features of the last `THEN_DAYS`.

    >>> notes = Notes()
    >>> notes.note(100, 61.234, (1, 2, 3), (4, 5, 6))
    >>> notes.note(101, None, (1, 2, 3), (4, 5, 6))
    >>> notes.score_on(100, today=101), notes.score_on(101, today=101), notes.users_on(100)
    (61.23, None, (1, 2, 3))
    """

    __slots__ = ("_counts", "_folded", "_scores", "known_from")

    def __init__(self) -> None:
        self.known_from = NEVER
        """The first day at whose start something was measured."""
        self._scores: vec[i16] = vec[i16]()
        """In hundredths, day D at D modulo the ring's length; empty while nothing is known."""
        self._counts: vec[i32] = vec[i32]()
        """Users and features, in the same way."""
        self._folded = b""
        """Or still as they were written, until something is asked for."""

    def note(self, today: int, score: float | None, users: Triple, features: Triple) -> None:
        """Keep what was measured at the start of today."""
        if self.known_from == NEVER:
            self.known_from = today
            self._scores = vec[i16]([0] * _SCORE_RING)
            self._counts = vec[i32]([0] * (_COUNT_RING * _COUNTS))
        elif self._folded:
            self._unfold()
        self._scores[i64(today) & _SCORE_MASK] = i16(
            i64(_NO_SCORE if score is None else int(score * 100.0 + 0.5))
        )
        counts, at = self._counts, (i64(today) & _COUNT_MASK) * _COUNTS
        a, b, c = users
        counts[at], counts[at + 1], counts[at + 2] = i32(i64(a)), i32(i64(b)), i32(i64(c))
        a, b, c = features
        counts[at + 3], counts[at + 4], counts[at + 5] = i32(i64(a)), i32(i64(b)), i32(i64(c))

    def repeat(self, day: int, until: int) -> None:
        """Give the days after `day`, up to `until`, what was noted of it."""
        if self.known_from == NEVER:
            return
        if self._folded:
            self._unfold()
        scores, counts = self._scores, self._counts
        score = scores[i64(day) & _SCORE_MASK]
        for each in range(max(day + 1, until - _SCORE_RING), until):
            scores[i64(each) & _SCORE_MASK] = score
        of = (i64(day) & _COUNT_MASK) * _COUNTS
        for each in range(max(day + 1, until - _COUNT_RING), until):
            to = (i64(each) & _COUNT_MASK) * _COUNTS
            n: i64 = 0
            while n < _COUNTS:
                counts[to + n] = counts[of + n]
                n += 1

    def fill(self, other: Notes, today: int, other_today: int) -> None:
        """Take what another one has of the days before the first of this one.

        The last day that it can have is `other_today`; it holds for the days after.
        """
        end = min(self.known_from, today + 1)
        first = max(other.known_from, today - KEPT_DAYS)
        if first >= end:
            return
        if self.known_from == NEVER:
            self._scores = vec[i16]([0] * _SCORE_RING)
            self._counts = vec[i32]([0] * (_COUNT_RING * _COUNTS))
        elif self._folded:
            self._unfold()
        if other._folded:
            other._unfold()
        scores, counts = self._scores, self._counts
        for day in range(first, end):
            of = min(day, other_today)
            scores[i64(day) & _SCORE_MASK] = other._scores[i64(of) & _SCORE_MASK]
            if day < today - THEN_DAYS:
                continue
            at, source = (i64(day) & _COUNT_MASK) * _COUNTS, (i64(of) & _COUNT_MASK) * _COUNTS
            n: i64 = 0
            while n < _COUNTS:
                counts[at + n] = other._counts[source + n]
                n += 1
        self.known_from = other.known_from

    def knows(self, day: int, today: int) -> bool:
        """Whether everything is known of a day."""
        return max(self.known_from, today - THEN_DAYS) <= day <= today

    def score_on(self, day: int, today: int) -> float | None:
        """The score at the start of one of the last `KEPT_DAYS` days; None if there was none."""
        if not max(self.known_from, today - KEPT_DAYS) <= day <= today:
            return None
        if self._folded:
            self._unfold()
        got = int(self._scores[i64(day) & _SCORE_MASK])
        return None if got == _NO_SCORE else got / 100.0

    def points_before(self, today: int) -> list[int | None]:
        """The scores at the starts of the `THEN_DAYS` days before today, in whole points, the
        oldest first; None for a day without one. Begins with the first day that had one.
        """
        points = list[int | None]()
        for day in range(max(self.known_from, today - THEN_DAYS), today):
            score = self.score_on(day, today)
            if score is not None:
                points.append(int(score + 0.5))
            elif points:
                points.append(None)
        return points

    def users_on(self, day: int) -> Triple:
        """Distinct users over the windows before a day of which everything is known."""
        return self._three((i64(day) & _COUNT_MASK) * _COUNTS)

    def features_on(self, day: int) -> Triple:
        """The same for features."""
        return self._three((i64(day) & _COUNT_MASK) * _COUNTS + 3)

    def _three(self, at: i64) -> Triple:
        if self._folded:
            self._unfold()
        counts = self._counts
        return (int(counts[at]), int(counts[at + 1]), int(counts[at + 2]))

    def write(self, writer: Writer, today: int) -> None:
        """Write everything; `read` takes it. `today` is today."""
        if self.known_from == NEVER:
            writer.data(b"")
        else:
            writer.data(self._folded or self._fold(today))
            writer.number(self.known_from)

    def read(self, reader: Reader) -> None:
        """Become what `write` wrote."""
        self._folded = reader.data()
        if self._folded:
            self.known_from = reader.number()

    def _fold(self, today: int) -> bytes:
        writer = Writer()
        writer.number(today)
        scores = self._scores
        first = max(self.known_from, today - KEPT_DAYS)
        steps = vec[i16]([0] * _SCORE_RING)
        before: i16 = 0
        at, end = i64(first), i64(today)
        while at <= end:
            steps[at & _SCORE_MASK] = scores[at & _SCORE_MASK] - before
            before = scores[at & _SCORE_MASK]
            at += 1
        writer.ring(steps, first, today + 1)
        # Most days have what the day before had, of which six zeros each would be too much.
        counts, last = self._counts, vec[i32]([0] * _COUNTS)
        for day in range(max(self.known_from, today - THEN_DAYS), today + 1):
            of, n, changed = (i64(day) & _COUNT_MASK) * _COUNTS, i64(0), i64(0)
            while n < _COUNTS:
                if counts[of + n] != last[n]:
                    changed |= 1 << n
                n += 1
            writer.number(int(changed))
            n = 0
            while changed:
                if changed & 1:
                    writer.number(int(counts[of + n] - last[n]))
                    last[n] = counts[of + n]
                changed >>= 1
                n += 1
        return writer.done()

    def _unfold(self) -> None:
        reader, self._folded = Reader(self._folded, 0), b""
        today = reader.number()
        scores = self._scores = vec[i16]([0] * _SCORE_RING)
        first = max(self.known_from, today - KEPT_DAYS)
        reader.ring(scores, first, today + 1)
        before: i16 = 0
        at, end = i64(first), i64(today)
        while at <= end:
            before += scores[at & _SCORE_MASK]
            scores[at & _SCORE_MASK] = before
            at += 1
        counts = self._counts = vec[i32]([0] * (_COUNT_RING * _COUNTS))
        last = vec[i32]([0] * _COUNTS)
        for day in range(max(self.known_from, today - THEN_DAYS), today + 1):
            to, n, changed = (i64(day) & _COUNT_MASK) * _COUNTS, i64(0), i64(reader.number())
            while n < _COUNTS:
                if changed >> n & 1:
                    last[n] += i32(i64(reader.number()))
                counts[to + n] = last[n]
                n += 1
