"""What became of each alert, for each receiver: told, or accounted for.

`alone` and `grouped` hold what three witnesses say against each other: the alerts on the topic, the
deliveries topic, and the receiver's own requests. Both return what is wrong, in words.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pulse.model import notification_id
from pulse.testing.deliveries import outcomes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pulse.alerting.records.reader import Deliveries
    from pulse.model.alert import Status
    from pulse.testing.webhooks import ReceivedRequest

State = tuple[str, "Status"]
"""An alert's id and what is said of it."""


@dataclass(frozen=True, slots=True)
class Told:
    """One request that was accepted."""

    id: str
    at_s: float
    states: tuple[State, ...]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Witnesses:
    """One receiver's requests, what is recorded, and when answers may have been lost.

    `lost`: spans of time, Unix; one for each kill, and for each outage of whom an answer is for.
    `at_once`: the most requests that are under way.
    """

    receiver: str
    states: Sequence[State]
    requests: Sequence[ReceivedRequest]
    known: Deliveries
    lost: Sequence[tuple[float, float]]
    at_once: int

    @property
    def is_disabled(self) -> bool:
        """Whether the endpoint gets nothing any more."""
        return self.receiver in self.known.endpoints

    def told(self) -> list[Told]:
        """What was accepted, in the order of its coming."""
        accepted = sorted((r for r in self.requests if r.accepted), key=lambda r: r.at_s)
        return [Told(r.id, r.at_s, said_in(r), r.raw) for r in accepted]

    def may_repeat(self, first_s: float, again_s: float) -> bool:
        """Whether the answer to the first of two may have been lost before the second."""
        return any(first_s <= end_s and again_s >= begin_s for begin_s, end_s in self.lost)


def said_in(request: ReceivedRequest) -> tuple[State, ...]:
    """The states of alerts that a request tells."""
    data = request.body["data"]
    return tuple((each["id"], each["status"]) for each in data.get("alerts", [data]))


def alone(seen: Witnesses) -> list[str]:
    """What is wrong where each alert is told alone: nothing may come under a second id."""
    told = seen.told()
    return [
        *_unaccounted(seen, {each.id for each in told}),
        *_repeats(seen, told),
        *_disorder(told),
    ]


def _unaccounted(seen: Witnesses, accepted: Collection[str]) -> Iterator[str]:
    became = outcomes(seen.known, seen.receiver)
    states = set(seen.states)
    wanted = {notification_id(name, seen.receiver, status) for name, status in states}
    yield from (f"{key} was never due" for key in (accepted | became.keys()) - wanted)
    for name, status in seen.states:
        key = notification_id(name, seen.receiver, status)
        began = notification_id(name, seen.receiver, "firing")
        match became.get(key):
            case "succeeded":
                fine = key in accepted
            case "superseded":
                fine = status == "firing" and (name, "resolved") in states
            case "skipped":
                # Who was told that it began has to be told that it ended.
                fine = status == "resolved" and (seen.is_disabled or began not in accepted)
            case "disabled":
                fine = seen.is_disabled
            case None:
                # Its beginning was given up, and nobody waits for its end.
                fine = status == "resolved" and became.get(began) == "disabled"
            case _:
                fine = False
        if not fine:
            yield f"{key} is {became.get(key)}, accepted: {key in accepted}"


def _repeats(seen: Witnesses, told: Sequence[Told]) -> Iterator[str]:
    """An id may come again where an answer was lost, with the same body."""
    by_id: dict[str, list[Told]] = defaultdict(list)
    for each in told:
        by_id[each.id].append(each)
    ids: dict[State, set[str]] = defaultdict(set)
    for key, all_of_it in by_id.items():
        for state in all_of_it[0].states:
            ids[state].add(key)
        if len({each.raw for each in all_of_it}) > 1:
            yield f"{key} came with different bodies"
        for first, again in pairwise(all_of_it):
            if not seen.may_repeat(first.at_s, again.at_s):
                yield f"{key} came again, and no answer was lost"
    yield from (f"{state} came as {sorted(keys)}" for state, keys in ids.items() if len(keys) > 1)
    repeats = len(told) - len(by_id)
    if repeats > (most := seen.at_once * len(seen.lost)):
        yield f"{repeats} repeats, where at most {most} answers can have been lost"


