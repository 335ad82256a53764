"""What was: each account's days, for a year and more.

The worker writes a record for every day start that it evaluates (`days`), to a topic of its own;
who shows a history reads it into a file (`store`). The topic is the way there; the
file is what is kept. A worker needs neither.
"""

from pulse.history.days import Days, read_day
from pulse.history.rows import DayRow, FleetDay, HeldLine, LifecycleMove, ZoneMove
from pulse.history.store import History, HistoryError, OtherFormError
from pulse.history.trial import Lines, Trial

__all__ = [
    "DayRow",
    "Days",
    "FleetDay",
    "HeldLine",
    "History",
    "HistoryError",
    "LifecycleMove",
    "Lines",
    "OtherFormError",
    "Trial",
    "ZoneMove",
    "read_day",
]
