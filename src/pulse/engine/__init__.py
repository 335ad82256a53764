"""The engine, pure: (state, batch of log records) → (state, effects).

The only place that joins engagement, signals and alerting. It reads no clock, file or network:
time is in the log. `pulse replay` and the worker run exactly this.
"""

from pulse.engine.columns import Columns, LogRecord
from pulse.engine.engine import Engine
from pulse.engine.policy import Policy, SegmentPolicy
from pulse.engine.state import DeadLetter, Effects, Misplaced, Move, Page, PartitionState

__all__ = [
    "Columns",
    "DeadLetter",
    "Effects",
    "Engine",
    "LogRecord",
    "Misplaced",
    "Move",
    "Page",
    "PartitionState",
    "Policy",
    "SegmentPolicy",
]
