"""Which accounts Today shows, in which order; the same as CSV; and who is told of what."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest

from pulse.alerting.brief import brief_of
from pulse.alerting.stages.budget import rank
from pulse.history import DayRow
from pulse.refusals import Refusal
from pulse.testing.alerts import sample_alert
from pulse.web.pages.sparkline import sparkline
from pulse.web.today.board import Entry, Known
from pulse.web.today.choosing import NO_OWNER, Order, Wanted, choices, chosen
from pulse.web.today.live import Live
from pulse.web.today.table import COLUMNS, csv_of

DAY_MS = 86_400_000
NOW_MS = 1_000 * DAY_MS
ALL = Wanted()


def entry(account_id: str = "acme", **changes: Any) -> Entry:
    known = {
        "account_id": account_id, "name": account_id, "zone": "danger", "mrr": 1_000.0,
        "owner": "kim", "segment": "smb", "score": 30.0, "enter": 40.0,
    }  # fmt: skip
    of_known = {name: changes.pop(name) for name in list(changes) if name in known}
    rest = {
        "approach": 55.0, "then": 60.0, "since_ms": None, "renewal_ms": None, "has_mrr": True,
        "plan": "", "lifecycle": "current", "reasons": ("danger",), "lacks": None,
    }  # fmt: skip
    return Entry(known=Known(**{**known, **of_known}), **{**rest, **changes})


def shown(entries: list[Entry], wanted: Wanted = ALL, *taken: str) -> list[str]:
    in_order = Order().of(entries, 1, NOW_MS)
    found = chosen(in_order, wanted, lambda each: each.known.account_id in taken)
    return [each.known.account_id for each in found]


def test_what_has_most_at_stake_comes_first() -> None:
    soon = NOW_MS + 5 * DAY_MS
    entries = [
        entry("no mrr, worst", mrr=0.0, score=1.0),
        entry("large, near the line", mrr=50_000.0, score=54.0, zone="approaching"),
        entry("small, worst", mrr=100.0, score=1.0),
        entry("small, soon", mrr=100.0, score=1.0, renewal_ms=soon),
        entry("no mrr, soon", mrr=0.0, score=30.0, renewal_ms=soon),
        entry("large, worse", mrr=50_000.0, score=20.0),
        entry("no score", mrr=50_000.0, score=None),
    ]
    assert shown(entries) == [
        "large, worse", "no score", "large, near the line", "small, soon", "small, worst",
        "no mrr, soon", "no mrr, worst",
    ]  # fmt: skip


def test_the_order_is_that_in_which_an_owner_is_told() -> None:
    said = [
        (score, mrr, NOW_MS + days * DAY_MS)
        for score in (3.0, 38.0, 54.0)
        for mrr in (50.0, 900.0, 20_000.0)
        for days in (0, 30, 300)
    ]
    entries = [
        entry(f"a{number}", score=score, mrr=mrr, renewal_ms=renewal_ms)
        for number, (score, mrr, renewal_ms) in enumerate(said)
    ]
    briefs = [
        brief_of(
            sample_alert(f"a{number}", score=score, profile={"mrr": mrr, "renewal_at": renewal_ms})
        )
        for number, (score, mrr, renewal_ms) in enumerate(said)
    ]
    briefs.sort(key=lambda each: (rank(each, NOW_MS)[:2], each.account_id))
    assert shown(entries) == [each.account_id for each in briefs]


def test_it_is_sorted_again_when_something_is_another_or_a_minute_is_over() -> None:
    order, soon = Order(), NOW_MS + 2 * DAY_MS
    entries = [entry("a", renewal_ms=soon), entry("b", mrr=900.0, score=10.0)]

    def names(version: int, now_ms: int) -> list[str]:
        return [each.known.account_id for each in order.of(entries, version, now_ms)]

    assert names(1, NOW_MS) == ["a", "b"]
    entries.append(entry("c", mrr=50_000.0))
    assert names(1, NOW_MS + 1_000) == ["a", "b"]
    assert names(2, NOW_MS + 1_000) == ["c", "a", "b"]
    # A renewal that is over counts as one that is far away.
    assert names(2, NOW_MS + 4 * DAY_MS) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (Wanted(), ["a", "b", "c"]),
        (Wanted(zone="approaching"), ["b"]),
        (Wanted(segment="free"), ["b"]),
        (Wanted(segment=NO_OWNER), ["c"]),
        (Wanted(owner="kim"), ["a", "b"]),
        (Wanted(owner=NO_OWNER), ["c"]),
        (Wanted(reason="silence"), ["a", "c"]),
        (Wanted(waiting="1"), ["b", "c"]),
        (Wanted(reason="silence", owner="kim"), ["a"]),
        (Wanted(owner="nobody at all"), []),
    ],
)
def test_only_what_is_wanted_is_shown(wanted: Wanted, names: list[str]) -> None:
    entries = [
        entry("a", reasons=("danger", "silence")),
        entry("b", zone="approaching", segment="free", reasons=()),
        entry("c", owner="", segment="", reasons=("silence",)),
    ]
    assert shown(entries, wanted, "a") == names


def test_there_is_to_choose_what_there_is() -> None:
    entries = [entry("a"), entry("b", owner="", reasons=("silence", "danger")), entry("c")]
    assert choices(entries, ALL) == (
        [("smb", 3)], [(NO_OWNER, 1), ("kim", 2)], [("danger", 3), ("silence", 1)],
    )  # fmt: skip
    # Also what somebody has kept as a bookmark, and nobody has any more.
    assert choices(entries, Wanted(segment="gone")).segments == [("gone", 0), ("smb", 3)]


@pytest.mark.parametrize(
    "evil", ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1", "|x", "%x"]
)
def test_no_cell_is_a_formula(evil: str) -> None:
    text = csv_of(
        [entry(evil, owner=evil, segment=evil, plan=evil, reasons=(evil,))],
        lambda each: [evil],
        lambda each: False,
    )
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    for column in ("account_id", "name", "owner", "segment", "plan", "reasons", "taken"):
        assert row[column] == f"'{evil}"


def test_every_cell_is_quoted() -> None:
    (header, row) = csv_of(
        [entry("a;=1+1", owner="b\tc")], lambda each: [], lambda each: False
    ).splitlines()
    for line in (header, row):
        assert line.startswith('"')
        assert line.endswith('"')
        assert len(line.split('","')) == len(COLUMNS)
    assert row.startswith('"a;=1+1","a;=1+1","danger",')


def test_what_is_not_known_is_an_empty_cell_and_numbers_are_numbers() -> None:
    text = csv_of(
        [
            entry("a,\"b\"", score=None, then=None, has_mrr=False),
            entry("c", score=12.25, mrr=1_234_567.5, since_ms=0, renewal_ms=DAY_MS),
        ],
        lambda each: [],
        lambda each: each == "c",
    )  # fmt: skip
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert tuple(first) == COLUMNS
    assert (first["held_out"], second["held_out"]) == ("no", "yes")
    assert [first[each] for each in ("account_id", "score", "score_28d_ago", "mrr", "since")] == [
        'a,"b"', "", "", "", "",
    ]  # fmt: skip
    assert [second[each] for each in ("score", "mrr", "since", "renewal_at")] == [
        "12.25", "1234567.5", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z",
    ]  # fmt: skip


# -- sparklines ------------------------------------------------------------------------------------

TODAY = date(2026, 3, 2)


def days(*scores: float | None, until: int = 1) -> list[DayRow]:
    """Of so many days, the last of which is `until` days before today."""
    return [
        DayRow(TODAY - timedelta(len(scores) - 1 - at + until), score, "healthy", "current", 40.0,
               55.0, 0.0, 0.0, 0.0, 1, 1, 1)
        for at, score in enumerate(scores)
    ]  # fmt: skip


def test_what_is_older_than_it_shows_is_left_out_and_gaps_are_gaps() -> None:
    known = [*days(*[80.0] * 40, until=61), *days(*[20.0] * 10)]
    drawn = sparkline(known, TODAY.toordinal(), 20.0, 40.0, None)
    assert drawn is not None
    assert drawn.trace.count("M") == 2
    assert min(float(each.split()[0]) for each in drawn.trace.replace("M", "L").split("L")[1:]) >= 0
    assert drawn.says == "score from 80.0 to 20.0 in 90 days, danger below 40"


def test_there_is_nothing_to_draw_of_what_has_no_score() -> None:
    assert sparkline([], TODAY.toordinal(), None, 40.0, None) is None
    assert sparkline(days(None, None), TODAY.toordinal(), None, 40.0, 50.0) is None
    drawn = sparkline([], TODAY.toordinal(), 30.0, 40.0, None)
    assert drawn is not None
    assert drawn.says == "score from 30.0 to 30.0 in 0 days, danger below 40"


# -- who is told -----------------------------------------------------------------------------------


async def test_changes_that_come_while_nobody_looks_are_told_once() -> None:
    live = Live()
    with live.listen("s", None) as today, live.listen("s", "acme") as acme:
        for changed in ({"globex"}, {"acme", "globex"}, None):
            live.say(changed)
        for each in (today, acme):
            assert await each.changes(0.01)
            assert not await each.changes(0.01)
        live.say({"globex"})
        assert (await today.changes(0.01), await acme.changes(0.01)) == (True, False)
    live.say(None)
    assert len(live) == 0


def test_of_all_and_of_one_session_only_so_many_listen() -> None:
    live = Live(most=3, most_of_one=2)
    with live.listen("a", None), live.listen("a", None):
        with pytest.raises(Refusal, match="not live"), live.listen("a", None):
            pass
        with (
            live.listen("b", None),
            pytest.raises(Refusal, match="not live"),
            live.listen("c", None),
        ):
            pass
        with live.listen("c", None):
            assert len(live) == 3
    assert len(live) == 0
