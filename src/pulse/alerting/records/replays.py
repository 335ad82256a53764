"""What people want to be sent again: which notifications those are, and the record of one.

A replay is beside the pipeline, which knows nothing of it: no group, no budget and no repeat is
moved by it. So the end of an alert is told to who was told by the pipeline that it began.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from pulse.alerting.records.delivery import Delivery, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pulse.alerting.records.reader import Deliveries

REPLAYABLE: Final = frozenset({State.FAILED, State.DISABLED})
"""What nobody was told of, unless somebody says otherwise."""


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """One notification is to be sent again. `of` is its record as it was when that was asked.

    `new_id`: under an id of its own, so that a receiver which knows the old one takes it as new.
    """

    id: str
    of: Delivery
    author: str
    asked_ms: int
    new_id: bool = False


def new_replay_id() -> str:
    """An id that nobody has."""
    return f"rp_{secrets.token_hex(8)}"


def delivery_of_replay(replay: Replay, now_ms: int, late_after_ms: int) -> Delivery:
    """The record of what is sent again. Whoever reads it is told that it is late, if it is.

    >>> of = Delivery(id="al_1_cs_firing", group="gr_1", receiver="cs", labels=(),
    ...     alerts=(("al_1", "firing"),), state=State.FAILED, at_ms=9, created_ms=5, due_ms=5)
    >>> replay = Replay(id="rp_1", of=of, author="kim", asked_ms=90)
    >>> again = delivery_of_replay(replay, now_ms=100, late_after_ms=60)
    >>> again.id, again.sent_as, str(again.state), again.is_late
    ('rp_1', 'al_1_cs_firing', 'pending', True)
    """
    of = replay.of
    first = of.replay_of or of.id
    return Delivery(
        id=replay.id,
        group=of.group,
        receiver=of.receiver,
        alerts=of.alerts,
        labels=of.labels,
        state=State.PENDING,
        at_ms=now_ms,
        created_ms=now_ms,
        due_ms=now_ms,
        also_firing=of.also_firing,
        next_ms=now_ms,
        again=of.again,
        is_digest=of.is_digest,
        is_late=of.is_late or (not of.is_digest and now_ms - of.due_ms > late_after_ms),
        origins=of.origins,
        replay_of=first,
        webhook_id="" if replay.new_id else first,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which notifications: from an instant up to another one, by receiver, state, account."""

    from_ms: int
    to_ms: int
    receiver: str | None = None
    states: frozenset[State] = REPLAYABLE
    account: str | None = None

    def matches(self, delivery: Delivery, known: Deliveries) -> bool:
        """Whether it is one of them, by when it was made."""
        return (
            self.from_ms <= delivery.created_ms < self.to_ms
            and self.receiver in (None, delivery.receiver)
            and delivery.state in self.states
            and (self.account is None or self.account in accounts_of(delivery, known))
        )


class Choice(NamedTuple):
    """What is to be sent again, oldest first, and what is not: `repeated` was sent again before, or
    is about to be; `outdated`: the receiver knows that all of it has ended, and would not be told
    that once more.
    """

    chosen: list[Delivery]
    repeated: list[Delivery]
    outdated: list[Delivery]


def accounts_of(delivery: Delivery, known: Deliveries) -> list[str]:
    """The accounts that a notification tells of, the worst first, as far as they are known."""
    entries = [known.alerts[name].entry for name, _ in delivery.alerts if name in known.alerts]
    return list(dict.fromkeys(entry.brief.account_id for entry in entries))


def choose(known: Deliveries, wanted: Wanted) -> Choice:
    """Choose by a range: what is open, or repeats another one, is none of it."""
    notifications = known.notifications
    replays = repeats(notifications.values())
    choice = Choice([], [], [])
    found: dict[str, Delivery] = {}
    for each in sorted(notifications.values(), key=lambda each: (each.created_ms, each.id)):
        if each.replay_of or each.is_open or not wanted.matches(each, known):
            continue
        if any(again.is_open or again.state is State.SUCCEEDED for again in replays[each.id]):
            choice.repeated.append(each)
        else:
            found[each.id] = each
    ended = {
        (each.receiver, alert_id)
        for each in notifications.values()
        if each.state is State.SUCCEEDED and each.id not in found
        for alert_id, status in each.alerts
        if status == "resolved"
    }
    for each in found.values():
        is_over = all(
            status == "firing" and (each.receiver, alert_id) in ended
            for alert_id, status in each.alerts
        )
        (choice.outdated if is_over else choice.chosen).append(each)
    return choice


def repeats(notifications: Iterable[Delivery]) -> Mapping[str, list[Delivery]]:
    """By notification the replays of it, oldest first."""
    found: dict[str, list[Delivery]] = defaultdict(list)
    for each in sorted(notifications, key=lambda each: each.created_ms):
        if each.replay_of:
            found[each.replay_of].append(each)
    return found
