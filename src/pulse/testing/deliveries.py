"""A deliveries topic in memory, without a broker, and what such a topic says."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence

from pulse.alerting.records.reader import Deliveries
from pulse.model import notification_id
from pulse.notifier.state.log import PartitionClosed, Record

_READ_AT_ONCE = 500


class MemoryDeliveryLog:
    """The `DeliveryLog` of tests. It outlives the notifiers that write to it.

    `records[partition]` is everything that was written, in order. `compact` does what Kafka does
    now and then. `let` is the number of records that will still be written: 0 looks to the notifier
    like a Kafka that is away; None is without end.
    """

    def __init__(self, partitions: int = 4) -> None:
        self.partitions = partitions
        self.records: dict[int, list[Record]] = defaultdict(list)
        self.let: int | None = None
        self._open: set[int] = set()

    def open(self, partition: int) -> None:
        self._open.add(partition)

    async def read(self, partition: int) -> AsyncGenerator[list[Record], None]:
        found = list(self.records[partition])
        for first in range(0, len(found), _READ_AT_ONCE):
            yield found[first : first + _READ_AT_ONCE]

    async def append(self, partition: int, records: Sequence[Record]) -> None:
        if partition not in self._open:
            raise PartitionClosed(str(partition))
        for record in records:
            if self.let is not None:
                if self.let <= 0:
                    raise PartitionClosed(str(partition))
                self.let -= 1
            self.records[partition].append(record)

    async def close(self, partition: int, within_s: float) -> None:
        self._open.discard(partition)

    async def broadcast(self, record: Record) -> None:
        for partition in range(self.partitions):
            self.records[partition].append(record)

    def compact(self) -> None:
        """Keep only the newest record of each key; tombstones go."""
        for partition, records in self.records.items():
            newest = {key: place for place, (key, _) in enumerate(records)}
            self.records[partition] = [
                (key, value)
                for place, (key, value) in enumerate(records)
                if newest[key] == place and value is not None
            ]

    def latest(self) -> dict[str, bytes]:
        """The newest value of every key, over all partitions."""
        latest: dict[str, bytes | None] = {}
        for records in self.records.values():
            latest.update(records)
        return {key: value for key, value in latest.items() if value is not None}


def read_deliveries(records: Iterable[Record]) -> Deliveries:
    """What the records of the topic's first partition say, alerts included."""
    known = Deliveries(keep_json=True)
    for key, value in records:
        known.read(key, value)
    return known


def outcomes(known: Deliveries, receiver: str) -> dict[str, str]:
    """What became of the states of alerts that are told alone, by notification id.

    `superseded` and `skipped`, where an alert ended before anything of it was sent: its beginning
    and its end. `skipped` alone: the end of an alert that nobody was told of.
    """
    found: dict[str, str] = {}
    for alert_id, alert in known.alerts.items():
        reasons = {each.reason for each in alert.beside.path if each.receiver in ("", receiver)}
        if "resolved_before_sent" in reasons:
            found[notification_id(alert_id, receiver, "firing")] = "superseded"
        if reasons & {"resolved_before_sent", "firing_not_sent", "firing_unknown"}:
            found[notification_id(alert_id, receiver, "resolved")] = "skipped"
    notifications = known.notifications.values()
    return found | {each.id: str(each.state) for each in notifications if each.receiver == receiver}


def assert_accounted(
    states: Mapping[str, str], wanted: Collection[str], received: Collection[str]
) -> None:
    """Every notification that is due was delivered or had ended before, and no other one was.

    `states` are the `outcomes`, `wanted` the ids of what is due, `received` those of what the
    receiver accepted.
    """
    assert set(states) == set(wanted)
    delivered = {key for key, state in states.items() if state == "succeeded"}
    assert delivered <= set(received) <= set(wanted)
    for key in set(wanted) - delivered:
        first, last = key.replace("_resolved", "_firing"), key.replace("_firing", "_resolved")
        assert last in wanted
        assert states[first] == "superseded"
        if key in received:
            # It got through, and nobody heard that it did: the answer took too long, or who leads
            # lost the lead. Whoever was told of a beginning is told of the end.
            assert key == first
            assert states[last] == "succeeded"
        else:
            # It had ended before its turn came: both of its states, or the first alone.
            assert key == first or states[key] == "skipped"
    # How many have ended meanwhile depends on how long the machine took.
    assert delivered
