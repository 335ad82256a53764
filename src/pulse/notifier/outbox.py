"""All that who leads knows: the pipeline, and what became of each notification. No I/O.

Alerts go in, records and notifications come out. What is decided is first written (`turn` gives the
records), and acted upon when that is acknowledged. The order of the records is such that a crash
between any two of them loses nothing: what the pipeline writes stands in its own order, an
attempt's outcome before what follows from it, how far the alerts were read at the end.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from pulse.alerting.brief import brief_of
from pulse.alerting.pipeline import Pipeline
from pulse.alerting.records import envelope
from pulse.alerting.records.delivery import Delivery, Position, State, delivery_of
from pulse.notifier.replays import Replays, is_overtaken
from pulse.notifier.sending import decide, retry
from pulse.notifier.state.besides import Besides
from pulse.notifier.state.letters import Wanted
from pulse.notifier.turns import Started, Turn

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from pulse.alerting.book import Rules
    from pulse.alerting.everybody.fleet import Episode
    from pulse.alerting.people.silences import Muted
    from pulse.alerting.records.delivery import Endpoint
    from pulse.alerting.stages.grouping import Notice
    from pulse.notifier.reading.arrival import Arrival
    from pulse.notifier.receiver import Attempt, Outcome, ReceiverSettings
    from pulse.notifier.report import Reporter
    from pulse.notifier.sending.room import Room
    from pulse.notifier.state.journal import Journal
    from pulse.notifier.state.letters import Letters
    from pulse.notifier.state.log import Record

AT_ONCE: Final = 1_000
"""Groups that a turn looks at, alerts of which no more than the way is written: the event loop
stands still for a turn."""
_FORGET_AT_ONCE: Final = 5_000


class Outbox:
    """One lead's knowledge, from taking it over to giving it up.

    `disabled`: receivers whose endpoints get nothing any more. `fleet`: the last time that the
    fleet fell together, as it is recorded. `revoked`: nothing may be sent or written any more.
    `emptied` is called with a receiver whenever nothing is to be sent to it any more; `withheld`,
    where an attempt does not begin because something holds what it would tell: a turn is due.
    """

    def __init__(
        self,
        rules: Rules,
        receivers: Mapping[str, ReceiverSettings],
        journal: Journal,
        letters: Letters,
        report: Reporter,
        room: Room,
        late_after_ms: int = 3_600_000,
    ) -> None:
        self.room = room
        self.offsets = dict(journal.offsets)
        self.disabled: set[str] = set()
        self.fleet = journal.fleet
        self.in_flight: set[str] = set()
        self.revoked = False
        self.emptied: Callable[[str], None] = lambda receiver: None
        self.withheld: Callable[[], None] = lambda: None
        self._receivers = receivers
        self._journal = journal
        self._report = report
        self._late_after_ms = late_after_ms
        self._pipeline = Pipeline(rules)
        self._replays = Replays(receivers, late_after_ms)
        self._besides = Besides(journal, letters, self._pipeline.entry, late_after_ms)
        self._open: dict[str, Delivery] = {}
        self._orphans: set[str] = set()
        """Those of them whose receiver the configuration has no longer."""
        self._done_ms: dict[str, int] = {}
        self._first: list[Record] = []
        """What goes before what the pipeline writes."""
        self._last: list[Record] = []
        self._written = dict(journal.offsets)

    def __len__(self) -> int:
        """How many notifications are still to be sent to receivers that there are, with those that
        are not made yet for want of room.
        """
        return sum(self.waiting(name) for name in self._receivers)

    def waiting(self, receiver: str) -> int:
        """How many of them one receiver has."""
        return self.room.open[receiver] + self._pipeline.kept_back(receiver)

    def untried(self, receiver: str) -> int:
        """How many of them were not attempted yet."""
        return self.room.untried[receiver] + self._pipeline.kept_back(receiver)

    def waits(self, receiver: str) -> bool:
        """Whether anything is still to be sent to it."""
        return self.room.open[receiver] > 0

    def __iter__(self) -> Iterator[Delivery]:
        """What is still to be sent."""
        return iter(tuple(self._open.values()))

    # -- after a crash -------------------------------------------------------------------------

    def restore(self, now_ms: int) -> None:
        """Go on with what the journal says; called once, before anything else."""
        known = self._journal.deliveries
        under_way = self._pipeline.restore(self._journal.pipeline, now_ms)
        for notice in under_way:
            before = known.get(notice.id)
            if before is None or not before.is_of(notice):
                self._first.append(self._note(self._first_of(notice, now_ms)))
            elif before.is_open:
                self._put(before)
            else:
                # Its outcome was recorded, and not what follows from it.
                self._pipeline.ended(notice.id, decide.ending_of(before), now_ms)
        ids = {notice.id for notice in under_way}
        for delivery in known.values():
            if delivery.is_open and delivery.replay_of:
                self._put(delivery)
                self._overtake(delivery.id, now_ms)
            elif delivery.is_open and delivery.id not in ids:
                self._first.append(self._note(self._left_open(delivery, now_ms)))
            elif not delivery.is_open:
                self._done_ms.setdefault(delivery.id, delivery.at_ms)
        self._journal.deliveries = {}
        self._journal.pipeline = []

    def _left_open(self, delivery: Delivery, now_ms: int) -> Delivery:
        """What became of a notification that is under way no longer."""
        last = self._pipeline.last_of(delivery.group)
        if last is not None and last.id == delivery.id:
            return delivery.becomes(State.SUCCEEDED, now_ms, reason="")
        return delivery.becomes(State.SUPERSEDED, now_ms, reason="resolved_before_delivered")

    # -- what happens --------------------------------------------------------------------------

    def take(self, arrival: Arrival, now_ms: int) -> None:
        """Take an alert's state as it arrives."""
        self._take(arrival, now_ms, None)

    def tell_others(self, arrival: Arrival, now_ms: int) -> None:
        """Take an alert that concerns those that are disabled: somebody else hears of it, also
        where the routes lead it to nobody else.
        """
        self._take(arrival, now_ms, self.disabled)

    def _take(self, arrival: Arrival, now_ms: int, but: Collection[str] | None) -> None:
        alert = arrival.alert
        before = self._pipeline.entry(alert.id)
        self._pipeline.take(brief_of(alert), now_ms, but)
        after = self._pipeline.entry(alert.id)
        if after is None or (before is not None and before.brief.status == after.brief.status):
            return
        self._besides.take(arrival)
        for name in self._replays.telling(alert.id):
            self._overtake(name, now_ms)

    def ended_of(self, alert_ids: Iterable[str]) -> list[str]:
        """Those of them that are known to have ended."""
        entries = ((name, self._pipeline.entry(name)) for name in alert_ids)
        return [name for name, entry in entries if entry is not None and not entry.brief.is_firing]

    def knows(self, alert_id: str) -> bool:
        """Whether it was taken, and is not forgotten."""
        return self._pipeline.entry(alert_id) is not None

    def mute(self, muted: Muted, now_ms: int) -> None:
        """What people have muted, all of it, and what they want to be sent again."""
        self._pipeline.mute(muted.silences.values(), muted.snoozes, now_ms)
        known = (self._open, self._done_ms)
        self._replays.ask(muted.replays, lambda name: any(name in each for each in known))

    def hold_fleet(self, until_ms: int, now_ms: int) -> None:
        """The fleet falls together."""
        self._pipeline.hold_fleet(until_ms, now_ms)

    def let_go_of_fleet(
        self, is_over: Callable[[str], bool], over_until_ms: int, now_ms: int
    ) -> None:
        """The fleet falls no longer, see `Pipeline`."""
        self._pipeline.let_go_of_fleet(is_over, over_until_ms, now_ms)

    def note_fleet(self, episode: Episode) -> None:
        """How the fleet fell, to be recorded after what follows from it."""
        self.fleet = episode
        self._last.append(self._journal.note(envelope.FLEET, episode))

    def disable(self, receiver: str, now_ms: int) -> None:
        """Send nothing more there; what was to be sent is recorded as disabled."""
        self.disabled.add(receiver)
        for delivery in self:
            if delivery.receiver == receiver and delivery.id not in self.in_flight:
                self._settle(
                    delivery.becomes(State.DISABLED, now_ms, reason="endpoint_disabled"), now_ms
                )

    # -- attempts ------------------------------------------------------------------------------

    def begin(self, delivery_id: str, due_ms: int, now_ms: int) -> Started | None:
        """An attempt that was due then begins. None where something newer is known of it, where it
        is under way, or where it is not to be told any more, or not now.
        """
        found = self._open.get(delivery_id)
        if self.revoked or found is None or found.next_ms != due_ms or found.id in self.in_flight:
            return None
        if not found.replay_of and not self._pipeline.begins(found.id, now_ms):
            self.withheld()
            return None
        self.in_flight.add(found.id)
        if not found.is_late and self._is_late(found, now_ms):
            found = msgspec.structs.replace(found, is_late=True)
        wanted: list[Wanted] = []
        owners: dict[str, str] = {}
        origins = found.origins or (self._besides.origin(alert_id) for alert_id, _ in found.alerts)
        for (alert_id, status), origin in zip(found.alerts, origins, strict=True):
            entry = self._pipeline.entry(alert_id)
            wanted.append(Wanted(alert_id, status, origin))
            if entry is not None and entry.brief.owner:
                owners[alert_id] = entry.brief.owner
        return Started(found, wanted, owners)

    def end(self, delivery: Delivery, attempt: Attempt, outcome: Outcome, now_ms: int) -> Delivery:
        """An attempt has ended; returns what became of the notification."""
        self.in_flight.discard(delivery.id)
        meanwhile = decide.Circumstances(
            superseded=is_overtaken(delivery, self._pipeline.entry)
            if delivery.replay_of
            else self._pipeline.is_overtaken(delivery.id),
            disabled=delivery.receiver in self.disabled,
        )
        receiver = self._receivers[delivery.receiver]
        after = decide.after_attempt(delivery, attempt, outcome, meanwhile, receiver, now_ms)
        self._end(after, now_ms)
        return after

    def _end(self, after: Delivery, now_ms: int) -> None:
        self._first.append(self._note(after))
        if not after.replay_of:
            self._pipeline.ended(after.id, decide.ending_of(after), now_ms)

    def _overtake(self, replay_id: str, now_ms: int) -> None:
        """Give a replay up one of whose alerts has another state by now."""
        found = self._open.get(replay_id)
        if found is None or replay_id in self.in_flight:
            return
        if is_overtaken(found, self._pipeline.entry):
            why = self._why_withdrawn(found, tried=found.attempts > 0)
            self._settle(found.becomes(State.SUPERSEDED, now_ms, reason=why), now_ms)

    def _is_late(self, delivery: Delivery, now_ms: int) -> bool:
        """Whether it was due long ago, or all that it tells came long after it was due; how long
        something held it does not count.
        """
        if delivery.again or delivery.is_digest:
            return False
        if delivery.due_ms < now_ms - self._late_after_ms:
            return True
        return all(self._besides.came_late(name) for name, _ in delivery.alerts)

    # -- what follows --------------------------------------------------------------------------

    def next_ms(self) -> int | None:
        """When to take the next turn; None where nothing waits for time."""
        return self._pipeline.next_ms(self.room.of)

    def turn(self, now_ms: int, most: int = AT_ONCE) -> Turn:
        """What is to be told by now, and all that must be written before. Of more than `most`
        groups that are due the first ones: more follows in the next turn, which is due then.
        """
        made: dict[str, Notice] = {}
        for notice in self._pipeline.flush(now_ms, most, self.room.of):
            if notice.receiver in self.disabled:
                self._pipeline.ended(notice.id, "dropped", now_ms)
                self._besides.keep(name for name, _ in notice.alerts)
                found = self._first_of(notice, now_ms)
                gone = found.becomes(State.DISABLED, now_ms, reason="endpoint_disabled")
                self._report.settled(gone)
                # Before its alerts, which say that nothing of it is to be made any more.
                self._first.append(self._note(gone))
            else:
                made[notice.id] = notice
        return self._written_of(made, now_ms)

    def _written_of(self, made: dict[str, Notice], now_ms: int) -> Turn:
        decisions = self._pipeline.decisions()
        for decision in decisions:
            self._report.decided(decision)
        records, self._first = self._first, []
        records += self._besides.written(decisions, self._pipeline.changes(), now_ms)
        for withdrawn in self._pipeline.withdrawn():
            before = self._open.get(withdrawn.notice_id)
            if before is not None and withdrawn.notice_id not in made:
                why = self._why_withdrawn(before, tried=withdrawn.tried, is_held=withdrawn.is_held)
                after = before.becomes(State.SUPERSEDED, now_ms, reason=why)
                self._report.settled(after)
                records.append(self._note(after))
        found = [self._first_of(notice, now_ms) for notice in made.values()]
        for each in self._replays.take_up(self.disabled, now_ms):
            found.append(each)
            if not each.is_open:
                self._report.settled(each)
        records += [self._note(each) for each in found]
        records += self._last
        self._last = []
        if self.offsets != self._written:
            records.append(self.position())
        return Turn(records, found, self._replays.recorded())

    def position(self) -> Record:
        """How far the alerts are recorded, and by whom."""
        self._written = dict(self.offsets)
        return self._journal.note(envelope.POSITION, Position(offsets=self._written))

    def note_endpoint(self, endpoint: Endpoint) -> None:
        """That an endpoint is disabled, to be recorded before what follows from it."""
        self._first.append(self._journal.note(envelope.ENDPOINT + endpoint.receiver, endpoint))

    def note_failing(self, receiver: str, endpoint: Endpoint | None) -> None:
        """Since when an endpoint fails, or that it does no longer, to be recorded."""
        key = envelope.FAILING + receiver
        if endpoint is None:
            self._last.append(self._journal.write(key, None))
        else:
            self._last.append(self._journal.note(key, endpoint))

    def _why_withdrawn(self, delivery: Delivery, *, tried: bool, is_held: bool = False) -> str:
        for alert_id, status in delivery.alerts:
            entry = self._pipeline.entry(alert_id)
            if entry is None or entry.brief.status != status:
                return "resolved_before_delivered" if tried else "resolved_before_sent"
        return "overtaken" if tried and not is_held else "held"

    def forget(self, before_ms: int, now_ms: int) -> bool:
        """What was done before an instant is forgotten with the next turn; what waits since then
        for a receiver that was removed is given up. Returns whether to go on: some at once.
        """
        for found in [self._open[name] for name in self._orphans]:
            if found.created_ms < before_ms:
                gone = found.becomes(State.DISABLED, now_ms, reason="receiver_removed")
                self._settle(gone, now_ms)
        more = self._pipeline.forget(before_ms, _FORGET_AT_ONCE)
        asked = self._replays.asked
        old = (k for k, at_ms in self._done_ms.items() if at_ms < before_ms and k not in asked)
        names = list(islice(old, _FORGET_AT_ONCE))
        for name in names:
            del self._done_ms[name]
            self._last.append(self._journal.write(envelope.NOTIFICATION + name, None))
        return more or len(names) == _FORGET_AT_ONCE

    def tombstones(self) -> list[Record]:
        """For what is gone since an hour. Called once an hour."""
        return self._journal.tombstones()

    # -- small parts ---------------------------------------------------------------------------

    def _first_of(self, notice: Notice, now_ms: int) -> Delivery:
        origins = tuple(self._besides.origin(alert_id) for alert_id, _ in notice.alerts)
        kept_ms = self._pipeline.kept_ms(notice.group)
        since_ms = notice.made_ms if kept_ms is None else kept_ms
        due_ms = self._besides.due_ms(notice, since_ms)
        found = delivery_of(notice, due_ms, now_ms, origins)
        to = self._receivers.get(notice.receiver)
        first_ms = now_ms if to is None else retry.first_attempt_ms(to, notice.id, now_ms)
        return found.becomes(State.PENDING, now_ms, next_ms=first_ms)

    def _settle(self, after: Delivery, now_ms: int) -> None:
        """Note a notification that is given up, and count it."""
        self._report.settled(after)
        self._end(after, now_ms)

    def _note(self, delivery: Delivery) -> Record:
        self._put(delivery)
        return self._journal.note(envelope.NOTIFICATION + delivery.id, delivery)

    def _put(self, delivery: Delivery) -> None:
        was_open = delivery.id in self._open
        self.room.change(self._open.get(delivery.id), delivery)
        if delivery.is_open:
            self._open[delivery.id] = delivery
            self._done_ms.pop(delivery.id, None)
            if delivery.receiver not in self._receivers:
                self._orphans.add(delivery.id)
        else:
            self._open.pop(delivery.id, None)
            self._orphans.discard(delivery.id)
            self._done_ms[delivery.id] = delivery.at_ms
            if was_open and not self.waits(delivery.receiver):
                self.emptied(delivery.receiver)
        if delivery.replay_of:
            self._replays.note(delivery)
