"""`docs/sizing.md` follows from what `docs/performance.md` has measured, and from nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import sizing
from pulse.config import Config
from pulse.topics.cost import TICK_BYTES, tick_bytes_on_disk

DOCS = Path(__file__).parents[2] / "docs"
PERFORMANCE = (DOCS / "performance.md").read_text()
PAGE = (DOCS / "sizing.md").read_text()


def test_its_tables_are_those_that_follow_now() -> None:
    _, inside, _ = sizing.parts(PAGE)
    assert inside == sizing.text(sizing.read(PERFORMANCE)), (
        "python -m benchmarks.sizing writes them"
    )


def test_other_figures_make_other_tables(tmp_path: Path) -> None:
    measured = sizing.read(PERFORMANCE)
    half = measured._replace(rate_in_turn=measured.rate_in_turn / 2)
    assert sizing.text(half) != sizing.text(measured)
    file, page = tmp_path / "performance.md", tmp_path / "sizing.md"
    file.write_text(PERFORMANCE)
    page.write_text(f"before\n{sizing.BEGIN}\n{sizing.END}\nafter\n")
    sizing.main(file, page)
    sizing.main(file, page)
    assert page.read_text() == (
        f"before\n{sizing.BEGIN}\n\n{sizing.text(measured)}\n\n{sizing.END}\nafter\n"
    )


def test_a_figure_that_is_gone_is_missed() -> None:
    with pytest.raises(ValueError, match="no row"):
        sizing.read(PERFORMANCE.replace("| all in turn, as fast as it goes |", "| in turn |"))
    with pytest.raises(ValueError, match="sizing: begin"):
        sizing.parts("nothing is marked here")


def test_its_words_are_those_of_the_tables() -> None:
    for name, number in (
        ("busiest minute", f"86,400 × {sizing.PEAK}. "),  # noqa: RUF001  # the page has that sign
        ("a worker", f"{sizing.BASE_GB:g} GB)"),
        ("a tick", f" {TICK_BYTES} bytes "),
        ("an event", f"{sizing.EVENT_BYTES} bytes, {sizing.RETENTION_DAYS} days"),
    ):
        assert number in PAGE, name
    kafka = Config().kafka
    assert kafka.retention_days.events == sizing.RETENTION_DAYS
    ticks = re.search(r"(\d+) partitions, (\d+) days and one copy are ([\d.]+) GB", PAGE)
    assert ticks is not None
    assert (int(ticks[1]), int(ticks[2])) == (kafka.partitions, kafka.retention_days.events)
    assert float(ticks[3]) == pytest.approx(tick_bytes_on_disk(Config()) / 1e9, abs=0.05)


def test_a_billion_a_day_is_a_second_what_it_is() -> None:
    """One row, counted by hand: nothing of `benchmarks.sizing` in it."""
    (row,) = [line for line in PAGE.splitlines() if line.startswith("| 1,000,000,000 |")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:3] == [f"{1_000_000_000 / 86_400:,.0f}", f"{3_000_000_000 / 86_400:,.0f}"]
    in_turn = re.search(r"^\| all in turn, as fast as it goes \| ([\d,]+)", PERFORMANCE, re.M)
    assert in_turn is not None
    rate = float(in_turn[1].replace(",", ""))
    assert int(cells[4]) == -(-3_000_000_000 // (86_400 * (rate / 2)))
    assert cells[5] == "7.6 TB", "events by bytes by days by copies"
