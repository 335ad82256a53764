"""Alerts that are told together, what of them is to be told, and when.

A group has at most one notification under way. What comes meanwhile waits in the group, so that of
each alert the last state is told: a firing and its resolving inside the wait tell nothing.
"""

from __future__ import annotations

import base64
import hashlib
from enum import IntEnum
from typing import TYPE_CHECKING, Final

import msgspec

from pulse.alerting.brief import Brief
from pulse.model.alert import Status
from pulse.model.notification import notification_id

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Mapping

    from pulse.alerting.stages.routing import Addressee, Route

MOST: Final = 25
"""Alerts in one notification: what keeps its body below 20 KB. More are told by the next one."""

Labels = tuple[tuple[str, str], ...]


class Told(IntEnum):
    """What a group's receiver has heard of an alert that fires."""

    NO = 0
    PERHAPS = 1
    """It was attempted; what came of that is not known."""
    YES = 2


class Telling(msgspec.Struct, frozen=True, array_like=True):
    """How far an alert is told in a group, since when: that it was told, or that it waits."""

    how_far: Told
    at_ms: int


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An alert's newest state, when that came, and what was told of it, by the groups it is in."""

    brief: Brief
    arrived_ms: int
    told: dict[str, Telling] = {}

    def with_telling(self, group_id: str, telling: Telling | None) -> Entry:
        """The entry with another telling in a group, or without that group."""
        told = {name: each for name, each in self.told.items() if name != group_id}
        if telling is not None:
            told[group_id] = telling
        return msgspec.structs.replace(self, told=told)


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A notification: what a group tells a receiver at once. `id` is the same over all attempts.

    `alerts` are ids with the state that is told, the worst first; `also_firing` counts those of the
    group that fire and are not named. `again`: nothing in it is new.
    """

    id: str
    group: str
    receiver: str
    labels: Labels
    number: int
    made_ms: int
    alerts: tuple[tuple[str, Status], ...]
    also_firing: int = 0
    again: bool = False
    is_digest: bool = False


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What must be known of a group after a restart.

    `number` counts its notifications; `made_ms` is when the last one was made. `last` is the one
    that was done last: its alerts are told, also where their own records do not say so yet.
    """

    id: str
    route: str
    receiver: str
    labels: Labels
    is_digest: bool = False
    number: int = 0
    made_ms: int | None = None
    under_way: Notice | None = None
    last: Notice | None = None


