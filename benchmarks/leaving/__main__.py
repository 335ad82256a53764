"""How early and how surely pulse's line tells who leaves, beside the rules that people use.

    python -m benchmarks.leaving                  # `make leaving`: both, into docs/calibration.md
    python -m benchmarks.leaving cdnow            # one of them, only printed

Everything that is chosen (weights, lines, the parameters of BG/NBD) is chosen on the events before
the split alone, with the outcomes that were known then: of the settings that are not below the
rules there, the one that tells soonest. The tables are of what came after.

A leaving is dated when it could be known: the last event plus the days after which nobody comes
back.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from benchmarks.leaving import choosing
from benchmarks.leaving.history import (
    EXAMPLE,
    HISTORIES,
    Data,
    Seen,
    outcomes_of,
    played,
    read,
    weighted,
)
from benchmarks.leaving.tables import (
    Part,
    in_words,
    introduction,
    pairs_table,
    ways_table,
    zones_table,
)
from benchmarks.leaving.ways import (
    AT_ONCE,
    SILENT_DAYS,
    Habits,
    Sight,
    Way,
    before,
    fitted,
    judged,
    p_alive,
    sight_of,
)
from benchmarks.leaving.zones import zone_changes
from pulse.calibration.choice import Shape
from pulse.calibration.lines import Period
from pulse.config import Config
from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.leaving.history import Weights
    from pulse.calibration.scores import Notebook

WARM_UP_DAYS: Final = 180
DOCUMENT: Final = Path("docs/calibration.md")


class Choices(NamedTuple):
    """All that the earlier part said."""

    main: choosing.Setting
    why: str
    ways: list[Way]
    pairs: list[tuple[Way, Way | None, Weights]]
    tried: int


def main() -> None:
    """Choose, look, and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaving", description=__doc__)
    parser.add_argument("history", choices=sorted(HISTORIES), nargs="?", help="only this one")
    only = parser.parse_args().history
    for name, make in HISTORIES.items():
        if only in (None, name):
            text = report(make())
            print(text)
            if only is None:
                put(name, text)


def report(data: Data) -> str:
    """Everything about one history."""
    seen, config = read(data.events), Config.load(data.config)
    line = config.line
    shape = Shape(line.exit - line.enter, -(-line.dwell_ms // DAY_MS))
    end_ms = int(seen.at_ms.max()) // DAY_MS * DAY_MS + DAY_MS
    notebook = played(data.events, config, end_ms)
    chosen = choose(data, seen, notebook, shape)
    say(f"{data.name}: {in_words(chosen.main.weights)}, line {chosen.main.enter:.0f}")

    parts = []
    for returns in (False, True):
        outcomes = outcomes_of(seen, data.left_after_days, end_ms, returns=returns)
        sight = sight_of(seen, notebook.scores(outcomes))
        split = data.split_ms // DAY_MS - sight.scores.first_day
        days = sight.scores.days
        parts.append(Part(sight, Period(split, days - data.terms.horizon_days, days), data.terms))
    part, with_returns = parts
    text = [
        f"Chosen of {chosen.tried:,} settings, the one that tells soonest of those {chosen.why}: "
        f"{in_words(chosen.main.weights)}, line {chosen.main.enter:.0f}.",
        introduction(part),
        ways_table(chosen.ways, part),
        "Beside each of the others, the line of pulse that tells soonest of those that are not "
        "below it in precision and recall on the earlier part:",
        pairs_table(chosen.pairs, part),
        f"The same lines, where every pause of {data.left_after_days} days is a leaving, also one "
        f"that ended: {introduction(with_returns)}",
        ways_table(chosen.ways, with_returns),
    ]
    if data.name == "contributions":
        mine = weighted(config, chosen.main.weights)
        enter = chosen.main.enter
        scores = {"enter": enter, "exit": enter + shape.gap, "approach": enter + shape.gap}
        mine = mine.model_copy(update={"line": line.model_copy(update=scores)})
        configs = {
            "the one above": mine,
            "`examples/contributions/pulse.yaml`": Config.load(EXAMPLE / "pulse.yaml"),
            "the defaults": Config.load(None),
        }
        events = EXAMPLE / "contributions.ndjson.gz"
        text += [
            "How often the zone of an account changes:",
            zones_table({name: zone_changes(events, each) for name, each in configs.items()}),
        ]
    return "\n\n".join(text)


def choose(data: Data, seen: Seen, notebook: Notebook, shape: Shape) -> Choices:
    """All that is chosen, on the days before the split with what was known then: the score of a day
    start does not know what came later.
    """
    known = outcomes_of(seen, data.left_after_days, data.split_ms, returns=False)
    scores = notebook.scores(known)
    early = before(scores, data.split_ms // DAY_MS - scores.first_day, WARM_UP_DAYS)
    sight = sight_of(seen, early)
    days, terms = sight.scores.days, data.terms
    period = Period(WARM_UP_DAYS, days, days)

    thumb = Way(f"nothing for {SILENT_DAYS} days", silence, 0.5 - SILENT_DAYS, AT_ONCE)
    by_thumb = judged(thumb, sight, choosing.pieces_of(period), terms)
    say(f"{thumb.name}: {by_thumb[0]}")
    settings = choosing.tried(sight, data.settings, shape, period, terms)
    main, why = choosing.best(settings, by_thumb)
    say(f"pulse: {main.enter} by {main.weights}, {main.quality}, {why}")
    score = partial(choosing.score_by, main.weights)
    quartile = Way("bottom quartile of the score", score, main.quartile, shape)
    everybody = sight_of(seen, before(scores, days, 0)).habits
    parameters = fitted(everybody, days - 1)
    say(f"BG/NBD {parameters}")
    model = Way("P(alive) of BG/NBD", partial(alive, parameters), 0.0, AT_ONCE)
    model, by_model = choosing.line_of(model, sight, period, terms, by_thumb)
    say(f"{model.name}: {model.enter} {by_model}")
    pairs: list[tuple[Way, Way | None, Weights]] = []
    for way, got in ((quartile, main.ordinary[0]), (thumb, by_thumb[0]), (model, by_model)):
        found = choosing.beside(settings, got)
        say(f"beside {way.name}: {found}")
        if found is None:
            pairs.append((way, None, {}))
        else:
            own = Way("pulse", partial(choosing.score_by, found.weights), found.enter, shape)
            pairs.append((way, own, found.weights))
    ways = [Way("pulse", score, main.enter, shape), quartile, thumb, model]
    return Choices(main, why, ways, pairs, len(settings))


def silence(sight: Sight) -> NDArray[np.float32]:
    """The rule of thumb as a score: the longer the silence, the lower."""
    return -sight.habits.recency


def alive(parameters: dict[str, float], sight: Sight) -> NDArray[np.float32]:
    """P(alive) as a score, 0 to 100."""
    of: Habits = sight.habits
    found: NDArray[np.float32] = 100 * p_alive(of, parameters)
    return found


def put(name: str, text: str) -> None:
    """Into the marked part of the document."""
    begin, end = f"<!-- leaving {name}: begin -->", f"<!-- leaving {name}: end -->"
    head, _, rest = DOCUMENT.read_text().partition(begin)
    tail = rest.partition(end)[2]
    DOCUMENT.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}")


def say(text: str) -> None:
    """To whoever waits."""
    sys.stderr.write(f"{datetime.now(UTC):%H:%M:%S} {text}\n")


if __name__ == "__main__":
    main()
