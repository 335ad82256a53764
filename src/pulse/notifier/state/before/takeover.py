"""Version 1 taken over: who was told of what, and what was still to be sent. No I/O.

Alerts of which the alert itself was not kept are known by their ids alone: enough to tell their
ends. What it says is as of the pipeline's default: each alert told alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from pulse.alerting.alert import EVERYBODY
from pulse.alerting.brief import Brief, brief_of
from pulse.alerting.everybody.fleet import REASON as FLEET_FALLS
from pulse.alerting.records import delivery as now
from pulse.alerting.records import envelope
from pulse.alerting.records.delivery import OPEN, Beside, Endpoint, State
from pulse.alerting.records.envelope import Epochs, version_of
from pulse.alerting.stages.grouping import Entry, GroupRecord, Notice, Telling, Told, group_id
from pulse.model import Alert, parse_ts
from pulse.notifier.state.before import records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.alerting.everybody.fleet import Episode
    from pulse.notifier.state.before.records import Delivery

_encode: Final = msgspec.json.Encoder().encode


class Taken(NamedTuple):
    """A record of today's: key, what is said, what stands beside it."""

    key: str
    said: bytes
    beside: Beside | None = None


class Before:
    """What version 1 says: fed every record of every partition, then asked once.

    `route` is the key of the route that alerts are in from now on.
    """

    def __init__(self, route: str = "all") -> None:
        self.offsets: dict[int, int] = {}
        self.with_alerts: dict[int, set[str]] = {}
        """Keys of records that hold an alert, by partition: to be forgotten when taken over."""
        self._route = route
        self._epochs: dict[int, Epochs] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._endpoints: dict[str, records.Endpoint] = {}
        self._fleet: Episode | None = None

    def read(self, partition: int, key: str, value: bytes | None) -> None:
        """Take one record. Raises `ValueError` where it cannot be read; newer ones are passed
        over.
        """
        epochs = self._epochs.setdefault(partition, Epochs())
        if value is None:
            epochs.forgets(key)
            self._deliveries.pop(key, None)
            self._endpoints.pop(key, None)
            self.with_alerts.get(partition, set()).discard(key)
        elif version_of(value) != records.VERSION:
            return
        elif key == records.POSITION_KEY:
            position = records.decode_position(value)
            if epochs.believes(key, position.epoch) and position.offset is not None:
                self.offsets[partition] = position.offset
        elif key.startswith(records.ENDPOINT_PREFIX):
            self._endpoints[key] = records.decode_endpoint(value)
        elif key == records.FLEET_KEY:
            epoch, episode = records.decode_fleet(value)
            if epochs.believes(key, epoch) and _is_later(episode, self._fleet):
                self._fleet = episode
        else:
            found = records.decode(value)
            if epochs.believes(key, found.epoch):
                self._deliveries[key] = found
                if found.alert is not None:
                    self.with_alerts.setdefault(partition, set()).add(key)

    def taken(self) -> Iterator[Taken]:
        """Today's records, in an order of which any prefix may be taken over again."""
        for endpoint in self._endpoints.values():
            said = Endpoint(
                receiver=endpoint.receiver,
                url_sha256=endpoint.url_sha256,
                at_ms=parse_ts(endpoint.at),
                http_status=endpoint.http_status,
            )
            yield Taken(envelope.ENDPOINT + endpoint.receiver, _encode(said))
        by_alert: dict[str, list[Delivery]] = {}
        for each in self._deliveries.values():
            by_alert.setdefault(each.alert_id, []).append(each)
        for deliveries in by_alert.values():
            yield from self._of_alert(deliveries)
        if self._fleet is not None:
            yield Taken(envelope.FLEET, _encode(self._fleet))

    def _of_alert(self, deliveries: list[Delivery]) -> Iterator[Taken]:
        has_ended = any(each.status == "resolved" for each in deliveries)
        newest = [each for each in deliveries if has_ended == (each.status == "resolved")]
        kept = next((each for each in newest if each.alert is not None), None)
        told: dict[str, Telling] = {}
        groups: list[Taken] = []
        for receiver in dict.fromkeys(each.receiver for each in deliveries):
            lane = {each.status: each for each in deliveries if each.receiver == receiver}
            telling = _telling(lane.get("firing"), lane.get("resolved"))
            if telling is not None:
                record, under_way = self._group(lane["resolved" if has_ended else "firing"])
                told[record.id] = telling
                groups.append(Taken(envelope.GROUP + record.id, _encode(record)))
                if under_way is not None:
                    key = envelope.NOTIFICATION + under_way.id
                    groups.append(Taken(key, _encode(under_way)))
        alert_id, first = deliveries[0].alert_id, newest[0]
        if kept is not None and kept.alert is not None and told:
            brief = brief_of(Alert.model_validate_json(kept.alert))
            yield Taken(envelope.JSON + alert_id, kept.alert)
        else:
            brief = Brief(
                id=alert_id,
                account_id=EVERYBODY,
                reason="" if first.ends else "digest",
                status=first.status,
                severity="warning",
                at_ms=first.due_ms,
            )
        yield from groups
        entry = Entry(brief=brief, arrived_ms=first.created_ms, told=told)
        beside = Beside(
            origin=first.origin, due_ms=first.due_ms, has_json=kept is not None and bool(told)
        )
        yield Taken(envelope.ALERT + alert_id, _encode(entry), beside)

    def _group(self, newest: Delivery) -> tuple[GroupRecord, now.Delivery | None]:
        """The group of an alert on its own, and its notification, where it is under way."""
        labels = (("alert", newest.alert_id),)
        name = group_id(self._route, newest.receiver, labels, newest.alert_id)
        # What was held was not attempted, and waits in its group from now on.
        is_under_way = newest.state in OPEN and newest.reason != FLEET_FALLS
        notice = Notice(
            id=newest.id,
            group=name,
            receiver=newest.receiver,
            labels=labels,
            number=1,
            made_ms=newest.created_ms,
            alerts=((newest.alert_id, newest.status),),
        )
        record = GroupRecord(
            id=name,
            route=self._route,
            receiver=newest.receiver,
            labels=labels,
            number=0 if newest.reason == FLEET_FALLS and newest.state in OPEN else 1,
            made_ms=newest.created_ms,
            under_way=notice if is_under_way else None,
        )
        if not is_under_way:
            return record, None
        under_way = msgspec.structs.replace(
            now.delivery_of(notice, newest.due_ms, newest.created_ms),
            state=newest.state,
            at_ms=newest.at_ms,
            attempts=newest.attempts,
            step=newest.step,
            first_attempt_ms=newest.first_attempt_ms,
            next_ms=newest.next_ms,
            reason=newest.reason,
            http_status=newest.http_status,
        )
        return record, under_way


def _telling(firing: Delivery | None, resolved: Delivery | None) -> Telling | None:
    """What a receiver was told of an alert, None where nothing is to be told any more."""
    if resolved is not None:
        is_open = resolved.state in OPEN
        return Telling(Told.YES, resolved.created_ms) if is_open else None
    if firing is None:
        return None
    if firing.state in OPEN:
        return Telling(Told.PERHAPS if firing.attempts else Told.NO, firing.created_ms)
    was_told = firing.attempts > 0 or firing.state is State.SUCCEEDED
    return Telling(Told.YES, firing.at_ms) if was_told and firing.ends else None


def _is_later(episode: Episode, than: Episode | None) -> bool:
    if than is None or episode.started_ms != than.started_ms:
        return than is None or episode.started_ms > than.started_ms
    return than.is_open
