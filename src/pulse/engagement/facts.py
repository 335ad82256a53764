"""What was said of an account besides use: a failed payment, a ticket, an answer to a survey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from pulse.engagement.days import DAY_MS, NO_INSTANT
from pulse.engagement.recent import RecentIds
from pulse.engagement.windows import KEPT_DAYS

if TYPE_CHECKING:
    from pulse.engagement.codec import Reader, Writer

PAYMENT: Final = "payment"
CARD: Final = "card"
SUBSCRIPTION: Final = "subscription"
NPS: Final = "nps/"
CSAT: Final = "csat/"
CHECK_IN: Final = "check_in"
TICKET: Final = "ticket/"
BUG: Final = "bug/"
STEP: Final = "step/"

BILLING: Final = frozenset((PAYMENT, CARD, SUBSCRIPTION))
"""What is said of these comes again for days where nobody has taken it."""
REPEATS_MS: Final = 7 * DAY_MS
"""So long after the first a billing fact with its id is a repeat."""

MOST_OF_A_KIND: Final = 256
"""More tickets than that are not remembered of an account: the closed ones go first, then the
oldest. Nor are more bugs, or more people's answers to a survey. Of other matters there are only as
many as are configured."""
_MANY: Final = (TICKET, BUG, NPS, CSAT)

_encode = msgspec.msgpack.Encoder().encode
_decode: Any = msgspec.msgpack.Decoder(dict[str, tuple[int, str, Any]]).decode


class Word(NamedTuple):
    """The latest word on a matter."""

    ts_ms: int
    record_id: str
    value: Any
    """True while it is open (a failed payment, a ticket, a bug), False when it is closed; or the
    instant at which a card expires (ms), or the number of a survey."""


class FactLog:
    """The latest word on each matter: the latest (ts, id) wins, in whatever order they come.

    >>> facts = FactLog()
    >>> facts.take(PAYMENT, 2_000, "e2", False), facts.take(PAYMENT, 1_000, "e1", True)
    (True, False)
    >>> facts.word(PAYMENT)
    Word(ts_ms=2000, record_id='e2', value=False)
    """

    __slots__ = ("_billing", "_packed", "_words", "cancelled_ms", "has_left", "resumed_ms")

    def __init__(self) -> None:
        self._packed = b""
        """The words as they were written, until they are asked for."""
        self._words: dict[str, Word] | None = {}
        self.cancelled_ms = NO_INSTANT
        """Since when the subscription is cancelled."""
        self.has_left = False
        """Whether an evaluation has found it cancelled, and none since has found it resumed."""
        self.resumed_ms = NO_INSTANT
        """When an evaluation last found it resumed."""
        self._billing = RecentIds()
        """The records of billing facts."""

    def words(self) -> dict[str, Word]:
        """The latest word on each matter, by matter. Not to be changed."""
        words = self._words
        if words is None:
            words = self._words = {
                matter: Word(said[0], said[1], said[2])
                for matter, said in _decode(self._packed).items()
            }
        return words

    def word(self, matter: str) -> Word | None:
        """The latest word on one matter."""
        return self.words().get(matter)

    def answers(self, survey: str) -> list[tuple[str, Word]]:
        """The latest answer of each user to a survey, in no order; of nobody by name is empty."""
        return [
            (matter[len(survey) :], word)
            for matter, word in self.words().items()
            if matter.startswith(survey)
        ]

    def open(self, kind: str) -> list[tuple[str, int]]:
        """The open matters whose name begins with `kind`, with their instants, oldest first."""
        found = [
            (matter[len(kind) :], word.ts_ms)
            for matter, word in self.words().items()
            if word.value is True and matter.startswith(kind)
        ]
        found.sort(key=lambda each: (each[1], each[0]))
        return found

    def take(self, matter: str, ts_ms: int, record_id: str, value: Any) -> bool:
        """Take a fact; whether it changed anything."""
        words = self.words()
        known = words.get(matter)
        if known is not None and (known.ts_ms, known.record_id) >= (ts_ms, record_id):
            return False
        words[matter] = Word(ts_ms, record_id, value)
        if matter == SUBSCRIPTION:
            self.cancelled_ms = ts_ms if value else NO_INSTANT
        if known is None and len(words) > MOST_OF_A_KIND:
            _bound(words, matter)
        self._packed = b""
        return True

    def is_repeat(self, key: int, clock_ms: int, first_tick_ms: int) -> bool:
        """Whether a billing fact with this hash came in the last 7 days, by the log's clock; it
        has come now. The clock is 0 before the first tick.
        """
        self.forget_billing(clock_ms, first_tick_ms)
        return not self._billing.add(key, clock_ms)

    def forget_billing(self, clock_ms: int, first_tick_ms: int) -> None:
        """Forget the billing facts that can have no repeat any more."""
        self._billing.forget(clock_ms - REPEATS_MS, first_tick_ms)

    def unite(self, other: FactLog) -> None:
        """Know the billing facts that another log knows; its words are still to be taken."""
        self._billing.unite(other._billing, 0, 0)

    def go_by(self, first_tick_ms: int, latest_ms: int) -> None:
        """Go by another clock: see `RecentIds.unite`."""
        billing = RecentIds()
        billing.unite(self._billing, first_tick_ms, latest_ms)
        self._billing = billing

    def forget(self, at_ms: int) -> None:
        """Forget what was closed so long ago that no late fact can open it again."""
        words = self.words()
        before_ms = at_ms - KEPT_DAYS * DAY_MS
        gone = [m for m, word in words.items() if word.value is False and word.ts_ms < before_ms]
        if gone:
            for matter in gone:
                del words[matter]
            self._packed = b""

    def forget_user(self, user: str) -> bool:
        """Forget a user's answers to surveys; whether there were any."""
        words = self.words()
        gone = [each for each in (NPS + user, CSAT + user) if each in words]
        for matter in gone:
            del words[matter]
        if gone:
            self._packed = b""
        return bool(gone)

    def write(self, writer: Writer) -> None:
        """Write everything; `read` takes it."""
        words = self._words
        if not self._packed:
            assert words is not None
            self._packed = _encode({matter: tuple(words[matter]) for matter in sorted(words)})
        writer.data(self._packed)
        writer.number(self.cancelled_ms)
        writer.number(int(self.has_left))
        writer.number(self.resumed_ms)
        self._billing.write(writer)

    def read(self, reader: Reader) -> None:
        """Become what `write` wrote."""
        self._packed, self._words = reader.data(), None
        self.cancelled_ms = reader.number()
        self.has_left = reader.number() != 0
        self.resumed_ms = reader.number()
        self._billing.read(reader)


def _bound(words: dict[str, Word], matter: str) -> None:
    """Forget one of the kind of a matter that has come, if there are too many."""
    kind = matter[: matter.find("/") + 1]
    if kind in _MANY:
        same = [each for each in words if each.startswith(kind)]
        if len(same) > MOST_OF_A_KIND:
            del words[min(same, key=lambda each: _worth(each, words[each]))]


def _worth(matter: str, word: Word) -> tuple[bool, int, str]:
    """By which it is decided what is not remembered; the least goes first."""
    return word.value is not False, word.ts_ms, matter
