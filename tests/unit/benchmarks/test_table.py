"""The tables of the benchmark, and where they go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from benchmarks.results import Machine, Results
from benchmarks.rows import Run, chosen
from benchmarks.speed import Measured, Speed
from benchmarks.table import BEGIN, END, insert, text
from benchmarks.targets import Target, number
from benchmarks.web import Page, WebSpeed

if TYPE_CHECKING:
    from pathlib import Path


def results(rate: int) -> Results:
    rows = [
        Measured("hand-durable", "by hand", [Run(1_000, 0.01, 0.01), Run(1_000, 0.02, 0.02)]),
        Measured("pulse", "pulse", [Run(rate, 1.0, 2.0)]),
    ]
    machine = Machine("a processor", 2, 8, "3.11", "Linux")
    began = datetime(2026, 1, 2, tzinfo=UTC)
    return Results(machine, began, is_quick=False, load_before=0.1, speed=Speed(1_000, 2, 1, rows))


@pytest.mark.parametrize(
    ("rate", "verdict"), [(100_000, "stretch"), (50_000, "floor"), (49_998, "**no**")]
)
def test_each_target_says_whether_it_is_reached(rate: int, verdict: str) -> None:
    table = text(results(rate))

    assert table.splitlines()[-1].endswith(f"| {verdict} |")
    assert f"| pulse | {rate:,} | {rate / 100_000:.2f} | {rate // 2:,} |" in table


def test_less_is_better_where_it_is_a_cost() -> None:
    target = Target("memory", floor=2_048, stretch=600, unit="bytes")

    assert [target.verdict(value) for value in (600, 2_048, 2_049)] == [
        "stretch",
        "floor",
        "**no**",
    ]
    assert number(96_348.2) == "96,348"


def test_the_table_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")

    insert(page, "new")
    insert(page, "newer")

    assert page.read_text() == f"before\n{BEGIN}\n\nnewer\n\n{END}\nafter\n"


def test_a_name_selects_its_rows() -> None:
    assert [row.name for row in chosen("hand,engine")] == [
        "hand", "hand-durable", "engine", "engine-plain",
    ]  # fmt: skip
    with pytest.raises(SystemExit, match="no row qwix; there are ceiling"):
        chosen("qwix")


def test_of_the_pages_only_those_that_people_wait_for_have_a_bound() -> None:
    pages = [
        Page("**Today**", 0.12, 0.3, 0.1, 100_000, of_few=2.0),
        Page("as CSV", 0.9, 1.0, 0.8, 2_000_000, is_page=False, of_few=40.0),
        Page("the fleet", 0.31, 0.4, 0.3, 50_000, of_few=1.0),
    ]
    found = results(100_000)
    found.web = WebSpeed(50_000, 1_000, 365, 186.0, pages)
    table = text(found)

    assert "| **Today** | 120.0 | 300.0 | 100.0 | 100 | 2.0 times |" in table
    first, slowest = table.splitlines()[-2:]
    assert first.startswith("| Today's first page, 50,000 accounts and 365 days | 0.3 s | 0.1 s |")
    assert (first.endswith("| floor |"), slowest.endswith("| **no** |")) == (True, True)
