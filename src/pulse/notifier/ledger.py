"""What is known of one partition's notifications: the deliveries topic, in memory. No I/O.

What is still to be sent is held whole. Of what is done only two bits a lane are kept: that there
was a firing, and whether the receiver was told. A lane whose resolving is done is forgotten a while
later (`expired`); one that still fires is kept, however long, so that its resolving is sent.
"""

from collections import Counter
from collections.abc import Iterator
from enum import IntFlag
from itertools import islice
from typing import TYPE_CHECKING

from pulse.model import Status, notification_id
from pulse.notifier import delivery as records
from pulse.notifier.decide import Firing, Lane
from pulse.notifier.delivery import Delivery, Endpoint, State

if TYPE_CHECKING:
    from pulse.alerting.fleet import Episode


class _Known(IntFlag):
    FIRING = 1
    TOLD = 2
    RESOLVED = 4


class Ledger:
    """The notifications of one partition, from its assignment to its revocation.

    While it is recovered, `read` takes every record of the topic in order, then `recovered` is
    called once. From then on `put` takes what was decided, in the order it is recorded.

    `position`: the offset of the alerts topic up to which all is recorded, None where unknown.
    `epoch`: this holder's; before `recovered`, the largest one read. `endpoints`: the disabled
    endpoints that were read. `fleet`: the last time that the fleet fell together. `revoked`:
    nothing may be sent or written any more.
    """

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.position: int | None = None
        self.epoch = 0
        self._at_once: int | None = None
        self.endpoints: dict[str, Endpoint] = {}
        self.fleet: Episode | None = None
        self.in_flight: set[str] = set()
        self.revoked = False
        self._open: dict[str, Delivery] = {}
        self._lanes: dict[str, _Known] = {}
        self._closed_s: dict[str, int] = {}
        self._presumed: set[str] = set()
        self._late: dict[str, Delivery] = {}

    def __len__(self) -> int:
        """How many notifications are still to be sent."""
        return len(self._open)

    # --- recovery -----------------------------------------------------------------------------

    def read(self, key: str, value: bytes | None) -> None:
        """Take one record of the topic. Raises `ValueError` where it cannot be read."""
        if key == records.POSITION_KEY:
            if value is not None:
                found = records.decode_position(value)
                if found.epoch >= self.epoch:
                    self.epoch, self.position = found.epoch, found.offset
                    self._at_once = found.at_once
        elif key.startswith(records.ENDPOINT_PREFIX):
            if value is None:
                self.endpoints.pop(key, None)
            else:
                self.endpoints[key] = records.decode_endpoint(value)
        elif key == records.FLEET_KEY:
            if value is not None:
                epoch, episode = records.decode_fleet(value)
                if epoch >= self.epoch:
                    self.epoch, self.fleet = epoch, episode
        elif value is None:
            self._open.pop(key, None)
            self._forget(_lane_of(key))
        else:
            delivery = records.decode(value)
            if delivery.epoch >= self.epoch:
                self.epoch = delivery.epoch
                self.put(delivery)
            else:
                self._late[delivery.id] = delivery

    def recovered(self, now_ms: int) -> list[Delivery]:
        """All was read; a new epoch begins.

        Returns the deliveries to be recorded again: an older holder wrote over them, and
        compaction would keep its word instead of theirs. Where it has done so already, the older
        holder's word is all there is, and taken.
        """
        self.epoch += 1
        again = [found for key in self._late if (found := self._open.get(key))]
        for late in self._late.values():
            if not self._knows(late):
                self.put(late)
        self._late.clear()
        self._presumed = self._perhaps_under_way(now_ms)
        self._closed_s = dict(sorted(self._closed_s.items(), key=lambda item: item[1]))
        return again

    def _perhaps_under_way(self, now_ms: int) -> set[str]:
        """The first attempts that the holder before may have begun without recording their end.

        Attempts begin in the order in which they fall due, so these are the first ones for each
        receiver, as many as the holder could have under way.
        """
        found: set[str] = set()
        under_way: Counter[str] = Counter()
        first = [each for each in self._open.values() if each.state is State.PENDING]
        for each in sorted(first, key=lambda each: each.next_ms or 0):
            at_once = self._at_once
            if (each.next_ms or 0) <= now_ms and (
                at_once is None or under_way[each.receiver] < at_once
            ):
                under_way[each.receiver] += 1
                found.add(each.id)
        return found

    # --- questions ----------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Delivery]:
        """What is still to be sent."""
        return iter(tuple(self._open.values()))

    def lane(self, alert_id: str, receiver: str) -> Lane:
        """What is known of an alert for a receiver."""
        known = self._lanes.get(f"{alert_id}_{receiver}", _Known(0))
        firing_id = notification_id(alert_id, receiver, "firing")
        waiting = self._open.get(firing_id)
        if firing_id in self.in_flight:
            firing = Firing.IN_FLIGHT
        elif waiting is not None:
            tried = waiting.attempts > 0 or firing_id in self._presumed
            firing = Firing.TRIED if tried else Firing.UNTRIED
        elif _Known.FIRING in known:
            firing = Firing.TOLD if _Known.TOLD in known else Firing.NOT_TOLD
        else:
            firing = Firing.UNKNOWN
        return Lane(firing=firing, resolved_known=_Known.RESOLVED in known)

    def waiting(self, delivery_id: str) -> Delivery | None:
        """The delivery, where it is still to be sent."""
        return self._open.get(delivery_id)

    def other(self, found: Delivery) -> Delivery | None:
        """The other state of the delivery's lane, where that is still to be sent."""
        status: Status = "resolved" if found.status == "firing" else "firing"
        return self._open.get(notification_id(found.alert_id, found.receiver, status))

    def ready(self, delivery_id: str, due_ms: int) -> Delivery | None:
        """The delivery, where an attempt that was due then may begin now.

        None where something newer is known of it, where it is under way, and where a firing has to
        be done first.
        """
        found = self._open.get(delivery_id)
        if self.revoked or found is None or found.next_ms != due_ms or found.id in self.in_flight:
            return None
        if found.status == "resolved" and self.other(found) is not None:
            return None
        return found

    def _knows(self, found: Delivery) -> bool:
        known = self._lanes.get(_lane_of(found.id), _Known(0))
        return (_Known.FIRING if found.status == "firing" else _Known.RESOLVED) in known

    # --- changes ------------------------------------------------------------------------------

    def put(self, found: Delivery) -> None:
        """Note a delivery's newest state."""
        lane = _lane_of(found.id)
        known = self._lanes.get(lane, _Known(0))
        if found.status == "resolved":
            known |= _Known.RESOLVED
        else:
            known |= _Known.FIRING
            if found.attempts > 0 or found.state is State.SUCCEEDED:
                known |= _Known.TOLD
        self._lanes[lane] = known
        if found.is_open:
            self._open[found.id] = found
        else:
            self._open.pop(found.id, None)
            self._presumed.discard(found.id)
        done = (_Known.RESOLVED in known or not found.ends) and not (
            f"{lane}_firing" in self._open or f"{lane}_resolved" in self._open
        )
        # The newest last: `expired` looks at the front.
        self._closed_s.pop(lane, None)
        if done:
            self._closed_s[lane] = found.at_ms // 1000

    def expired(self, before_ms: int, limit: int) -> list[str]:
        """Ids that may be forgotten: of lanes done before that instant, about `limit` at most."""
        lanes: list[str] = []
        for lane, closed_s in islice(self._closed_s.items(), max(1, limit // 2)):
            if closed_s * 1000 >= before_ms:
                break
            lanes.append(lane)
        return [f"{lane}_{status}" for lane in lanes for status in ("firing", "resolved")]

    def forget(self, delivery_ids: list[str]) -> None:
        """Drop what is known of them; their tombstones are written."""
        for delivery_id in delivery_ids:
            self._forget(_lane_of(delivery_id))

    def _forget(self, lane: str) -> None:
        self._lanes.pop(lane, None)
        self._closed_s.pop(lane, None)


def _lane_of(delivery_id: str) -> str:
    return delivery_id.rsplit("_", 1)[0]
