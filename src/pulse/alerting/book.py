"""All that the pipeline knows, and what of it must be written for it to be known after a crash.

One order of records is one order of events: `changes` gives them as they happened, and what any
prefix of them makes of a new book (`restore`) is a state that was, or one in which less is known to
be told than was.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict, defaultdict
from dataclasses import dataclass, field
from itertools import count, islice
from typing import TYPE_CHECKING, Final

import msgspec

from pulse.alerting.brief import Decision
from pulse.alerting.stages.budget import WEEK_MS, Budget
from pulse.alerting.stages.grouping import (
    Entry,
    Group,
    GroupRecord,
    Labels,
    Notice,
    Telling,
    Told,
    group_id,
)
from pulse.alerting.stages.holdout import Holdout
from pulse.alerting.stages.owners import Owners
from pulse.alerting.stages.routing import Addressee, Route
from pulse.alerting.stages.routing import route as led_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pulse.alerting.brief import Brief
    from pulse.alerting.stages.muting import Inhibition

    Room = Callable[[str], int]
    """How many more notifications may be made for a receiver; 0 or less: none."""

Record = tuple[str, bytes | None]
"""Key and value; None is a tombstone."""

_TURN_KEY: Final = "owners"
_encode: Final = msgspec.json.Encoder().encode
_entries: Final = msgspec.json.Decoder(Entry)
_groups: Final = msgspec.json.Decoder(GroupRecord)
_spendings: Final = msgspec.json.Decoder(dict[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the configuration says of the pipeline."""

    root: Route = field(default_factory=Route)
    addressees: Mapping[str, Addressee] = field(default_factory=dict)
    inhibitions: tuple[Inhibition, ...] = ()
    budget: Budget = field(default_factory=Budget)
    owners: Owners = field(default_factory=Owners)
    holdout: Holdout = field(default_factory=Holdout)


