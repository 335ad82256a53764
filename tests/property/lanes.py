"""The naive way of an alert: each state alone, for each receiver alone, and nothing is held.

The states of one alert for one receiver are its lane: a firing, then perhaps its resolving.
"""

from dataclasses import dataclass
from enum import Enum
from fnmatch import fnmatchcase

from pulse.alerting.everybody.digest import REASON as DIGEST
from pulse.alerting.everybody.fleet import FALLS
from pulse.alerting.everybody.fleet import REASON as FLEET_FALLS
from pulse.alerting.records.delivery import State
from pulse.model import Alert
from pulse.notifier.receiver import ReceiverSettings


class Firing(Enum):
    """How far the firing of a lane is."""

    UNKNOWN = "unknown"
    """None was recorded for this receiver."""
    UNTRIED = "untried"
    """To be sent; certainly not attempted."""
    TRIED = "tried"
    """To be sent again; an attempt may have got through."""
    IN_FLIGHT = "in flight"
    TOLD = "told"
    """Done; the receiver knows of it, or may (succeeded, or attempted in vain)."""
    NOT_TOLD = "not told"
    """Done, without an attempt."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What is known of an alert for a receiver when a state of it arrives."""

    firing: Firing
    resolved_known: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What to record of the state that arrived; `state` None: nothing, and nothing is sent.

    `supersedes`: the lane's waiting firing becomes superseded, for the reason given there.
    """

    state: State | None
    reason: str
    supersedes: str | None = None


def on_arrival(alert: Alert, lane: Lane, receiver: ReceiverSettings, *, disabled: bool) -> Decision:
    """The decision on an alert's state that was read from the alerts topic."""
    if alert.status == "firing":
        return _on_firing(alert, lane, receiver, disabled=disabled)
    return _on_resolved(alert, lane, receiver, disabled=disabled)


def _on_firing(alert: Alert, lane: Lane, receiver: ReceiverSettings, *, disabled: bool) -> Decision:
    if lane.firing is not Firing.UNKNOWN:
        return Decision(None, "repeat")
    if lane.resolved_known:
        return Decision(State.SUPERSEDED, "already_resolved")
    if not wants(receiver, alert.reason, *_stands_for(alert)):
        return Decision(None, "reason_not_wanted")
    if alert.historical:
        return Decision(State.SKIPPED, "historical")
    if alert.caused_by is not None:
        return Decision(State.SKIPPED, alert.caused_by)
    if disabled:
        return Decision(State.DISABLED, "endpoint_disabled")
    return Decision(State.PENDING, "routed")


def _on_resolved(
    alert: Alert, lane: Lane, receiver: ReceiverSettings, *, disabled: bool
) -> Decision:
    if lane.resolved_known:
        return Decision(None, "repeat")
    if lane.firing is Firing.UNKNOWN:
        # Who was not told that it began need not be told that it ended.
        if not wants(receiver, alert.reason, *_stands_for(alert)):
            return Decision(None, "reason_not_wanted")
        return Decision(State.SKIPPED, "firing_unknown")
    if lane.firing is Firing.NOT_TOLD:
        return Decision(State.SKIPPED, "firing_not_sent")
    if lane.firing is Firing.UNTRIED:
        return Decision(State.SKIPPED, "firing_not_sent", "resolved_before_sent")
    supersedes = "resolved_before_delivered" if lane.firing is Firing.TRIED else None
    if alert.historical:
        return Decision(State.SKIPPED, "historical", supersedes)
    if not receiver.send_resolved:
        return Decision(State.SKIPPED, "resolved_not_wanted", supersedes)
    if disabled:
        return Decision(State.DISABLED, "endpoint_disabled", supersedes)
    return Decision(State.PENDING, "routed", supersedes)


def wants(receiver: ReceiverSettings, *reasons: str) -> bool:
    """Whether one of the receiver's patterns matches one of the reasons."""
    return any(fnmatchcase(each, pattern) for each in reasons for pattern in receiver.reasons)


def _stands_for(alert: Alert) -> frozenset[str]:
    """The reasons whose alerts are not sent because this one is: who gets those gets it, too."""
    if alert.reason == FLEET_FALLS:
        return FALLS
    if alert.reason != DIGEST:
        return frozenset()
    counted = alert.evidence.get("by_reason")
    return FALLS.union(counted if isinstance(counted, dict) else ())
