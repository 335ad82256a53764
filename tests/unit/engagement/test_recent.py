"""Which records an account has taken lately, held against a plain dict."""

from __future__ import annotations

import random

import pytest
from mypy_extensions import i64

from pulse.engagement.codec import Reader, Writer
from pulse.engagement.recent import RecentIds

FIRST_TICK_MS = 500


@pytest.mark.parametrize("keys", [5, 60, 3_000])
def test_as_a_dict_would_have_it(keys: int) -> None:
    chance, clock_ms = random.Random(keys), 0
    ids, plain = RecentIds(), dict[int, int]()
    for step in range(4_000):
        key = chance.randrange(keys) - keys // 2
        assert ids.add(i64(key), clock_ms) == (key not in plain)
        plain.setdefault(key, clock_ms)
        if step % 7 == 0:
            clock_ms = max(clock_ms, FIRST_TICK_MS) + chance.randrange(3)
        if step % 50 == 0:
            before_ms = clock_ms - chance.randrange(40, 400)
            gone = [k for k, ms in plain.items() if (ms or FIRST_TICK_MS) <= before_ms]
            for each in gone:
                del plain[each]
            assert ids.forget(before_ms, FIRST_TICK_MS) == bool(gone)
        if step % 90 == 0:
            writer, again = Writer(), RecentIds()
            ids.write(writer)
            again.read(Reader(writer.done(), 0))
            ids = again
        assert len(ids) == len(plain)
        if plain:
            assert ids.oldest_ms(FIRST_TICK_MS) == (min(plain.values()) or FIRST_TICK_MS)
