"""What the topic says is in the file, once, however often it was said."""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.engagement.line import Line
from pulse.history import store
from pulse.history.days import Day, Measures, moved
from pulse.history.rows import FleetDay, HeldLine, ZoneMove
from pulse.history.store import History, HistoryError
from pulse.history.trial import Lines, Scored, tried
from pulse.history.writing import Record

if TYPE_CHECKING:
    from pathlib import Path

    from pulse.model.account import Lifecycle, Zone

FIRST = date(2025, 1, 1)


def value(
    account_id: str,
    on: date,
    score: float | None,
    zone: Zone,
    *,
    segment: str = "pro",
    lifecycle: Lifecycle = "current",
) -> bytes:
    said = Day(
        account_id, on.isoformat(), f"{on}T00:00:00Z", score, zone, lifecycle, 40.0, 50.0,
        segment, 100.0, Measures(7.5, 0, 3, 2, 5),
    )  # fmt: skip
    return msgspec.json.encode(said)


def record(offset: int, account_id: str, value: bytes | None, partition: int = 0) -> Record:
    return Record(partition, offset, account_id.encode(), value)


@pytest.fixture
def history(tmp_path: Path) -> History:
    made = History(tmp_path / "history.sqlite3")
    made.prepare()
    return made


def story(accounts: int = 5, days: int = 30) -> list[Record]:
    """Accounts that go through the zones, each day one record of each."""
    chance, out = random.Random(7), []
    for day in range(days):
        for number in range(accounts):
            score = round(chance.uniform(0, 100), 2)
            zone: Zone = "danger" if score < 40 else "approaching" if score < 50 else "healthy"
            name = f"a{number}"
            stage: Lifecycle = "new" if day < 10 else "dormant" if day % 7 < number else "current"
            said = value(name, FIRST + timedelta(day), score, zone, lifecycle=stage)
            out.append(record(len(out), name, said))
    return out


def everything(history: History) -> object:
    return (
        [history.account(f"a{number}", FIRST) for number in range(5)],
        history.fleet(FIRST),
        history.moves(FIRST),
        history.lifecycle_moves(FIRST),
        [history.distribution(FIRST + timedelta(day)) for day in range(30)],
        history.places(),
    )


def test_an_account_is_as_it_was_said(history: History) -> None:
    history.take([record(0, "a", value("a", FIRST, 31.27, "danger"))])
    (row,) = history.account("a", FIRST)
    assert (row.day, row.score, row.zone, row.lifecycle) == (FIRST, 31.27, "danger", "current")
    assert (row.line, row.approach, row.mrr, row.events) == (40.0, 50.0, 100.0, 7.5)
    assert (row.active_users, row.features, row.active_days) == (3, 2, 5)
    assert history.account("b", FIRST) == []
    assert history.account("a", FIRST + timedelta(1)) == []


@pytest.mark.parametrize("seed", range(5))
def test_however_it_comes(tmp_path: Path, seed: int) -> None:
    """Read again from anywhere, cut anywhere, said twice by a worker that began again."""
    records, chance = story(), random.Random(seed)
    plain, other = History(tmp_path / "plain"), History(tmp_path / "other")
    for each in (plain, other):
        each.prepare()
    plain.take(records)
    # A worker that began again says the last records once more, at new offsets.
    at = chance.randrange(20, len(records))
    again = records[:at] + records[at - 20 : at] + records[at:]
    again = [each._replace(offset=offset) for offset, each in enumerate(again)]
    start = 0
    while start < len(again):
        end = start + chance.randrange(1, 60)
        other.take(again[max(0, start - chance.randrange(30)) : end])
        start = end
    *expected, _ = everything(plain)  # type: ignore[misc]
    *found, places = everything(other)  # type: ignore[misc]
    assert found == expected
    assert places == {0: len(again)}


