"""Memory goes into huge pages where the system has them, and nothing changes where it has not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pulse.stream import huge_pages
from pulse.stream.huge_pages import HugePages

ASKED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
GATHER = """
import ctypes, hashlib, json, threading
from pulse.stream.huge_pages import HugePages, _resident_bytes
from pathlib import Path

def huge():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("AnonHuge"))

pages = HugePages()
due = [pages.is_due()]
objects = [str(n).encode() for n in range(3_000_000)]
due.append(pages.is_due())
before = hashlib.sha256(b" ".join(objects)).hexdigest()
resident, had = _resident_bytes(), huge()
moved = pages.gather()
grown = _resident_bytes() / resident
due.append(pages.is_due())
after = hashlib.sha256(b" ".join(objects)).hexdigest()
print(json.dumps([due, before == after, moved, huge() - had, grown]))
"""


@pytest.mark.skipif(not ASKED.exists(), reason="needs a Linux with huge pages")
def test_what_a_process_has_in_memory_moves_into_huge_pages() -> None:
    said = subprocess.check_output([sys.executable, "-c", GATHER])
    due, is_same, moved, grown, resident = json.loads(said)

    assert is_same
    assert due == [False, True, False]
    if "[never]" in ASKED.read_text():
        assert moved == 0
    else:
        assert moved >= 64 << 20
        assert grown >= 0.9 * moved
        assert resident < 1.125


def test_without_linux_nothing_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huge_pages, "_STATM", Path("/proc/self/no-such-file"))

    assert not HugePages().is_due()


def test_a_system_that_refuses_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huge_pages, "_LEAST_GROWTH_BYTES", 0)
    monkeypatch.setattr(huge_pages, "_COLLAPSE", 9_999)
    ballast = [bytes(100) for _ in range(200_000)]

    pages = HugePages()
    assert pages.is_due()
    assert pages.gather() == 0
    assert not pages.is_due()
    del ballast