class Group:
    """A group at work: its record, and who is in it.

    `pending` are the alerts whose newest state is not told, in the order of their arrival.
    `due_ms`: when it is to be looked at, `repeat_ms`: when something in it is to be told again;
    None where nothing is; `repeat_is_held`: something should have been told again and is muted, so
    it is looked for whenever the group is looked at. `tried`: the notification under way may have
    been attempted. `is_late`: it was due while an attempt was under way. `overflows`: the last
    notification did not hold all. `kept_ms`: since when it was due, where it was kept back for want
    of room until its last look; None where it was not. `ranked`: what of it follows, the worst
    first, until something else waits; None where all that waits must be looked at.
    """

    __slots__ = (
        "addressee", "due_ms", "firing", "in_flight", "is_held", "is_late", "kept_ms",
        "overflows", "pending", "ranked", "record", "repeat_is_held", "repeat_ms", "route", "tried",
    )  # fmt: skip

    def __init__(self, record: GroupRecord, route: Route, addressee: Addressee) -> None:
        self.record = record
        self.route = route
        self.addressee = addressee
        self.pending: dict[str, None] = {}
        self.firing: set[str] = set()
        self.due_ms: int | None = None
        self.repeat_ms: int | None = None
        self.repeat_is_held = False
        self.tried = False
        self.in_flight = False
        self.is_held = False
        self.is_late = False
        self.overflows = False
        self.kept_ms: int | None = None
        self.ranked: deque[str] | None = None

    @property
    def id(self) -> str:
        """Its id."""
        return self.record.id

    @property
    def known_by(self) -> tuple[str, str, Labels, bool]:
        """What an alert finds it by: route, receiver, labels, whether it is a digest."""
        record = self.record
        return record.route, record.receiver, record.labels, record.is_digest

    @property
    def is_empty(self) -> bool:
        """Whether nobody is in it and nothing under way."""
        return not (self.pending or self.firing or self.record.under_way)

    def take(self, entry: Entry) -> bool:
        """Note an alert's newest state. False where there is nothing to say of it: it has ended,
        and that it began was not told; or its end is not wanted.
        """
        alert_id, telling = entry.brief.id, entry.told[self.id]
        self.pending.pop(alert_id, None)
        self.firing.discard(alert_id)
        if entry.brief.is_firing:
            self.firing.add(alert_id)
            if telling.how_far is not Told.YES:
                self.pending[alert_id] = self.ranked = None
            elif self.route.repeat_ms is not None and not self.record.is_digest:
                again_ms = telling.at_ms + self.route.repeat_ms
                self.repeat_ms = min(self.repeat_ms or again_ms, again_ms)
            return True
        is_told = telling.how_far is not Told.NO or (self.in_flight and self._tells(alert_id))
        if is_told and self.addressee.send_resolved:
            self.pending[alert_id] = self.ranked = None
            return True
        return False

    def leave(self, alert_id: str) -> None:
        """Somebody is in it no longer."""
        self.pending.pop(alert_id, None)
        self.firing.discard(alert_id)

    def rests_until(self, now_ms: int) -> int | None:
        """When it may tell something again; None where it may now.

        What was not delivered, or did not hold all, is followed at once.
        """
        made_ms, last = self.record.made_ms, self.record.last
        if self.record.is_digest or self.overflows or last is None or last.made_ms != made_ms:
            return None
        until_ms = last.made_ms + self.route.interval_ms
        return until_ms if now_ms < until_ms else None

    def again(self, entries: Mapping[str, Entry], now_ms: int) -> tuple[list[str], int | None]:
        """The alerts that were told and are to be told again by now, and when the next ones are."""
        is_due = self.repeat_ms is not None and self.repeat_ms <= now_ms
        if self.route.repeat_ms is None or not (is_due or self.repeat_is_held):
            return [], self.repeat_ms
        found: list[str] = []
        later: list[int] = []
        for alert_id in sorted(self.firing - self.pending.keys()):
            again_ms = entries[alert_id].told[self.id].at_ms + self.route.repeat_ms
            if again_ms <= now_ms:
                found.append(alert_id)
            else:
                later.append(again_ms)
        return found, min(later, default=None)

    def tells(self, alert_id: str, status: Status) -> bool:
        """Whether the notification under way tells that state of an alert."""
        under_way = self.record.under_way
        return under_way is not None and (alert_id, status) in under_way.alerts

    def _tells(self, alert_id: str) -> bool:
        return self.tells(alert_id, "firing")

    def notice(self, told: list[Brief], now_ms: int, *, again: bool) -> Notice:
        """The notification that tells these states, the worst first; at most `MOST` of them."""
        record, number = self.record, self.record.number + 1
        alerts = tuple((each.id, each.status) for each in told[:MOST])
        named = {alert_id for alert_id, _ in alerts}
        return Notice(
            id=notice_id(record, number, alerts),
            group=record.id,
            receiver=record.receiver,
            labels=record.labels,
            number=number,
            made_ms=now_ms,
            alerts=alerts,
            also_firing=len(self.firing) - len(self.firing & named),
            again=again,
            is_digest=record.is_digest,
        )


def group_id(route: str, receiver: str, labels: Labels, first: str) -> str:
    """A group's id: a function of what it is known by and of the alert that began it.

    Who is known by the same and begins later has another id, so that its notifications have.
    """
    key = "\0".join((route, receiver, *(part for pair in labels for part in pair), first))
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return "gr_" + base64.b32encode(digest).decode().lower().rstrip("=")


def notice_id(record: GroupRecord, number: int, alerts: tuple[tuple[str, Status], ...]) -> str:
    """The `webhook-id` of a group's notification, without a `.`.

    A group of one alert has the ids of that alert's states, and a number where one is told again.
    """
    if record.is_digest or [name for name, _ in record.labels] != ["alert"]:
        return f"{record.id}_{record.receiver}_{number}"
    alert_id, status = alerts[0]
    plain = notification_id(alert_id, record.receiver, status)
    return plain if status == "resolved" or number == 1 else f"{plain}_{number}"
