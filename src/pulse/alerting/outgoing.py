"""What becomes of notifications: made, withdrawn, attempted, done.

A notification is one record of its group, written before its first attempt and once more when it is
done; what its alerts' records say of it follows from that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from pulse.alerting.stages.grouping import Telling, Told

if TYPE_CHECKING:
    from collections.abc import Collection

    from pulse.alerting.book import Book
    from pulse.alerting.brief import Brief
    from pulse.alerting.stages.budget import Budget
    from pulse.alerting.stages.grouping import Entry, Group, Notice

Ending = Literal["delivered", "failed", "retry", "dropped"]
"""How an attempt ended; `failed`: no other one follows, and whoever it was for may have heard.
`dropped`: none was made, and none will be; who was not told that an alert began is not told that it
ended.
"""


class Withdrawn(NamedTuple):
    """A notification that is not sent any more; `tried`: it may have been attempted. `is_held`:
    something holds its alerts now.
    """

    notice_id: str
    tried: bool
    is_held: bool = False


class Outgoing:
    """The notifications under way, over the groups of a book."""

    def __init__(self, book: Book, budget: Budget) -> None:
        self._book = book
        self._budget = budget
        self._sent: dict[str, Group] = {}
        self._withdrawn: list[Withdrawn] = []

    def withdrawn(self) -> list[Withdrawn]:
        """What was withdrawn since the last call, in order."""
        found, self._withdrawn = self._withdrawn, []
        return found

    def put(self, group: Group, entry: Entry) -> bool:
        """An alert's newest state comes to its group. False where nothing is to be told of it."""
        if not group.take(entry):
            return False
        if entry.brief.id in group.pending:
            ready_ms = self.ready_ms(group, entry)
            if not group.record.is_digest and group.record.made_ms is not None:
                ready_ms = max(ready_ms, group.record.made_ms + group.route.interval_ms)
            self._book.look_at(group, ready_ms)
        elif group.repeat_ms is not None:
            self._book.repeat_at(group, group.repeat_ms)
        return True

    def ready_ms(self, group: Group, entry: Entry) -> int:
        """Since when an alert of a group may be told: its wait is over, its digest's hour came."""
        if not group.record.is_digest:
            return entry.arrived_ms + group.route.wait_ms
        telling = entry.told[group.id]
        if entry.brief.is_firing and telling.how_far is not Told.NO:
            return telling.at_ms  # it was attempted: its hour came before
        return self.digest_ms(group, max(entry.arrived_ms, telling.at_ms))

    def digest_ms(self, group: Group, at_ms: int) -> int:
        """When the next digest of a group is due after an instant."""
        return self._budget.digest_at(at_ms, group.addressee.timezone)

    def make(self, group: Group, told: list[Brief], now_ms: int, *, more: bool) -> Notice:
        """Make the notification that tells these, the worst first; where there are `more`, they
        follow.
        """
        ranked = group.ranked
        self.withdraw(group, now_ms, but={each.id for each in told})
        group.ranked = ranked
        again = not any(each.id in group.pending for each in told)
        notice = group.notice(told, now_ms, again=again)
        group.overflows = more
        group.tried = False
        group.record = msgspec.structs.replace(
            group.record, number=notice.number, made_ms=now_ms, under_way=notice
        )
        self._book.note_group(group)
        self._sent[notice.id] = group
        return notice

    def withdraw(
        self, group: Group, now_ms: int, but: Collection[str] = (), *, is_held: bool = False
    ) -> None:
        """What is under way is not sent any more; what was attempted of it is perhaps told. `but`:
        the alerts that the next one tells.
        """
        notice = group.record.under_way
        if notice is None:
            return
        group.ranked = None
        self._sent.pop(notice.id, None)
        self._withdrawn.append(Withdrawn(notice.id, group.tried, is_held))
        for alert_id, status in notice.alerts:
            entry = self._book.entries.get(alert_id)
            telling = None if entry is None else entry.told.get(group.id)
            if entry is None or telling is None or status != "firing":
                continue
            if group.tried and telling.how_far is Told.NO:
                self._book.note(entry.with_telling(group.id, Telling(Told.PERHAPS, now_ms)))
        # An id that was never used is used for what comes in its place.
        number = notice.number if group.tried else notice.number - 1
        group.record = msgspec.structs.replace(group.record, number=number, under_way=None)
        self._book.note_group(group)
        if not group.tried:
            self._book.give_back(name for name, _ in notice.alerts if name not in but)
        self._book.look_at(group, now_ms)
        if group.route.repeat_ms is not None:
            group.repeat_ms = now_ms  # it may be that something was told again

    def withdraw_untried(self, now_ms: int) -> None:
        """What was not attempted is looked at again."""
        for group in self._book.groups.values():
            if group.record.under_way and not (group.tried or group.in_flight):
                self.withdraw(group, now_ms, is_held=True)

    def group_of(self, notice_id: str) -> Group | None:
        """The group of a notification under way; None where it is under way no longer."""
        return self._sent.get(notice_id)

    def begins(self, notice_id: str) -> bool:
        """An attempt is about to begin. False where it must not: one is under way, or something
        newer is to be told.
        """
        group = self._sent.get(notice_id)
        if group is None or group.in_flight:
            return False
        group.in_flight = group.tried = True
        return True

    def ended(self, notice_id: str, how: Ending, now_ms: int) -> None:
        """An attempt has ended, or no other one will follow.

        What was withdrawn meanwhile is passed over.
        """
        group = self._sent.get(notice_id)
        if group is None:
            return
        notice = group.record.under_way
        group.in_flight = False
        if notice is None:
            return
        if how == "dropped":
            self._drop(group, notice)
        elif how != "retry":
            self._done(group, notice)
        elif self._is_stale(notice):
            self.withdraw(group, now_ms)
        if group.is_late or (group.overflows and how != "retry"):
            group.is_late = False
            self._book.look_at(group, now_ms)
        self._book.close_if_empty(group)

    def _done(self, group: Group, notice: Notice) -> None:
        del self._sent[notice.id]
        group.record = msgspec.structs.replace(group.record, under_way=None, last=notice)
        self._book.note_group(group)
        for alert_id, status in notice.alerts:
            entry = self._book.entries.get(alert_id)
            if entry is None or group.id not in entry.told:
                continue
            entry = entry.with_telling(group.id, Telling(Told.YES, notice.made_ms))
            has_ended = status == "resolved" or entry.brief.is_endless
            if has_ended or not self.put(group, entry):
                group.leave(alert_id)
                entry = entry.with_telling(group.id, None)
            self._book.note(entry)

    def _drop(self, group: Group, notice: Notice) -> None:
        del self._sent[notice.id]
        for alert_id, status in notice.alerts:
            entry = self._book.entries.get(alert_id)
            telling = None if entry is None else entry.told.get(group.id)
            if entry is None or telling is None:
                continue
            if status == "resolved" or telling.how_far is Told.NO or entry.brief.is_endless:
                group.leave(alert_id)
                self._book.note(entry.with_telling(group.id, None))
            else:
                entry = entry.with_telling(group.id, Telling(Told.YES, notice.made_ms))
                self.put(group, entry)
                self._book.note(entry)
        group.record = msgspec.structs.replace(group.record, under_way=None)
        self._book.note_group(group)
        self._book.give_back(name for name, status in notice.alerts if status == "firing")

    def is_overtaken(self, notice_id: str) -> bool:
        """Whether an alert of a notification under way has another state by now."""
        group = self._sent.get(notice_id)
        notice = None if group is None else group.record.under_way
        return notice is not None and self._is_stale(notice)

    def _is_stale(self, notice: Notice) -> bool:
        """Whether one of its alerts has another state by now, or is not known."""
        found = ((self._book.entries.get(name), status) for name, status in notice.alerts)
        return any(entry is None or entry.brief.status != status for entry, status in found)

    def restore(self, now_ms: int) -> list[Notice]:
        """Go on with a book that was read back. Returns the notifications that are under way."""
        book = self._book
        inhabited = {name for entry in book.entries.values() for name in entry.told}
        for group in book.groups.values():
            notice = group.record.under_way
            # Nobody is in a group that was written late by one that was thought dead.
            is_late = group.id not in inhabited
            if notice is not None and (is_late or self._is_stale(notice)):
                self.withdraw(group, now_ms)
            elif notice is not None:
                self._sent[notice.id] = group
        for entry in list(book.entries.values()):
            for name in tuple(entry.told):
                group = book.groups[name]
                if not self.put(group, entry):
                    entry = book.note(entry.with_telling(name, None))
        for group in list(book.groups.values()):
            book.close_if_empty(group)
        return [each.record.under_way for each in self._sent.values() if each.record.under_way]
