"""What a turn of who leads gives: what to write, what to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pulse.alerting.records.delivery import Delivery
    from pulse.notifier.state.letters import Wanted
    from pulse.notifier.state.log import Record


class Turn(NamedTuple):
    """What is to be written, and the notifications to be scheduled when that is acknowledged.

    `replays`: the ids of those that need not be asked for any more from then on.
    """

    records: list[Record]
    made: list[Delivery]
    replays: list[str]


class Started(NamedTuple):
    """An attempt that begins: its alerts and where they are, their owners by alert id."""

    delivery: Delivery
    wanted: list[Wanted]
    owners: dict[str, str]
