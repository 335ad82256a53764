"""What `make leaving` compares with: who left when, and how often zones change."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.leaving import history as leaving
from benchmarks.leaving.choosing import Setting, best, keeps_up, not_below, pieces_of
from pulse.calibration.lines import Period, Quality
from pulse.calibration.outcomes import Stay
from pulse.config import Config
from pulse.engagement.days import DAY_MS

pytestmark = pytest.mark.long

ONE = Quality(0.5, 0.9, 0.0, 0.0, 1.0, 30.0)


def test_a_leaving_is_dated_when_it_could_be_known() -> None:
    events = [
        json.dumps({"account_id": name, "ts": day * DAY_MS}).encode()
        for day, name in ((0, "a"), (5, "b"), (30, "a"), (45, "b"), (50, "b"))
    ]
    seen = leaving.read(events)
    stays = {"a": (Stay(None, 50 * DAY_MS),), "b": (Stay(None, 70 * DAY_MS),)}
    assert leaving.outcomes_of(seen, 20, 100 * DAY_MS, returns=False) == stays
    # The pauses that ended were leavings too; what was on day 60 is not known on day 50.
    assert leaving.outcomes_of(seen, 20, 51 * DAY_MS, returns=True) == {
        "a": (Stay(None, 20 * DAY_MS), Stay(30 * DAY_MS, 50 * DAY_MS)),
        "b": (Stay(None, 25 * DAY_MS), Stay(45 * DAY_MS, None)),
    }


def test_what_is_not_below_something_else() -> None:
    assert not_below(ONE, ONE)
    assert not_below(ONE, ONE._replace(recall=0.905))
    assert not not_below(ONE, ONE._replace(recall=0.95))
    assert not not_below(ONE, ONE._replace(precision=0.51))


def test_pieces_are_all_of_the_time_and_its_thirds() -> None:
    whole = Period(10, 20, 20)

    assert pieces_of(whole) == [whole, Period(10, 13, 20), Period(13, 16, 20), Period(16, 20, 20)]


def test_who_keeps_up_is_below_in_no_piece() -> None:
    nan = float("nan")
    unknown = ONE._replace(precision=nan, recall=nan, lead_days=nan)

    assert keeps_up([ONE, ONE], [ONE, ONE])
    assert keeps_up([ONE, ONE], [ONE, unknown])  # there was nothing to compare with
    assert not keeps_up([ONE, unknown], [ONE, ONE])
    for worse in ({"precision": 0.49}, {"recall": 0.8}, {"lead_days": 29.0}):
        assert not keeps_up([ONE, ONE._replace(**worse)], [ONE, ONE])


def test_the_soonest_is_taken_of_those_that_keep_up() -> None:
    def setting(lead_days: float, precision: float, ordinary: Quality = ONE) -> Setting:
        record = [ONE._replace(lead_days=lead_days, precision=precision, f1=lead_days / 100)]
        return Setting({}, lead_days, record, 0.0, [ordinary])

    above, unfair = setting(40, 0.6), setting(50, 0.6, ONE._replace(precision=0.7))
    early = setting(60, 0.4)

    found, why = best([setting(35, 0.6), above, unfair, early], [ONE])
    assert (found, "either rule" in why) == (above, True)
    found, why = best([unfair, early], [ONE])
    assert (found, "below the quartile somewhere" in why) == (unfair, True)
    found, why = best([early, setting(20, 0.6)], [ONE])
    assert (found, "best F1" in why) == (early, True)


def test_zone_changes_are_counted_where_they_come_soon(tmp_path: Path) -> None:
    from benchmarks.leaving.zones import zone_changes

    file = tmp_path / "events.ndjson"
    days = [*range(100), 160]
    lines = [
        {"id": f"{day}", "account_id": "acme", "event": "opened", "ts": (day + 20_000) * DAY_MS}
        for day in days
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    recency = {"measure": "recency_days", "weight": 1, "floor": 100, "target": 0}
    line = {"enter": 80, "exit": 90, "approach": 82, "dwell": "1d", "min_active_days": 1}
    config = Config.model_validate({"clock": "events", "scorecard": [recency], "line": line})
    found = zone_changes(file, config)
    # Known, then approaching after three weeks of silence and in danger two days later.
    assert found.soon == {"healthy → approaching, approaching → danger": 1}
    assert (found.total, found.accounts, found.hasty) == (3, 1, 1)


def test_a_day_start_does_not_know_what_came_later() -> None:
    from benchmarks.leaving.ways import before

    events = [
        json.dumps(
            {"id": f"{day}-{n}", "account_id": f"a{n}", "event": "o", "ts": (day + 20_000) * DAY_MS}
        ).encode()
        for day in range(0, 120, 3)
        for n in range(5)
        if (day * (n + 2)) % 7 < 3
    ]
    split_ms, end_ms = 20_060 * DAY_MS, 20_120 * DAY_MS
    config = Config.load(leaving.HERE / "cdnow.yaml")
    known = leaving.outcomes_of(leaving.read(events), 30, split_ms, returns=False)
    cut = before(leaving.played(events, config, end_ms).scores(known), 59, 0)
    early = leaving.played(events, config, split_ms).scores(known)
    assert cut.ids == early.ids
    assert np.array_equal(cut.table, early.table, equal_nan=True)
    assert sorted(cut.samples.shares.tolist()) == sorted(early.samples.shares.tolist())


@pytest.mark.parametrize(
    "file", ["examples/contributions/pulse.yaml", "benchmarks/leaving/contributions.yaml"]
)
def test_no_zone_changes_more_than_once_a_week_on_the_contributions(file: str) -> None:
    from benchmarks.leaving.zones import zone_changes

    root = Path(__file__).parents[3]
    history = root / "examples" / "contributions" / "contributions.ndjson.gz"
    changes = zone_changes(history, Config.load(root / file))
    assert changes.total > 1_000
    assert changes.hasty == 0, changes.soon