class Book:
    """Alerts by id, groups, what owners were told of, whose turn it is."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._routes = {each.key: each for each in rules.root.all()}
        self.entries: dict[str, Entry] = {}
        self.groups: dict[str, Group] = {}
        self.spent: dict[str, dict[str, int]] = {}
        self.turn = 0
        self.loads: Counter[str] = Counter()
        """Accounts with an alert that fires, by owner."""
        self._known_by: dict[tuple[str, str, Labels, bool], Group] = {}
        self._accounts: dict[str, tuple[str, set[str]]] = {}
        self._due: list[tuple[int, int, str]] = []
        self._kept: defaultdict[str, OrderedDict[str, int]] = defaultdict(OrderedDict)
        """By receiver the groups that are kept back, since when they are due, in that order:
        the first ones leave it again and again, which takes longer and longer in a plain dict."""
        self._order = count()
        self._changes: list[Record] = []

    def changes(self) -> list[Record]:
        """What was changed since the last call, to be written in this order."""
        found, self._changes = self._changes, []
        return found

    # -- alerts and owners ---------------------------------------------------------------------

    def note(self, entry: Entry) -> Entry:
        """An alert's newest state, or what is told of it."""
        brief = entry.brief
        self.entries[brief.id] = entry
        self._changes.append((f"alert/{brief.id}", _encode(entry)))
        self._count(entry)
        return entry

    def owner_kept(self, account_id: str) -> str:
        """Who looks after the account already; empty where nobody does."""
        return self._accounts.get(account_id, ("", set()))[0]

    def took_turn(self) -> None:
        """An owner was chosen by rule."""
        self.turn += 1
        self._changes.append((_TURN_KEY, _encode(self.turn)))

    def is_new(self, brief: Brief, group: Group) -> bool:
        """Whether telling it costs its owner's budget: it fires, was not told, is not under way."""
        how_far = self.entries[brief.id].told[group.id].how_far
        return brief.is_firing and how_far is Told.NO and not group.tells(brief.id, "firing")

    def spend(self, owner: str, alert_ids: Iterable[str], now_ms: int) -> None:
        """An owner is told of these alerts."""
        before = self.spent.get(owner, {})
        kept = {name: at for name, at in before.items() if at > now_ms - WEEK_MS}
        new = {each: now_ms for each in alert_ids if each not in kept}
        if new:
            self.spent[owner] = {**kept, **new}
            self._changes.append((f"budget/{owner}", _encode(self.spent[owner])))

    def give_back(self, alert_ids: Iterable[str]) -> None:
        """Their owners are not told of these after all: what no group told, or is telling, costs
        nothing. Called when that is on record.
        """
        for alert_id in alert_ids:
            entry = self.entries.get(alert_id)
            # What has no end leaves a group that told it.
            if entry is None or entry.brief.is_endless or self._is_told(entry):
                continue
            owner = entry.brief.owner
            spent = self.spent.get(owner, {})
            if alert_id in spent:
                self.spent[owner] = {name: at for name, at in spent.items() if name != alert_id}
                self._changes.append((f"budget/{owner}", _encode(self.spent[owner])))

    def _is_told(self, entry: Entry) -> bool:
        return any(
            telling.how_far is not Told.NO or self.groups[name].tells(entry.brief.id, "firing")
            for name, telling in entry.told.items()
        )

    def forget(self, before_ms: int, most: int | None = None) -> bool:
        """Drop alerts that ended before an instant, or have no end, and are in no group. Of more
        than `most` the first ones; returns whether there were so many.
        """
        old = (name for name, entry in self.entries.items() if _is_over(entry, before_ms))
        found = list(islice(old, most))
        for alert_id in found:
            del self.entries[alert_id]
            self._changes.append((f"alert/{alert_id}", None))
        return len(found) == most

    def _count(self, entry: Entry) -> None:
        brief = entry.brief
        if brief.is_of_nobody or (brief.quiet and brief.is_firing):
            return
        owner, firing = self._accounts.pop(brief.account_id, ("", set()))
        if firing:
            self.loads[owner] -= 1
        if brief.is_firing:
            owner = brief.owner
            firing.add(brief.id)
        else:
            firing.discard(brief.id)
        if firing:
            self._accounts[brief.account_id] = owner, firing
            self.loads[owner] += 1

    # -- groups --------------------------------------------------------------------------------

    def group(
        self, route: Route, addressee: Addressee, labels: Labels, first: str, *, is_digest: bool
    ) -> Group:
        """The group that is known by these, a new one where there is none."""
        known_by = route.key, addressee.name, labels, is_digest
        group = self._known_by.get(known_by)
        if group is None:
            name = f"{route.key}\0digest" if is_digest else route.key
            record = GroupRecord(
                id=group_id(name, addressee.name, labels, first),
                route=route.key,
                receiver=addressee.name,
                labels=labels,
                is_digest=is_digest,
            )
            group = self._open(record, route, addressee)
            self.note_group(group)
        return group

    def note_group(self, group: Group) -> None:
        """A group's record has changed."""
        self._changes.append((f"group/{group.id}", _encode(group.record)))

    def close_if_empty(self, group: Group) -> None:
        """A group without alerts is forgotten."""
        if group.is_empty and self.groups.pop(group.id, None) is not None:
            if self._known_by.get(group.known_by) is group:
                del self._known_by[group.known_by]
            self._kept[group.record.receiver].pop(group.id, None)
            self._changes.append((f"group/{group.id}", None))

    def _open(self, record: GroupRecord, route: Route, addressee: Addressee) -> Group:
        group = self.groups[record.id] = Group(record, route, addressee)
        # Two are known by the same where one that was thought dead wrote a group late.
        self._known_by.setdefault(group.known_by, group)
        return group

    # -- time ----------------------------------------------------------------------------------

    def look_at(self, group: Group, at_ms: int) -> None:
        """Look at a group then, or earlier where that was said before."""
        if group.due_ms is None or at_ms < group.due_ms:
            group.due_ms = at_ms
            heapq.heappush(self._due, (at_ms, next(self._order), group.id))

    def repeat_at(self, group: Group, at_ms: int | None) -> None:
        """Something of a group is to be told again then."""
        group.repeat_ms = at_ms
        if at_ms is not None:
            heapq.heappush(self._due, (at_ms, next(self._order), group.id))

    def next_ms(self) -> int | None:
        """When the next group is due; None where none is."""
        while self._due:
            at_ms, _, name = self._due[0]
            group = self.groups.get(name)
            if group is not None and at_ms in (group.due_ms, group.repeat_ms):
                return at_ms
            heapq.heappop(self._due)
        return None

    def due(
        self, now_ms: int, most: int | None = None, room: Room | None = None
    ) -> Iterator[tuple[Group, int]]:
        """The groups that are due and since when, each once, in the order in which they became so,
        those that were kept back and have room first; of more than `most` the first ones.
        """
        found = {} if room is None else self._let_go(room, most)
        while (at_ms := self.next_ms()) is not None and at_ms <= now_ms and len(found) != most:
            name = heapq.heappop(self._due)[2]
            group = self.groups[name]
            if name not in found:
                group.kept_ms = self._kept[group.record.receiver].pop(name, None)
                found[name] = at_ms if group.kept_ms is None else group.kept_ms
            if group.due_ms == at_ms:
                group.due_ms = None
        for name, since_ms in found.items():
            yield self.groups[name], since_ms

    def _let_go(self, room: Room, most: int | None) -> dict[str, int]:
        found: dict[str, int] = {}
        for receiver, kept in self._kept.items():
            for name in tuple(islice(kept, max(room(receiver), 0))):
                if len(found) == most:
                    return found
                found[name] = self.groups[name].kept_ms = kept.pop(name)
        return found

    def keep_back(self, group: Group, since_ms: int) -> None:
        """Look at a group once there is room for it, which was due then."""
        self._kept[group.record.receiver][group.id] = since_ms

    def kept_back(self, receiver: str) -> int:
        """How many groups of a receiver are kept back."""
        return len(self._kept.get(receiver, ()))

    def has_room(self, room: Room) -> bool:
        """Whether there is room for some that are kept back."""
        return any(kept and room(receiver) > 0 for receiver, kept in self._kept.items())

    # -- after a crash -------------------------------------------------------------------------

    def restore(self, records: Iterable[Record]) -> None:
        """Take over what was written; called once, on a new book."""
        latest: dict[str, bytes] = {}
        for key, value in records:
            if value is None:
                latest.pop(key, None)
            else:
                latest[key] = value
        records_of: list[GroupRecord] = []
        for key, value in latest.items():
            kind, _, name = key.partition("/")
            if kind == "group":
                records_of.append(_groups.decode(value))
            elif kind == "budget":
                self.spent[name] = _spendings.decode(value)
            elif kind == "alert":
                self.entries[name] = _entries.decode(value)
            elif key == _TURN_KEY:
                self.turn = msgspec.json.decode(value, type=int)
        moved = {each.id for each in records_of if each.route not in self._routes}
        first: dict[str, Brief] = {}
        for entry in self.entries.values() if moved else ():
            for name in moved.intersection(entry.told):
                first.setdefault(name, entry.brief)
        for record in records_of:
            addressee = self._rules.addressees.get(record.receiver, Addressee(record.receiver))
            way = self._routes.get(record.route) or self._led(addressee, first.get(record.id))
            self._open(record, way, addressee).tried = record.under_way is not None
        for group in self.groups.values():
            if group.record.last is not None:
                self._apply(group.record.last)
        for entry in list(self.entries.values()):
            self._count(entry)
            for name in entry.told:
                if name not in self.groups:
                    entry = self.note(entry.with_telling(name, None))

    def _led(self, to: Addressee, brief: Brief | None) -> Route:
        """The route of a group whose own one the configuration has no longer: the one that leads
        its first alert to its receiver by now, with its hours and times; the root where none does.
        """
        ways = () if brief is None else led_by(self._rules.root, {to.name: to}, brief)
        found = (each[0] for each in ways if not isinstance(each, Decision))
        return next(found, self._rules.root)

    def _apply(self, notice: Notice) -> None:
        """What a notification told is told, also where only its group's record was written."""
        for alert_id, status in notice.alerts:
            entry = self.entries.get(alert_id)
            if entry is None or notice.group not in entry.told:
                continue
            telling = entry.told[notice.group]
            if status == "resolved" or entry.brief.is_endless:
                self.note(entry.with_telling(notice.group, None))
            elif telling.how_far is not Told.YES or telling.at_ms < notice.made_ms:
                self.note(entry.with_telling(notice.group, Telling(Told.YES, notice.made_ms)))


def _is_over(entry: Entry, before_ms: int) -> bool:
    goes_on = entry.brief.is_firing and not entry.brief.is_endless
    return not (goes_on or entry.told) and entry.arrived_ms < before_ms
