"""The way of an alert out: route → group → inhibit → silence → budget → deduplicate.

Pure: alerts go in with the time, notifications come out, and every decision with its reason. Who
sends them says when an attempt begins and how it ended, and writes `changes` before it acts on
what it was given; docs/decisions/0012-the-pipeline.md says why that loses nothing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING

import msgspec

from pulse.alerting.book import Book, Record, Rules
from pulse.alerting.brief import Brief, Decision
from pulse.alerting.outgoing import Ending, Outgoing
from pulse.alerting.stages.budget import rank
from pulse.alerting.stages.grouping import MOST, Entry, Group, Notice, Telling, Told
from pulse.alerting.stages.muting import Inhibitors, Mute, Mutes, closed
from pulse.alerting.stages.routing import labels, route

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from pulse.alerting.book import Room
    from pulse.alerting.outgoing import Withdrawn
    from pulse.alerting.stages.muting import Silence, Snooze


class Pipeline:
    """All alerts, from where they arrive to where they are sent.

    >>> from pulse.alerting.stages.routing import Addressee, Route
    >>> rules = Rules(root=Route(receivers=("cs",)), addressees={"cs": Addressee("cs")})
    >>> pipeline = Pipeline(rules)
    >>> said = {"id": "al_1", "account_id": "acme", "reason": "danger", "severity": "critical"}
    >>> pipeline.take(Brief(**said, status="firing", at_ms=0), now_ms=5)
    >>> [notice.id for notice in pipeline.flush(now_ms=5)]
    ['al_1_cs_firing']
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._book = Book(rules)
        self._outgoing = Outgoing(self._book, rules.budget)
        self._mutes = Mutes(Inhibitors(rules.inhibitions))
        self._said: list[Decision] = []

    # -- the stages ----------------------------------------------------------------------------

    def take(self, brief: Brief, now_ms: int, but: Collection[str] | None = None) -> None:
        """Take an alert's state as it arrives; a repeat changes nothing.

        With `but` it is for others than these: where the routes lead it to nobody else, to all.
        """
        known = self._book.entries.get(brief.id)
        if known is not None and (brief.is_firing or not known.brief.is_firing):
            is_repeat = brief.status == known.brief.status
            self._say(brief, "", "group", "repeat" if is_repeat else "already_resolved")
        elif brief.is_firing:
            brief = self._with_owner(self._rules.holdout.of(brief))
            self._begin(brief, self._routed(brief, but), now_ms)
        else:
            self._end(brief, known, now_ms)

    def flush(self, now_ms: int, most: int | None = None, room: Room | None = None) -> list[Notice]:
        """The notifications that are to be made now, in order; `most` groups are looked at.

        `room` says how many more there may be of a receiver. What is above waits in its groups,
        where an alert that ends meanwhile is told to nobody; other receivers do not wait for it.
        """
        made: list[Notice] = []
        left: dict[str, int] = {}
        for group, since_ms in self._book.due(now_ms, most, room):
            receiver = group.record.receiver
            if room is not None and left.setdefault(receiver, room(receiver)) <= 0:
                self._book.keep_back(group, since_ms)
            elif (notice := self._tell(group, now_ms)) is not None:
                made.append(notice)
                left[receiver] = left.get(receiver, 0) - 1
        return made

    def _tell(self, group: Group, now_ms: int) -> Notice | None:
        if group.in_flight:
            group.is_late = True
            return None
        if (rests_until_ms := group.rests_until(now_ms)) is not None:
            self._book.look_at(group, rests_until_ms)
            return None
        told = self._worst(group, now_ms)
        more = bool(group.ranked)
        if all(group.tells(each.id, each.status) for each in told):
            # What is under way tells it; more than it holds follow.
            group.overflows = more
            self._book.close_if_empty(group)
            return None
        notice = self._outgoing.make(group, told, now_ms, more=more)
        for each in told:
            word = "told_again" if each.id not in group.pending else "told"
            self._say(each, notice.receiver, "deduplicate", word)
        return notice

    # -- route ---------------------------------------------------------------------------------

    def _with_owner(self, brief: Brief) -> Brief:
        owners, book = self._rules.owners, self._book
        kept = book.owner_kept(brief.account_id)
        owner = owners.owner_of(brief, kept, book.turn, book.loads)
        if owner not in ("", brief.owner, kept):
            book.took_turn()
            self._say(brief, "", "owner", owners.rule)
        return msgspec.structs.replace(brief, owner=owner)

    def _routed(self, brief: Brief, but: Collection[str] | None) -> list[Group]:
        if brief.quiet:
            self._say(brief, "", "route", brief.quiet)
            return []
        found = list(route(self._rules.root, self._rules.addressees, brief))
        self._said += [each for each in found if isinstance(each, Decision)]
        ways = [each for each in found if not isinstance(each, Decision)]
        if but is not None and all(to.name in but for _, to in ways):
            others = (to for to in self._rules.addressees.values() if to.name not in but)
            ways += [(self._rules.root, to) for to in others]
        return [
            self._book.group(way, to, labels(brief, way.group_by), brief.id, is_digest=False)
            for way, to in ways
        ]

    # -- group ---------------------------------------------------------------------------------

    def _begin(self, brief: Brief, groups: Iterable[Group], now_ms: int) -> None:
        self._mutes.inhibitors.begins(brief)
        told = {group.id: Telling(Told.NO, now_ms) for group in groups}
        entry = self._book.note(Entry(brief=brief, arrived_ms=now_ms, told=told))
        for group in groups:
            self._outgoing.put(group, entry)

    def _end(self, brief: Brief, known: Entry | None, now_ms: int) -> None:
        if known is None or not known.told:
            self._say(brief, "", "group", "firing_unknown" if known is None else "firing_not_sent")
        groups = [] if known is None else [self._book.groups[name] for name in known.told]
        for group in groups:
            if group.tells(brief.id, "firing") and not group.in_flight:
                self._outgoing.withdraw(group, now_ms)
        if known is None:
            entry = Entry(brief=brief, arrived_ms=now_ms)
        else:
            known = self._book.entries[brief.id]
            owned = msgspec.structs.replace(brief, owner=known.brief.owner)
            entry = msgspec.structs.replace(known, brief=owned, arrived_ms=now_ms)
        for group in groups:
            if brief.quiet == "historical" or not self._outgoing.put(group, entry):
                self._say(brief, group.record.receiver, "group", _why_not(brief, group))
                group.leave(brief.id)
                entry = entry.with_telling(group.id, None)
        self._book.note(entry)
        for group in groups:
            self._book.close_if_empty(group)
        if self._mutes.inhibitors.ends(brief.id):
            self._look_again(now_ms)

    def _worst(self, group: Group, now_ms: int) -> list[Brief]:
        """What one notification is to tell now, the worst first; the others are ranked."""
        found = self._as_ranked(group, now_ms)
        if found is None:
            free = self._unmuted(group, self._waiting(group, now_ms), now_ms)
            free = self._ready(group, free, now_ms)
            told = self._within_budget(group, free, now_ms)
            found, rest = told[:MOST], told[MOST:]
            group.ranked = deque(each.id for each in rest) if rest else None
        return found

    def _as_ranked(self, group: Group, now_ms: int) -> list[Brief] | None:
        """What was ranked already; None where all that waits must be looked at.

        Of fifty thousand alerts that wait in a group every look costs a tenth of a second.
        """
        ranked, budget = group.ranked, self._rules.budget
        repeats = group.repeat_ms is not None and group.repeat_ms <= now_ms
        is_costly = group.route.budgeted and budget.weekly is not None
        if not ranked or group.record.under_way is not None or group.is_held or repeats:
            return None
        if is_costly and not group.record.is_digest:
            return None
        if self._shut(group, now_ms) is not None:
            return None
        found: list[Brief] = []
        for alert_id in ranked:
            brief = self._book.entries[alert_id].brief if alert_id in group.pending else None
            if brief is not None and self._mutes.of(brief, now_ms) is not None:
                return None
            if brief is not None:
                found.append(brief)
            if len(found) == MOST:
                break
        while ranked and found and ranked.popleft() != found[-1].id:
            pass
        return found or None

    def _shut(self, group: Group, now_ms: int) -> Mute | None:
        if group.record.is_digest:  # which comes at an hour of its own
            return None
        return closed(group.route.hours, group.addressee.timezone, now_ms)

    def _waiting(self, group: Group, now_ms: int) -> list[Brief]:
        """What is not told, and what is to be told again by now."""
        entries = self._book.entries
        again, following_ms = group.again(entries, now_ms)
        if following_ms != group.repeat_ms:
            self._book.repeat_at(group, following_ms)
        return [entries[alert_id].brief for alert_id in (*group.pending, *again)]

    def _ready(self, group: Group, free: list[Brief], now_ms: int) -> list[Brief]:
        """What may be told by now, though the group is looked at for something else: all, once one
        has waited; in a digest only what its hour has come of.
        """
        is_digest, entries = group.record.is_digest, self._book.entries
        if not (is_digest or group.route.wait_ms):
            return free
        later: dict[str, int] = {}
        for each in free:
            if each.id in group.pending:
                ready_ms = self._outgoing.ready_ms(group, entries[each.id])
                if ready_ms > now_ms:
                    later[each.id] = ready_ms
        # What is under way is told already.
        now = (b for b in free if b.id not in later and not group.tells(b.id, b.status))
        if not later or (not is_digest and any(now)):
            return free
        self._book.look_at(group, min(later.values()))
        return [each for each in free if each.id not in later]

    # -- inhibit, silence ----------------------------------------------------------------------

    def _unmuted(self, group: Group, briefs: Iterable[Brief], now_ms: int) -> list[Brief]:
        group.is_held = group.repeat_is_held = False
        free: list[Brief] = []
        shut = self._shut(group, now_ms)
        for each in briefs:
            mute = self._mutes.of(each, now_ms) or shut
            if mute is None:
                free.append(each)
                continue
            group.is_held = True
            if each.id not in group.pending:
                group.repeat_is_held = True
            self._say(each, group.record.receiver, mute.stage, mute.reason, mute.until_ms)
            if mute.until_ms is not None:
                self._look_at(group, mute.until_ms)
        return free

    def mute(self, silences: Iterable[Silence], snoozes: Mapping[str, Snooze], now_ms: int) -> None:
        """What people have muted, all of it. Called before the first flush and at each change."""
        self._mutes.silences, self._mutes.snoozes = tuple(silences), dict(snoozes)
        self._look_again(now_ms)

    def hold_fleet(self, until_ms: int | None, now_ms: int) -> None:
        """The fleet falls together, until then at most; None where it does no longer."""
        self._mutes.fleet_until_ms, self._mutes.is_over = until_ms, None
        self._outgoing.withdraw_untried(now_ms)
        self._look_again(now_ms)

    def let_go_of_fleet(
        self, is_over: Callable[[str], bool], over_until_ms: int, now_ms: int
    ) -> None:
        """The fleet falls no longer; whose end was heard and is not read yet waits for it till then
        at most.
        """
        self.hold_fleet(None, now_ms)
        self._mutes.is_over, self._mutes.over_until_ms = is_over, over_until_ms

    def _look_again(self, now_ms: int) -> None:
        for group in self._book.groups.values():
            if group.is_held:
                self._look_at(group, now_ms)

    def _look_at(self, group: Group, at_ms: int) -> None:
        """Look at what was held; in a digest at its next hour."""
        is_digest = group.record.is_digest
        self._book.look_at(
            group, self._outgoing.digest_ms(group, at_ms - 1) if is_digest else at_ms
        )

    # -- budget --------------------------------------------------------------------------------

    def _within_budget(self, group: Group, briefs: list[Brief], now_ms: int) -> list[Brief]:
        """What may be told now, the worst first; what is over moves to its owner's digest."""
        budget, spent = self._rules.budget, self._book.spent
        free = sorted(briefs, key=lambda each: (not each.is_firing, *rank(each, now_ms)))
        if group.record.is_digest or not group.route.budgeted or budget.weekly is None:
            return free
        costly: dict[str, list[Brief]] = defaultdict(list)
        for each in free:
            if each.owner and self._book.is_new(each, group):
                costly[each.owner].append(each)
        over: set[str] = set()
        for owner, briefs_of in costly.items():
            for each in budget.sift(briefs_of, spent.get(owner, {}), now_ms)[1]:
                over.add(each.id)
                self._to_digest(group, each, now_ms)
        told = [each for each in free if each.id not in over]
        named = {each.id for each in told[:MOST]}
        for owner, briefs_of in costly.items():
            self._book.spend(owner, [each.id for each in briefs_of if each.id in named], now_ms)
        return told

    def _to_digest(self, group: Group, brief: Brief, now_ms: int) -> None:
        root, to, by = self._rules.root, group.addressee, (("owner", brief.owner),)
        digest = self._book.group(root, to, by, brief.id, is_digest=True)
        entry = self._book.entries[brief.id].with_telling(group.id, None)
        entry = self._book.note(entry.with_telling(digest.id, Telling(Told.NO, now_ms)))
        group.leave(brief.id)
        self._outgoing.put(digest, entry)
        self._say(brief, to.name, "budget", "over_budget", digest.due_ms)

    # -- around it -----------------------------------------------------------------------------

    def begins(self, notice_id: str, now_ms: int) -> bool:
        """An attempt is about to begin. False where it must not: see `Outgoing.begins`.

        Nor must it where something came to hold one of its alerts since it was made, or since the
        last attempt: it is withdrawn, and what is free of it is told by the next flush.
        """
        group = self._outgoing.group_of(notice_id)
        if group is not None and not group.in_flight and self._is_held(group, now_ms):
            self._outgoing.withdraw(group, now_ms, is_held=True)
            return False
        return self._outgoing.begins(notice_id)

    def _is_held(self, group: Group, now_ms: int) -> bool:
        if self._shut(group, now_ms) is not None:
            return True
        notice, entries = group.record.under_way, self._book.entries
        known = (entries.get(name) for name, _ in (() if notice is None else notice.alerts))
        return any(each and self._mutes.of(each.brief, now_ms) is not None for each in known)

    def ended(self, notice_id: str, how: Ending, now_ms: int) -> None:
        """An attempt has ended, or no other one will follow."""
        self._outgoing.ended(notice_id, how, now_ms)

    def withdrawn(self) -> list[Withdrawn]:
        """The notifications that are not sent any more, since the last call."""
        return self._outgoing.withdrawn()

    def is_overtaken(self, notice_id: str) -> bool:
        """Whether an alert of a notification under way has another state by now."""
        return self._outgoing.is_overtaken(notice_id)

    def entry(self, alert_id: str) -> Entry | None:
        """What is known of an alert; None where nothing is."""
        return self._book.entries.get(alert_id)

    def kept_ms(self, group_id: str) -> int | None:
        """Since when a group was due that was kept back until its last look; None: it was not."""
        group = self._book.groups.get(group_id)
        return None if group is None else group.kept_ms

    def kept_back(self, receiver: str) -> int:
        """How many groups of a receiver wait for room."""
        return self._book.kept_back(receiver)

    def last_of(self, group_id: str) -> Notice | None:
        """The notification of a group that was done last, where that is known."""
        group = self._book.groups.get(group_id)
        return None if group is None else group.record.last

    def next_ms(self, room: Room | None = None) -> int | None:
        """When to flush next; None where nothing waits for time. 0 where there is room for what was
        kept back.
        """
        if room is not None and self._book.has_room(room):
            return 0
        return self._book.next_ms()

    def changes(self) -> list[Record]:
        """What must be written, in this order, before anything is sent or committed."""
        return self._book.changes()

    def decisions(self) -> list[Decision]:
        """What was decided since the last call, and why."""
        said, self._said = self._said, []
        return said

    def forget(self, before_ms: int, most: int | None = None) -> bool:
        """Drop alerts that ended before an instant, for log and memory alike. Of more than `most`
        the first ones; returns whether there were so many.
        """
        return self._book.forget(before_ms, most)

    def restore(self, records: Iterable[Record], now_ms: int) -> list[Notice]:
        """Go on with what was written; called once, before anything else.

        Returns the notifications under way: they are attempted again, with the same ids.
        """
        self._book.restore(records)
        for entry in self._book.entries.values():
            if entry.brief.is_firing:
                self._mutes.inhibitors.begins(entry.brief)
        return self._outgoing.restore(now_ms)

    def _say(
        self, brief: Brief, receiver: str, stage: str, reason: str, until_ms: int | None = None
    ) -> None:
        self._said.append(Decision(brief.id, receiver, stage, reason, until_ms))


def _why_not(brief: Brief, group: Group) -> str:
    if brief.quiet == "historical":
        return brief.quiet
    return "resolved_before_sent" if group.addressee.send_resolved else "resolved_not_wanted"