def test_the_fleet_is_the_sum_of_its_accounts(history: History) -> None:
    history.take(story())
    rows = [history.account(f"a{number}", FIRST) for number in range(5)]
    for day in (FIRST, FIRST + timedelta(29)):
        zones = [row.zone for each in rows for row in each if row.day == day]
        fleet = [each for each in history.fleet(FIRST) if each.day == day]
        in_zones: Counter[str] = Counter()
        for each in fleet:
            in_zones[each.zone] += each.accounts
        assert in_zones == Counter(zones)
        assert sum(each.mrr for each in fleet) == 500.0
        assert sum(history.distribution(day)) == 5
    turns = sum(was.zone != now.zone for each in rows for was, now in pairwise(each))
    moves = history.moves(FIRST)
    assert sum(each.accounts for each in moves if each.was is not None) == turns > 20
    assert sum(each.accounts for each in moves if each.was is None) == 5
    lives = sum(was.lifecycle != now.lifecycle for each in rows for was, now in pairwise(each))
    turned = history.lifecycle_moves(FIRST)
    assert sum(each.accounts for each in turned if each.was is not None) == lives > 20
    assert {(each.was, each.accounts) for each in turned if each.day == FIRST} == {(None, 5)}


def test_by_segment(history: History) -> None:
    history.take(
        [
            record(0, "a", value("a", FIRST, 10.0, "danger", segment="pro")),
            record(1, "b", value("b", FIRST, 90.0, "healthy", segment="")),
        ]
    )
    assert history.segments() == ["", "pro"]
    assert history.fleet(FIRST, "pro") == [FleetDay(FIRST, "danger", "current", 1, 100.0)]
    assert history.moves(FIRST, "") == [ZoneMove(FIRST, None, "healthy", 1)]
    assert history.distribution(FIRST, "pro")[2] == 1 == sum(history.distribution(FIRST, "pro"))


def test_a_day_that_turned_out_otherwise_counts_once(history: History) -> None:
    history.take([record(0, "a", value("a", FIRST, 10.0, "danger", segment="pro"))])
    history.take([record(1, "a", value("a", FIRST, None, "unknown", segment="basic"))])
    assert history.fleet(FIRST) == [FleetDay(FIRST, "unknown", "current", 1, 100.0)]
    assert history.moves(FIRST) == [ZoneMove(FIRST, None, "unknown", 1)]
    assert sum(history.distribution(FIRST)) == 0


def test_an_account_that_was_forgotten_has_no_history(history: History, tmp_path: Path) -> None:
    history.take([*story(), record(150, "a1", None)])
    assert history.account("a1", FIRST) == []
    assert len(history.account("a2", FIRST)) == 30
    history.take([record(151, "a1", value("a1", FIRST + timedelta(40), 50.0, "healthy"))])
    assert [row.day for row in history.account("a1", FIRST)] == [FIRST + timedelta(40)]


def test_an_account_that_was_renamed_goes_on_with_its_days(history: History) -> None:
    last = FIRST + timedelta(9)
    history.take([record(n, "old", value("old", FIRST + timedelta(n), 60.0, "healthy"))
                  for n in range(10)])  # fmt: skip
    history.take([record(0, "new", value("new", last, 20.0, "danger"), partition=1)])
    history.take([record(10, "old", moved("old", "new"))])
    found = history.account("new", FIRST)
    assert [row.score for row in found] == [60.0] * 9 + [20.0]  # what it has itself, it keeps
    assert history.account("old", FIRST) == []


def test_what_is_read_late_of_who_has_gone_does_not_come_back(history: History) -> None:
    """As it is read where the topic has other partitions since."""
    days = [
        record(n, name, value(name, FIRST + timedelta(n), 60.0, "healthy"))._replace(at_ms=n)
        for name in ("erased", "old", "older")
        for n in range(10)
    ]
    gone = [
        record(0, "erased", None)._replace(at_ms=20),
        record(1, "older", moved("older", "old"))._replace(at_ms=20),
        record(2, "old", moved("old", "new"))._replace(at_ms=30),
        record(3, "new", value("new", FIRST, 20.0, "danger"))._replace(at_ms=31),
        record(4, "erased", value("erased", FIRST + timedelta(11), 70.0, "healthy"))
        ._replace(at_ms=40),
    ]  # fmt: skip
    history.take([each._replace(partition=1) for each in gone])
    history.take([each._replace(offset=offset) for offset, each in enumerate(days)])

    assert [row.score for row in history.account("new", FIRST)] == [20.0] + [60.0] * 9
    assert [row.day for row in history.account("erased", FIRST)] == [FIRST + timedelta(11)]
    assert history.account("old", FIRST) == history.account("older", FIRST) == []
    history.forget_before(FIRST)
    with closing(sqlite3.connect(history._path)) as db:
        assert db.execute("SELECT * FROM gone").fetchall() == []


