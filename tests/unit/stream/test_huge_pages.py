"""Memory goes into huge pages where the system has them, and nothing changes where it has not."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pulse.stream import huge_pages
from pulse.stream.huge_pages import HugePages

if TYPE_CHECKING:
    from pathlib import Path

GATHER = """
import hashlib, json
from pathlib import Path
from pulse.stream.huge_pages import HugePages, _resident_bytes

def huge():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("AnonHuge"))

pages = HugePages()
due = [pages.is_due()]
objects = [str(n).encode() for n in range(3_000_000)]
due.append(pages.is_due())
before = hashlib.sha256(b" ".join(objects)).hexdigest()
resident = _resident_bytes()
moved = pages.gather()
grown = _resident_bytes() / resident
due.append(pages.is_due())
after = hashlib.sha256(b" ".join(objects)).hexdigest()
print(json.dumps([due, before == after, moved, huge(), grown]))
"""

HAS = huge_pages._size_bytes() > 0 and tuple(map(int, platform.release().split(".")[:2])) >= (6, 1)


@pytest.mark.skipif(not HAS, reason="needs Linux 6.1 with huge pages")
def test_what_a_process_has_in_memory_moves_into_huge_pages() -> None:
    said = subprocess.check_output([sys.executable, "-c", GATHER])
    due, is_same, moved, huge, grown = json.loads(said)

    assert is_same
    assert due == [False, True, False]
    assert moved >= 64 << 20
    assert huge >= 0.9 * moved
    assert grown < 8 / 7


@pytest.mark.parametrize("said", ["always madvise [never]\n", None])
def test_where_there_are_none_nothing_is_due(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str | None
) -> None:
    monkeypatch.setattr(huge_pages, "_LEAST_GROWTH_BYTES", 0)
    if said is not None:
        (tmp_path / "enabled").write_text(said)
        (tmp_path / "hpage_pmd_size").write_text("2097152\n")
    monkeypatch.setattr(huge_pages, "_HUGE", tmp_path)
    assert not HugePages().is_due()
    assert HugePages().gather() == 0

    (tmp_path / "enabled").write_text("[always] madvise never\n")
    (tmp_path / "hpage_pmd_size").write_text("2097152\n")
    assert HugePages().is_due() is (sys.platform == "linux")


@pytest.mark.skipif(not HAS, reason="needs Linux 6.1 with huge pages")
def test_a_system_that_refuses_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huge_pages, "_LEAST_GROWTH_BYTES", 0)
    monkeypatch.setattr(huge_pages, "_COLLAPSE", 9_999)
    ballast = [bytes(100) for _ in range(500_000)]

    pages = HugePages()
    assert pages.is_due()
    assert pages.gather() == 0
    pages._looked_at_bytes = 0  # as if all had come since
    assert not pages.is_due()
    del ballast
