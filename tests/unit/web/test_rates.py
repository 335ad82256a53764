"""Who comes with wrong tokens waits, and nobody else."""

from __future__ import annotations

import pytest

from pulse.refusals import Refusal
from pulse.web.rates import MOST, Wrong, network

AT_ONCE = 20


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wrong(clock: Clock) -> Wrong:
    return Wrong("tokens", clock, at_once=AT_ONCE, one_in_s=1)


def waits(wrong: Wrong, address: str) -> bool:
    try:
        wrong.check(address)
    except Refusal:
        return True
    return False


def test_each_address_has_its_own_account(wrong: Wrong) -> None:
    for _ in range(AT_ONCE):
        assert not waits(wrong, "203.0.113.7")
        wrong.note("203.0.113.7")

    assert waits(wrong, "203.0.113.7")
    assert not waits(wrong, "203.0.113.8")


def test_one_a_second_is_let_through(wrong: Wrong, clock: Clock) -> None:
    for _ in range(AT_ONCE):
        wrong.note("203.0.113.7")
    looked_at = 0
    for _ in range(100):
        clock.now_s += 0.25
        if not waits(wrong, "203.0.113.7"):
            wrong.note("203.0.113.7")
            looked_at += 1

    assert looked_at == 25


def test_a_machine_has_a_whole_network_of_version_6(wrong: Wrong) -> None:
    for n in range(AT_ONCE):
        wrong.note(network(f"2001:db8::{n:x}"))

    assert waits(wrong, network("2001:db8::ffff:1"))
    assert not waits(wrong, network("2001:db8:1::1"))


def test_what_was_right_is_taken_back(wrong: Wrong) -> None:
    for _ in range(AT_ONCE + 5):
        wrong.note("203.0.113.7")
        wrong.take_back("203.0.113.7")

    assert not waits(wrong, "203.0.113.7")
    assert len(wrong._of) == 0


def test_it_says_how_long_to_wait(clock: Clock) -> None:
    slow = Wrong("passwords", clock, at_once=3, one_in_s=30)
    for _ in range(3):
        slow.note("kim")
    clock.now_s += 10
    with pytest.raises(Refusal) as refused:
        slow.check("kim")

    assert (refused.value.status, refused.value.retry_after_s) == (429, 20)
    clock.now_s += 20
    assert not waits(slow, "kim")


def test_what_is_remembered_is_bounded(wrong: Wrong) -> None:
    for n in range(MOST + 500):
        wrong.note(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")

    assert len(wrong._of) == MOST