def _disorder(told: Sequence[Told]) -> Iterator[str]:
    """Once it was told that an alert ended, it is not told any more that it began."""
    ended: set[str] = set()
    for each in told:
        for name, status in each.states:
            if status == "resolved":
                ended.add(name)
            elif name in ended:
                yield f"{name} began after its end, by {each.id}"


def grouped(seen: Witnesses) -> list[str]:
    """What is wrong where alerts are told in groups: twice under two ids only where an answer was
    lost, so that all but one of them are not recorded as delivered.
    """
    told = seen.told()
    return [
        *_notifications(seen, told),
        *_heard(seen, told),
        *_told_twice(seen, told),
        *_disorder(told),
    ]


def _notifications(seen: Witnesses, told: Sequence[Told]) -> Iterator[str]:
    """Each that is recorded as delivered was accepted, with its alerts; none is left open."""
    records = {k: n for k, n in seen.known.notifications.items() if n.receiver == seen.receiver}
    accepted: dict[str, set[State]] = {}
    for each in told:
        if accepted.setdefault(each.id, set(each.states)) != set(each.states):
            yield f"{each.id} came with other alerts"
    yield from (f"{key} is recorded nowhere" for key in accepted.keys() - records.keys())
    for key, record in records.items():
        if record.state == "succeeded" and accepted.get(key) != set(record.alerts):
            yield f"{key} is recorded as delivered, and was not, or not with its alerts"
        elif record.state not in ("succeeded", "superseded", "disabled"):
            yield f"{key} is {record.state}"
        elif record.state == "disabled" and not seen.is_disabled:
            yield f"{key} is disabled, and the receiver is not"


def _heard(seen: Witnesses, told: Sequence[Told]) -> Iterator[str]:
    """The last thing that was heard of an alert is its last state, or there is a reason."""
    heard: dict[str, list[Status]] = defaultdict(list)
    for each in told:
        for name, status in each.states:
            heard[name].append(status)
    last = dict(seen.states)
    attempted = {
        name
        for record in seen.known.notifications.values()
        if record.receiver == seen.receiver and record.state != "disabled"
        for name, status in record.alerts
        if status == "firing"
    }
    dropped = {
        state
        for record in seen.known.notifications.values()
        if record.receiver == seen.receiver and record.state == "disabled"
        for state in record.alerts
    }
    for name, status in last.items():
        known = seen.known.alerts.get(name)
        if known is None:
            yield f"{name} is recorded nowhere"
            continue
        fine = heard[name][-1:] == [status]
        if status == "resolved":
            # Its beginning was told to nobody: neither is its end. What was attempted is perhaps
            # told, so that the end is.
            fine = ("firing" in heard[name] or name in attempted) if fine else not heard[name]
        if not fine and not waits_for_digest(seen, name):
            fine = seen.is_disabled and ((name, status) in dropped or status == "resolved")
        if not fine and not waits_for_digest(seen, name):
            yield f"{name} is {status}, and {seen.receiver} heard {heard[name]}"


def waits_for_digest(seen: Witnesses, alert_id: str) -> bool:
    """Whether an alert is over its owner's budget, and in this receiver's digest."""
    groups = seen.known.groups
    told = seen.known.alerts[alert_id].entry.told
    return any(groups[g].is_digest and groups[g].receiver == seen.receiver for g in told)


def _told_twice(seen: Witnesses, told: Sequence[Told]) -> Iterator[str]:
    ids: dict[State, set[str]] = defaultdict(set)
    for each in told:
        for state in each.states:
            ids[state].add(each.id)
    records = seen.known.notifications
    for state, keys in ids.items():
        recorded = [key for key in keys if key in records and records[key].state == "succeeded"]
        if len(recorded) > 1:
            yield f"{state} was told twice, and no answer was lost: {sorted(recorded)}"
    repeats = sum(count - 1 for count in Counter(each.id for each in told).values())
    again = sum(
        key in records and records[key].state != "succeeded" for key in {each.id for each in told}
    )
    if repeats + again > (most := seen.at_once * len(seen.lost)):
        yield f"{repeats} repeats and {again} told again, where {most} answers can have been lost"
