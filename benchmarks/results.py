"""What `build/bench.json` holds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from benchmarks.collector import CollectorSpeed
from benchmarks.notifier import NotifierSpeed
from benchmarks.scale import Scale
from benchmarks.speed import Speed
from benchmarks.web import WebSpeed

if TYPE_CHECKING:
    from pathlib import Path


class Machine(msgspec.Struct):
    """What it ran on."""

    cpu: str
    cores: int
    memory_gb: int
    python: str
    system: str


class Results(msgspec.Struct):
    """One run of the bench."""

    machine: Machine
    began: datetime
    is_quick: bool
    load_before: float
    """The system's load in the minute before."""
    ended: datetime | None = None
    speed: Speed | None = None
    scale: Scale | None = None
    collector: CollectorSpeed | None = None
    notifier: NotifierSpeed | None = None
    web: WebSpeed | None = None


def read(path: Path) -> Results:
    """The results that a run has written."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