def test_accounts_that_take_each_others_names_end_with_the_last(history: History) -> None:
    history.take([
        record(0, "a", moved("a", "b"), 1)._replace(at_ms=20),
        record(1, "b", moved("b", "a"), 1)._replace(at_ms=30),
        record(0, "a", value("a", FIRST, 60.0, "healthy"))._replace(at_ms=10),
    ])  # fmt: skip

    assert [row.score for row in history.account("a", FIRST)] == [60.0]
    assert history.account("b", FIRST) == []


def test_old_days_go_and_accounts_without_any(history: History) -> None:
    history.take([record(0, "gone", value("gone", FIRST, 1.0, "danger"))])
    history.take([each._replace(offset=each.offset + 1) for each in story()])
    first = FIRST + timedelta(20)
    assert history.forget_before(first) == 1 + 5 * 20
    assert [len(history.account(f"a{number}", FIRST)) for number in range(5)] == [10] * 5
    assert {each.day for each in history.fleet(FIRST)} == {first + timedelta(n) for n in range(10)}
    assert min(each.day for each in history.moves(FIRST)) == first
    assert min(each.day for each in history.lifecycle_moves(FIRST)) >= first
    assert history.newest() == FIRST + timedelta(29)


def test_what_is_no_record_is_passed_over(history: History) -> None:
    wrong = value("a", FIRST, 1.0, "danger").replace(b'2025-01-01"', b'2025-13-01"', 1)
    bad = [b"", b"{", b"[]", b"\xff", b'{"account_id": "a"}', b'{"renamed_to": 7}', wrong]
    records = [record(offset, "a", each) for offset, each in enumerate(bad)]
    assert history.take([*records, record(len(bad), "a", value("a", FIRST, 1.0, "danger"))]) == 8
    assert len(history.account("a", FIRST)) == 1


@pytest.mark.parametrize("segment", [None, "pro", "nobody's"])
def test_another_line_is_tried_as_on_all_days_of_all_accounts(
    history: History, segment: str | None
) -> None:
    chance, records, days = random.Random(3), list[Record](), dict[str, list[Scored]]()
    for number in range(40):
        # A third never comes near a line, some leave, of some nothing is known on some days.
        name, low = f"a{number}", 80 if number % 3 else 10
        for day in range(28):
            score = None if number % 7 == day % 7 else round(chance.uniform(low, 100), 2)
            has_left = number % 11 == 5 and day > 20
            said = Day(
                name, (FIRST + timedelta(day)).isoformat(), "2025-01-01T00:00:00Z", score,
                "unknown" if score is None else "healthy", "churned" if has_left else "current",
                40.0, 50.0, "pro" if number % 2 else "smb", 1.0, Measures(1, 0, 1, 1, 1),
            )  # fmt: skip
            records.append(record(len(records), name, msgspec.json.encode(said)))
            if segment in (None, said.segment):
                on = (FIRST + timedelta(day)).toordinal()
                scored = Scored(name, on, score, score is not None, has_left, said.segment)
                days.setdefault(name, []).append(scored)
    history.take(records)
    held = Lines(Line(40, 50, 55, 0, 0, 0), {"pro": Line(90, 95, 99, 0, 0, 0)})
    other = Lines(Line(60, 70, 75, 86_400_000, 0, 0))
    until = FIRST + timedelta(27)

    trial = history.try_line(FIRST, until, held, other, segment)
    assert trial == tried((each for name in days for each in days[name]), held, other)
    assert trial.accounts == {None: 40, "pro": 20}.get(segment, 0)


