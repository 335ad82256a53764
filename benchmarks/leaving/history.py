"""The histories, what became of their accounts, and what the engine says of them."""

from __future__ import annotations

import gzip
import json
import tempfile
from importlib import resources
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from pulse.calibration.lines import Terms
from pulse.calibration.outcomes import Outcomes, Stay
from pulse.calibration.scores import Notebook
from pulse.config.policy import policy
from pulse.engagement.days import DAY_MS, FIRST_DAY
from pulse.model.time import parse_ts
from pulse.playback.lines import Lines
from pulse.playback.replay import Replay
from pulse.playback.script import Script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pulse.config import Config

HERE: Final = Path(__file__).parent
EXAMPLE: Final = HERE.parents[1] / "examples" / "contributions"

Weights = dict[str, float]
"""By the name of the rule; those that are not named weigh nothing."""


class Data(NamedTuple):
    """A history. `split_ms` parts what is chosen on from what is looked at."""

    name: str
    title: str
    events: list[bytes]
    config: Path
    left_after_days: int
    terms: Terms
    split_ms: int
    settings: tuple[Weights, ...]
    """The weights that are tried."""


def cdnow() -> Data:
    """The purchases of CDNOW's customers, from the package `lifetimes`."""
    text = (resources.files("lifetimes") / "datasets" / "CDNOW_master.txt").read_text()
    rows = [line.split() for line in text.splitlines()[1:]]
    rows.sort(key=lambda row: (row[1], row[0]))
    events = [
        json.dumps(
            {
                "id": f"p{number}",
                "account_id": customer,
                "event": "purchase",
                "ts": f"{date[:4]}-{date[4:6]}-{date[6:]}T12:00:00Z",
                "properties": {"value": float(dollars)},
            }
        ).encode()
        for number, (customer, date, _, dollars) in enumerate(rows)
    ]
    split_ms = parse_ts("1998-01-01T00:00:00Z")
    settings = _settings(("habit5", "habit10"), (30, 40, 45, 50, 60), {"lately": 15})
    return Data(
        "cdnow", "CDNOW", events, HERE / "cdnow.yaml", 90, Terms(30, 120), split_ms, settings
    )


def contributions() -> Data:
    """The contribution history of `examples/contributions`."""
    events = gzip.decompress((EXAMPLE / "contributions.ndjson.gz").read_bytes()).splitlines()
    # Two thirds of the time, as `pulse calibrate` parts it.
    split_ms = parse_ts("2020-05-28T00:00:00Z")
    settings = _settings(("habit5", "habit20"), (30, 45, 60), {"lately": 20})
    config = HERE / "contributions.yaml"
    return Data(
        "contributions", "The contribution history", events, config, 180, Terms(30, 210), split_ms,
        settings,
    )  # fmt: skip


HISTORIES: Final = {"cdnow": cdnow, "contributions": contributions}


def _settings(
    habits: Sequence[str], shares: Sequence[float], other: Weights
) -> tuple[Weights, ...]:
    """Habit and recency, with another measure and without."""
    found = []
    for habit, share, more in product(habits, shares, ({}, other)):
        rest = (100 - sum(more.values())) / 100
        found.append({habit: share * rest, "recency": (100 - share) * rest, **more})
    return tuple(found)


class Seen(NamedTuple):
    """Events as numbers: the account and the instant of each, in order."""

    account: list[str]
    at_ms: NDArray[np.int64]


def read(events: Sequence[bytes]) -> Seen:
    """Accounts and instants of events."""
    decoded = [json.loads(event) for event in events]
    return Seen(
        [event["account_id"] for event in decoded],
        np.array([parse_ts(event["ts"]) for event in decoded]),
    )


def outcomes_of(seen: Seen, left_after_days: int, end_ms: int, *, returns: bool) -> Outcomes:
    """Who had left by `end_ms`, dated when it could be known: so long after the last event.

    With `returns` also those had left who came back later than that: each such pause ends a stay.
    Without them a pause that ended was none.
    """
    after_ms = left_after_days * DAY_MS
    stays: dict[str, list[tuple[int, int]]] = {}
    for account, at_ms in zip(seen.account, seen.at_ms.tolist(), strict=True):
        if at_ms < end_ms:
            mine = stays.setdefault(account, [])
            if not mine or (returns and at_ms >= mine[-1][1] + after_ms):
                mine.append((at_ms, at_ms))
            mine[-1] = (mine[-1][0], at_ms)
    return {
        account: tuple(
            Stay(began if n else None, last + after_ms if last + after_ms < end_ms else None)
            for n, (began, last) in enumerate(mine)
        )
        for account, mine in stays.items()
    }


def played(events: Sequence[bytes], config: Config, until_ms: int) -> Notebook:
    """The day-start scores of a history, by the engine, with every measure of every day."""
    notebook = Notebook(tuple(rule.called for rule in config.scorecard), sample_days=1)

    def observe(account: Any, at_ms: int, view: Any, score: float | None) -> None:
        day = account.calendar.day - FIRST_DAY
        notebook.note(account.account_id, day, score, None, view.shares)

    with tempfile.NamedTemporaryFile(suffix=".ndjson") as file:
        file.write(b"\n".join(events))
        file.flush()
        script = Script(Lines([file.name]), until_ms=until_ms - 1)
        Replay(policy(config), observe).run(script)
    return notebook


def weighted(config: Config, weights: Mapping[str, float]) -> Config:
    """A configuration with other weights."""
    rules = tuple(
        rule.model_copy(update={"weight": weights.get(rule.called, 0.0)})
        for rule in config.scorecard
    )
    return config.model_copy(update={"scorecard": rules})
