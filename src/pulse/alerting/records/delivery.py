"""What is recorded of a notification, of an alert's way to it, and of an endpoint."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pulse.alerting.stages.grouping import Labels
from pulse.model.alert import Status

if TYPE_CHECKING:
    from pulse.alerting.brief import Decision
    from pulse.alerting.stages.grouping import Notice

MOST_STEPS: Final = 12
"""So many decisions of an alert are kept."""


class State(StrEnum):
    """What has become of a notification."""

    PENDING = "pending"
    """Recorded, not attempted yet."""
    RETRYING = "retrying"
    """Attempted without success; the next attempt has a time."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The schedule is used up."""
    SUPERSEDED = "superseded"
    """Something newer is to be told instead, or nothing."""
    SKIPPED = "skipped"
    """Never to be sent (version 1)."""
    DISABLED = "disabled"
    """The endpoint gets nothing any more."""


OPEN: Final = frozenset({State.PENDING, State.RETRYING})
"""The states of what is still to be sent."""


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One notification's record.

    `alerts`: ids with the state that is told, the worst first. `labels`: what they have in common.
    `at_ms`: when this state was reached. `created_ms`: when it was first recorded. `due_ms`: the
    instant its latency counts from. `next_ms`: when the next attempt is due, None where there is
    none. `step`: waits of the schedule used up. `reason`: why it is in this state, or why the last
    attempt failed. `again`: nothing in it is new. `is_late`: it was no news any more when it was
    made. `origins`: for each of the alerts `topic/partition/offset` of that state.

    What is sent again because a person asked for it has a record of its own: `replay_of` is the
    notification that it repeats, and `webhook_id` that one's id, unless a new one was asked for.
    """

    id: str
    group: str
    receiver: str
    alerts: tuple[tuple[str, Status], ...]
    labels: Labels
    state: State
    at_ms: int
    created_ms: int
    due_ms: int
    also_firing: int = 0
    attempts: int = 0
    step: int = 0
    first_attempt_ms: int | None = None
    next_ms: int | None = None
    reason: str = ""
    http_status: int | None = None
    again: bool = False
    is_digest: bool = False
    is_late: bool = False
    origins: tuple[str, ...] = ()
    replay_of: str = ""
    webhook_id: str = ""

    @property
    def sent_as(self) -> str:
        """The id that the receiver sees."""
        return self.webhook_id or self.id

    @property
    def is_open(self) -> bool:
        """Whether it is still to be sent."""
        return self.state in OPEN

    def is_of(self, notice: Notice) -> bool:
        """Whether it is what became of that notification.

        It is not where it gave way to another one before its first attempt: that has its id, and
        other alerts.
        """
        gave_way = self.state in (State.SUPERSEDED, State.SKIPPED)
        return not gave_way and self.alerts == notice.alerts

    def becomes(self, state: State, at_ms: int, **changes: Any) -> Delivery:
        """This delivery in another state; without a next attempt where none is given."""
        following = {"next_ms": None, **changes}
        return msgspec.structs.replace(self, state=state, at_ms=at_ms, **following)


def delivery_of(
    notice: Notice, due_ms: int, now_ms: int, origins: tuple[str, ...] = ()
) -> Delivery:
    """The record of a notification that was just made."""
    return Delivery(
        id=notice.id,
        group=notice.group,
        receiver=notice.receiver,
        alerts=notice.alerts,
        labels=notice.labels,
        state=State.PENDING,
        at_ms=now_ms,
        created_ms=now_ms,
        due_ms=due_ms,
        also_firing=notice.also_firing,
        again=notice.again,
        is_digest=notice.is_digest,
        origins=origins,
    )


class Step(msgspec.Struct, frozen=True, array_like=True):
    """One decision on an alert's way, for one receiver (empty: for all).

    `until_ms`: when it was to be looked at again, where that was known.
    """

    at_ms: int
    receiver: str
    stage: str
    reason: str
    until_ms: int | None = None


class Beside(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands beside an alert's entry.

    `origin`: `topic/partition/offset` of its newest state. `due_ms`: the instant its latency counts
    from. `path`: the last decisions on it, in their order. `has_json`: `json/<id>` is there.
    """

    origin: str
    due_ms: int
    path: tuple[Step, ...] = ()
    has_json: bool = False

    def after(self, decision: Decision, now_ms: int) -> Beside:
        """With one decision more; the same again is only later."""
        step = Step(now_ms, *decision[1:])
        if _is_same(self.path, step):
            return self
        return msgspec.structs.replace(self, path=(*self.path[1 - MOST_STEPS :], step))


def _is_same(path: tuple[Step, ...], step: Step) -> bool:
    """Whether the last word for that receiver was the same."""
    for each in reversed(path):
        if each.receiver == step.receiver:
            return (each.stage, each.reason, each.until_ms) == (
                step.stage, step.reason, step.until_ms
            )  # fmt: skip
    return False


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An endpoint that gets nothing any more, and since when. `why`: `gone` (it answered 410), or
    `failing`. `last`: the reason of the last attempt's failure. `idle_ms`: for how long nothing was
    to be sent there since then, `idle_since_ms`: since when that is so.
    """

    receiver: str
    url_sha256: str
    at_ms: int
    http_status: int | None = None
    why: str = "gone"
    last: str = ""
    idle_ms: int = 0
    idle_since_ms: int | None = None


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """By partition of the alerts topic the next offset that is not recorded."""

    offsets: dict[int, int]


def url_hash(url: str) -> str:
    """What stands for a URL in the topic: the URL itself may be a secret.

    An endpoint is disabled for as long as its URL stays the same.
    """
    return hashlib.sha256(url.encode()).hexdigest()[:16]