def test_the_line_of_a_segment_is_that_of_most_accounts_on_its_newest_day(
    history: History,
) -> None:
    said = [("smb", 0, 40.0)] * 9 + [("smb", 1, 40.0)] + [("smb", 1, 25.5)] * 2 + [("", 0, 31.0)]
    history.take(
        record(
            place,
            f"a{place}",
            msgspec.json.encode(
                Day(
                    f"a{place}", (FIRST + timedelta(day)).isoformat(), "2025-01-01T00:00:00Z", 50.0,
                    "healthy", "current", line, line + 15, segment, 1.0, Measures(1, 0, 1, 1, 1),
                )
            ),
        )
        for place, (segment, day, line) in enumerate(said)
    )  # fmt: skip
    smb, none = HeldLine(25.5, 40.5, 3), HeldLine(31.0, 46.0, 1)

    assert history.lines(FIRST, FIRST + timedelta(1)) == {"smb": smb, "": none}
    assert history.lines(FIRST, FIRST)["smb"] == HeldLine(40.0, 55.0, 9)
    assert history.lines(FIRST + timedelta(1), FIRST + timedelta(9)) == {"smb": smb}


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but a text that is long enough to be read" * 9)
    with pytest.raises(HistoryError, match="not a database"):
        History(tmp_path / "text").prepare()
    with pytest.raises(HistoryError, match="unable to open"):
        History(tmp_path / "no" / "folder").prepare()


def test_what_sqlite_has_rolled_back_itself_is_told_as_it_was(
    history: History, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "history.sqlite3")) as db:
        db.execute(
            "CREATE TRIGGER full BEFORE INSERT ON day BEGIN SELECT RAISE(ROLLBACK, 'no room'); END"
        )
    with pytest.raises(HistoryError, match="no room"):
        history.take(story(1, 1))
    assert history.places() == {}


def test_what_comes_together_counts_as_what_comes_alone(tmp_path: Path) -> None:
    """Days that wait to be written are known to what replaces, moves and forgets them."""
    day = [FIRST + timedelta(number) for number in range(4)]
    said = [
        ("a0", value("a0", day[0], 60.0, "healthy")),
        ("a0", value("a0", day[2], 45.0, "approaching")),
        ("a0", value("a0", day[1], 30.0, "danger")),
        ("a0", value("a0", day[2], 31.0, "danger")),
        ("a0", value("a0", day[3], 70.0, "healthy")),
        ("a1", value("a1", day[0], 20.0, "danger")),
        ("a1", moved("a1", "a2")),
        ("a2", value("a2", day[1], 65.0, "healthy")),
        ("a3", value("a3", day[0], 20.0, "danger")),
        ("a3", None),
        ("a3", value("a3", day[2], 80.0, "healthy")),
    ]
    records = [record(offset, name, text) for offset, (name, text) in enumerate(said)]
    together, alone = History(tmp_path / "together"), History(tmp_path / "alone")
    for each in (together, alone):
        each.prepare()
    together.take(records)
    for each_record in records:
        alone.take([each_record])
    assert everything(together) == everything(alone)
    assert [row.score for row in together.account("a0", FIRST)] == [60.0, 30.0, 31.0, 70.0]
    assert [row.day for row in together.account("a2", FIRST)] == day[:2]
    assert [row.day for row in together.account("a3", FIRST)] == [day[2]]


def test_a_copy_is_of_one_instant_whatever_is_written_meanwhile(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PAGES", 1)
    told = story()
    history.take(told[:100])
    before, steps = everything(history), []

    def write_on(done: int, pages: int) -> None:
        history.take([told[100 + len(steps)]])
        steps.append((done, pages))

    history.copy_to(tmp_path / "copy.sqlite3", write_on)

    assert len(steps) > 3
    assert steps[-1][0] == steps[-1][1] == len(steps)  # it never began anew
    assert everything(History(tmp_path / "copy.sqlite3")) == before
    assert everything(history) != before
    history.take(told)
    copy = History(tmp_path / "copy.sqlite3")
    copy.prepare()
    copy.take(told)  # put where the file was, it goes on
    assert everything(copy) == everything(history)


def test_a_copy_overwrites_nothing_and_half_of_one_does_not_stay(
    history: History, tmp_path: Path
) -> None:
    def fail(done: int, pages: int) -> None:
        raise KeyboardInterrupt

    (folder := tmp_path / "copies").mkdir()
    (folder / "there").write_text("precious")
    with pytest.raises(HistoryError, match=r"cannot make .*there: file exists"):
        history.copy_to(folder / "there")
    with pytest.raises(HistoryError, match="no such file"):
        history.copy_to(folder / "nowhere" / "copy")
    with pytest.raises(KeyboardInterrupt):
        history.copy_to(folder / "half", fail)
    with pytest.raises(HistoryError):
        History(tmp_path / "none").copy_to(folder / "copy")

    assert (folder / "there").read_text() == "precious"
    assert [each.name for each in folder.iterdir()] == ["there"]
