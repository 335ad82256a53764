"""On the real input every window, distinct count and trend equals a naive recount."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pulse.config import Config
from pulse.config.policy import policy
from pulse.engine.ticks import HistoryClock
from pulse.testing.playing import Play

from .naive import Use, read, recount

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.long

INPUT = Path(__file__).parents[2] / "examples/contributions/contributions.ndjson.gz"
INSTANTS = 20
KEY = ("connect", "streams", "*-*")
SCORECARD = [
    {"measure": "trend", "weight": 1, "target": 1},
    {"measure": "key_features", "weight": 1, "target": 2},
]


@pytest.fixture(scope="module")
def uses() -> list[Use]:
    return read(INPUT, value="files")


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    import gzip

    return gzip.decompress(INPUT.read_bytes()).splitlines()


def in_ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def instants(uses: Sequence[Use], seed: int) -> list[datetime]:
    """Random instants of the history, some on the very instant of an event or of a midnight."""
    rng = random.Random(seed)
    first, last = in_ms(uses[0].at), in_ms(uses[-1].at)
    some = [rng.randrange(first, last) for _ in range(INSTANTS - 4)]
    some += [in_ms(rng.choice(uses).at) for _ in range(2)]
    some += [at - at % 86_400_000 for at in (rng.randrange(first, last) for _ in range(2))]
    return [datetime.fromtimestamp(at / 1000, UTC) for at in sorted(some)]


@pytest.mark.parametrize(
    ("timezone", "seed"), [("UTC", 1), ("Pacific/Kiritimati", 2), ("America/St_Johns", 3)]
)
def test_every_window_equals_a_naive_recount(
    uses: list[Use], lines: list[bytes], timezone: str, seed: int
) -> None:
    settings = {
        "timezone": timezone,
        "usage": {"value": "properties.files", "key_features": list(KEY)},
        "scorecard": SCORECARD,
    }
    play = Play(policy(Config.model_validate(settings)))
    clock = HistoryClock(in_ms(uses[-1].at))
    done = applied = 0
    for at in instants(uses, seed):
        while done < len(lines) and uses[done].at <= at:
            tick_ms = clock.before(in_ms(uses[done].at))
            if tick_ms is not None:
                play.log.tick(tick_ms)
            play.log.add(lines[done])
            done += 1
        play.log.tick(in_ms(at))
        play.apply(play.log.records[applied:])
        applied = len(play.log.records)
        got = {account: status["measures"] for account, status in play.statuses().items()}

        assert got == recount(uses, at, timezone, KEY)
    assert play.outcome.dead_letters == []
