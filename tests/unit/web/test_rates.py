"""Who comes with wrong tokens waits, and nobody else."""

from __future__ import annotations

import pytest

from pulse.refusals import Refusal
from pulse.web.rates import AT_ONCE, MOST, WrongTokens


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def wrong(clock: Clock) -> WrongTokens:
    return WrongTokens(clock)


def waits(wrong: WrongTokens, address: str) -> bool:
    try:
        wrong.check(address)
    except Refusal:
        return True
    return False


def test_each_address_has_its_own_account(wrong: WrongTokens) -> None:
    for _ in range(AT_ONCE):
        assert not waits(wrong, "203.0.113.7")
        wrong.note("203.0.113.7")

    assert waits(wrong, "203.0.113.7")
    assert not waits(wrong, "203.0.113.8")


def test_one_a_second_is_let_through(wrong: WrongTokens, clock: Clock) -> None:
    for _ in range(AT_ONCE):
        wrong.note("203.0.113.7")
    looked_at = 0
    for _ in range(100):
        clock.now_s += 0.25
        if not waits(wrong, "203.0.113.7"):
            wrong.note("203.0.113.7")
            looked_at += 1

    assert looked_at == 25


def test_a_machine_has_a_whole_network_of_version_6(wrong: WrongTokens) -> None:
    for n in range(AT_ONCE):
        wrong.note(f"2001:db8::{n:x}")

    assert waits(wrong, "2001:db8::ffff:1")
    assert not waits(wrong, "2001:db8:1::1")


def test_what_is_remembered_is_bounded(wrong: WrongTokens) -> None:
    for n in range(MOST + 500):
        wrong.note(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")

    assert len(wrong._of) == MOST
