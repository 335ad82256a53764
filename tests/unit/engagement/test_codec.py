"""What is written is read again."""

from __future__ import annotations

import random

import pytest
from librt.vecs import vec
from mypy_extensions import i16, i64

from pulse.engagement.codec import Reader, Writer

BITS = (0, 6, 13, 55, 56, 61, 63, 80)
EDGES = [(1 << bits) + more for bits in BITS for more in (-1, 0, 1)]


@pytest.mark.parametrize("number", [*EDGES, *(-n for n in EDGES)])
def test_a_number_of_any_size(number: int) -> None:
    writer = Writer()
    writer.number(number)
    writer.number(7)
    reader = Reader(b"before" + writer.done(), 6)

    assert (reader.number(), reader.number()) == (number, 7)


@pytest.mark.parametrize(("number", "size"), [(0, 1), (-64, 1), (63, 1), (64, 2), (-8192, 2)])
def test_a_small_number_is_short(number: int, size: int) -> None:
    writer = Writer()
    writer.number(number)

    assert len(writer.done()) == size


def test_a_number_that_is_not_negative() -> None:
    numbers = [0, 1, 127, 128, 10_000, 1 << 40, (1 << 62) - 1]
    writer = Writer()
    for number in numbers:
        writer.plain(i64(number))
    writer.text("after")
    reader = Reader(writer.done(), 0)

    assert [int(reader.plain()) for _ in numbers] == numbers
    assert reader.text() == "after"


def test_words_and_fractions_are_exact() -> None:
    words = [0, -1, 1 << 62, -(1 << 63), (1 << 63) - 1]
    writer = Writer()
    writer.words(vec[i64](words))
    writer.fraction(0.1)
    reader = Reader(writer.done(), 0)

    assert list(reader.words()) == words
    assert reader.fraction() == 0.1


def test_a_ring_from_any_place_on() -> None:
    chance = random.Random(7)
    numbers = [chance.choice((0, 5, -3, 32_767, -32_768)) for _ in range(128)]
    for first, end in ((0, 128), (100, 130), (738_000, 738_120), (9, 9)):
        writer, again = Writer(), vec[i16]([0] * 128)
        writer.ring(vec[i16](numbers), first, end)
        Reader(writer.done(), 0).ring(again, first, end)

        places = {at % 128 for at in range(first, end)}
        assert list(again) == [n if at in places else 0 for at, n in enumerate(numbers)]
