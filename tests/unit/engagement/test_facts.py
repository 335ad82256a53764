from __future__ import annotations

import itertools

from pulse.engagement.codec import Reader, Writer
from pulse.engagement.days import DAY_MS, NO_INSTANT
from pulse.engagement.facts import (
    BUG,
    CARD,
    CHECK_IN,
    MOST_OF_A_KIND,
    NPS,
    PAYMENT,
    STEP,
    SUBSCRIPTION,
    TICKET,
    FactLog,
)


def again(facts: FactLog) -> FactLog:
    """Written and read."""
    writer = Writer()
    facts.write(writer)
    copy = FactLog()
    copy.read(Reader(writer.done(), 0))
    return copy


def test_the_latest_word_wins_in_whatever_order_they_come() -> None:
    said = [(1_000, "b", True), (2_000, "a", False), (2_000, "b", True), (1_500, "z", False)]
    for order in itertools.permutations(said):
        facts = FactLog()
        for ts_ms, record_id, value in order:
            facts.take(SUBSCRIPTION, ts_ms, record_id, value)
        assert facts.word(SUBSCRIPTION) == (2_000, "b", True)
        assert facts.cancelled_ms == 2_000


def test_the_same_word_twice_changes_nothing() -> None:
    facts = FactLog()
    assert facts.take(NPS, 1_000, "a", 3)
    assert not facts.take(NPS, 1_000, "a", 9)


def test_it_is_read_as_it_was_written() -> None:
    facts = FactLog()
    facts.take(TICKET + "7", 2_000, "a", True)
    facts.take(TICKET + "6", 1_000, "b", True)
    facts.take(TICKET + "5", 1_000, "c", False)
    facts.take(SUBSCRIPTION, 3_000, "d", True)
    facts.take(NPS, 3_000, "e", 6.5)
    facts.has_left, facts.resumed_ms = True, 2_500
    copy = again(facts)
    assert copy.words() == facts.words()
    assert (copy.cancelled_ms, copy.has_left, copy.resumed_ms) == (3_000, True, 2_500)
    assert copy.open(TICKET) == [("6", 1_000), ("7", 2_000)]
    assert again(FactLog()).cancelled_ms == NO_INSTANT


def test_what_was_closed_long_ago_is_forgotten() -> None:
    facts = FactLog()
    facts.take(BUG, 1_000, "a", False)
    facts.take(TICKET, 1_000, "b", True)
    facts.take(NPS, 1_000, "c", 0)
    facts.forget(1_000 + 92 * DAY_MS)
    assert len(facts.words()) == 3
    facts.forget(1_001 + 92 * DAY_MS)
    assert set(facts.words()) == {TICKET, NPS}


def test_of_too_many_the_closed_go_first_then_the_oldest() -> None:
    facts = FactLog()
    for n in range(MOST_OF_A_KIND):
        facts.take(f"{TICKET}{n:03}", 2_000, f"t{n}", n != 100)
    assert len(facts.words()) == MOST_OF_A_KIND
    facts.take(TICKET + "a", 3_000, "c", True)
    assert facts.word(TICKET + "100") is None
    facts.take(TICKET + "b", 1_000, "d", True)  # itself the oldest
    assert facts.word(TICKET + "b") is None
    facts.take(TICKET + "c", 3_000, "e", True)
    # Of those of one instant the first by name, also once read back.
    assert facts.word(TICKET + "000") is None
    copy = again(facts)
    for each in (facts, copy):
        each.take(TICKET + "d", 3_000, "f", True)
    assert facts.words() == copy.words()


def test_tickets_and_bugs_push_out_only_their_own_kind() -> None:
    facts = FactLog()
    others = (PAYMENT, CARD, SUBSCRIPTION, CHECK_IN, NPS, STEP + "created", BUG + "1")
    for matter in others:
        facts.take(matter, 1, "a", True)
    for n in range(2 * MOST_OF_A_KIND):
        facts.take(f"{TICKET}{n:03}", 2_000 + n, f"t{n}", True)
    assert len(facts.open(TICKET)) == MOST_OF_A_KIND
    assert all(facts.word(matter) is not None for matter in others)
