"""Accounts that go on under another id: what a control record in the partition does to the state.

1. A `rename` stands in the partition of the old id. What is due for the account is done, its alerts
   end, and a tombstone takes its place that says where it went.
2. What it knew is handed on to the partition of the new id (`pulse.engine.arrival`), as events that
   arrived in a wrong partition are: acknowledged before state is written, and, since it may come
   twice, with its origin. An account that is not known there takes it over whole; one that is known
   takes it in (`pulse.engagement.uniting`).
3. What comes later for the old id is handed on too, with the new one in its place.

What arrives where a tombstone stands goes on to where that says. If that is where it has been, the
names make a circle: the account comes back and stands where the tombstone stood. So an account can
be renamed back, and no circle loses anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from pulse.engagement.account import OpenAlert
from pulse.engagement.days import MINUTE_MS
from pulse.engagement.facts import CSAT, NPS
from pulse.engagement.line import zone_of
from pulse.engagement.load import LoadMark
from pulse.engagement.recent import RecentIds
from pulse.engagement.uniting import unite
from pulse.engine.admission import FUTURE_MS
from pulse.engine.arrival import ARRIVAL, encode_arrival, left_by, read_arrival
from pulse.engine.columns import FIRST_PIECE, RENAMED_HEADER
from pulse.engine.control import CONTROL_HEADER, read_rename
from pulse.engine.state import Misplaced
from pulse.engine.timekeeper import DUPLICATE_MS, GRACE_MS
from pulse.engine.tombstones import Tombstone, tombstone_key
from pulse.model.wire import BadLine, own_fields

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.engagement.account import Account
    from pulse.engagement.load import Ended
    from pulse.engine.arrival import Arrival
    from pulse.engine.columns import Columns
    from pulse.engine.evaluate import Evaluator
    from pulse.engine.policy import Policy
    from pulse.engine.state import Effects, PartitionState
    from pulse.engine.timekeeper import Timekeeper
    from pulse.model.wire import Entry

MOST_TIMES: Final = 16
"""A line that was handed on so often goes in a circle, or as good as that."""

_ZONES: Final = ("danger", "approaching")

_encode_json = msgspec.json.Encoder().encode


def _readdressed(raw: bytes, to: str) -> bytes:
    """A line of a renamed account, as one of its new id."""
    fields = own_fields(raw)
    fields["account_id"] = Raw(_encode_json(to))
    return _encode_json(fields)


def _times_of(header: bytes | None) -> int:
    """How often a line was handed on since its account was renamed, by its header."""
    return int(header) if header is not None and header.isdigit() and len(header) < 4 else 0


class Renaming:
    """Takes accounts that go and accounts that come, by one policy.

    `place` gives an account's partition. Where it is None all are in one log that is never read
    again, and what goes arrives at once.
    """

    def __init__(
        self,
        policy: Policy,
        evaluator: Evaluator,
        time: Timekeeper,
        place: Callable[[str], int] | None,
    ) -> None:
        self._policy = policy
        self._evaluator = evaluator
        self._time = time
        self._place = place

    def take(self, state: PartitionState, value: bytes, offset: int, fx: Effects) -> bool:
        """Take a record that renames an account; False where it cannot be read, or is not ours."""
        said = read_rename(value)
        if said is None or self._is_elsewhere(state, said.account):
            return False
        there = state.tombstone_of(said.to)
        if there is not None and not there.to and there.offset < offset:
            fx.counts["forgotten"] += 1
            return True  # nothing of it may be known again
        account_id, key = said.account, tombstone_key(said.account, None)
        at_ms = said.ts if state.clock_ms is None else state.clock_ms
        tombstone = Tombstone(offset, at_ms, said.to)
        account = state.find(account_id)
        if account is None:
            # Said again, it is also taken again out of what people look at.
            state.gone.add(account_id)
            if key not in state.forgotten:
                state.bury(key, tombstone, state.page_for_new(offset))
            return True
        if offset < account.page.guard:
            return True  # it came back since
        self._time.advance(state, account, 0, fx)
        self._end(state, account, fx)
        first_tick_ms = state.first_tick_ms or 0
        left = left_by(account, said.to, first_tick_ms)
        state.gone.add(account_id)
        state.replace(account, key, tombstone)
        for number, each in enumerate(left, FIRST_PIECE):
            self._hand_on(state, each, offset, number, fx)
        return True

    def arrive(
        self, state: PartitionState, value: bytes, offset: int, number: int, fx: Effects
    ) -> bool:
        """Take what an account left, its piece of this number; False where it cannot be read.

        Raises `FormError` where another pulse wrote it, in another form.
        """
        come = read_arrival(value)
        if come is None or self._is_elsewhere(state, come.account):
            return False
        self._arrive(state, come, offset, number, fx)
        return True

    def follow(
        self,
        state: PartitionState,
        columns: Columns,
        at: int,
        entry: Entry,
        to: str,
        times: int,
        fx: Effects,
    ) -> BadLine | None:
        """Let a line follow its account to another id; `times` is how often it has done so here.

        Why it is refused, if it is. Without partitions it is counted here, and still to be taken.
        """
        offset = columns.offsets[at]
        times += _times_of(columns.header(at, RENAMED_HEADER))
        if times > MOST_TIMES:
            detail = f"account_id: renamed more than {MOST_TIMES} times, or in a circle"
            return BadLine("renamed", detail)
        if self._place is not None and offset < state.settled:
            fx.counts["skipped"] += 1
            return None
        fx.counts["renamed"] += 1
        if self._place is not None:
            headers = ((RENAMED_HEADER, b"%d" % times), *columns.load_header(at))
            raw = _readdressed(entry.raw, to)
            fx.misplaced.append(Misplaced(offset, entry.number, raw, to, headers))
        return None

    def _arrive(
        self, state: PartitionState, come: Arrival, offset: int, number: int, fx: Effects
    ) -> None:
        buried = state.tombstone_of(come.account)
        known = None if buried is not None else state.find(come.account)
        if buried is not None and not buried.to:
            fx.counts["forgotten"] += 1
        elif buried is not None and offset < buried.offset:
            fx.counts["skipped"] += 1  # it arrived before the account went
        elif buried is not None and buried.to not in come.path:
            self._hand_on(state, come.on(buried.to), offset, number, fx)
        elif known is not None and offset < known.page.guard:
            fx.counts["skipped"] += 1
        else:
            fx.counts["arrivals"] += 1
            account = come.unpacked()
            self._make_ours(state, come, account, offset)
            if known is not None:
                self._take_in(state, known, account, fx)
            else:
                self._take_over(state, account, offset, buried is not None, fx)

    def _hand_on(
        self, state: PartitionState, come: Arrival, offset: int, number: int, fx: Effects
    ) -> None:
        if self._place is None:
            self._arrive(state, come, offset, number, fx)
        elif offset < state.settled:
            fx.counts["skipped"] += 1
        else:
            headers = ((CONTROL_HEADER, ARRIVAL),)
            raw = encode_arrival(come)
            fx.misplaced.append(Misplaced(offset, number, raw, come.account, headers))

    def _is_elsewhere(self, state: PartitionState, account_id: str) -> bool:
        return self._place is not None and self._place(account_id) != state.partition

    # -- who goes ------------------------------------------------------------------------------

    def _end(self, state: PartitionState, account: Account, fx: Effects) -> None:
        """End the alerts; what still holds is told under the new id. They stay in the account for
        who takes it over to see. What a load has held back is told: nobody comes back to it here.
        """
        mark, account.load = account.load, None
        held = [] if mark is None else mark.ended
        if account.alerts or held:
            self._tell_end(state, account, held, fx)
        if mark is not None and mark.is_on:
            # What still holds is held under the new id too.
            account.load = LoadMark(*mark.on)

    def _tell_end(
        self, state: PartitionState, account: Account, held: list[Ended], fx: Effects
    ) -> None:
        at_ms = _now(state, account)
        changes: list[Any] = [
            *((each.reason, each.opened, each.resolution, None) for each in held),
            *(
                (reason, account.alerts[reason], "renamed", None)
                for reason in sorted(account.alerts)
            ),
        ]
        view = self._evaluator.view(account, at_ms)
        self._evaluator.tell(
            account, view, account.score, account.zone, at_ms, state.historical, changes, fx
        )

    # -- who comes -----------------------------------------------------------------------------

    def _make_ours(
        self, state: PartitionState, come: Arrival, account: Account, offset: int
    ) -> None:
        """Let an account that came be one of this partition: by its clock, under its new id, and
        without the users that were forgotten here.
        """
        clock_ms = state.clock_ms
        account.account_id = come.account
        if account.load is not None:
            # Of a load that has ended here nobody would let it go.
            on = [each for each in account.load.on if each in state.loads]
            account.load = LoadMark(*on) if on else None
        seen = RecentIds()
        seen.unite(account.seen, come.first_tick_ms, clock_ms or 0)
        account.seen = seen
        if account.facts is not None:
            account.facts.go_by(come.first_tick_ms, clock_ms or 0)
        if not state.forgotten:
            return
        names = {each.name for each in account.users.marks()}
        if account.facts is not None:
            names |= {user for kind in (NPS, CSAT) for user, _ in account.facts.answers(kind)}
        gone = [
            each for each in sorted(names) if state.is_user_forgotten(come.account, each, offset)
        ]
        for user in gone:
            account.users.forget(user)
            if account.facts is not None:
                account.facts.forget_user(user)

    def _take_over(
        self, state: PartitionState, account: Account, offset: int, is_back: bool, fx: Effects
    ) -> None:
        """Let an account go on that nobody knows here."""
        alerts, account.alerts = account.alerts, {}
        if len(account.seen):
            first_tick_ms = state.first_tick_ms or 0
            account.forget_ms = account.seen.oldest_ms(first_tick_ms) + DUPLICATE_MS
        if is_back:
            _bring_back(state, account)
        else:
            state.adopt(account, state.page_for_new(offset))
        self._time.advance(state, account, 0, fx)
        self._open_again(state, account, alerts, fx)
        if not alerts.keys() <= set(_ZONES):
            # Signals find again what still holds.
            self._disturb(state, account)
        state.touch(account)
        self._time.schedule(state, account)

    def _open_again(
        self, state: PartitionState, account: Account, before: dict[str, OpenAlert], fx: Effects
    ) -> None:
        """Say under the new id in which zone the account is, where that was said under the old."""
        zone, at_ms = zone_of(account.danger, account.approach), _now(state, account)
        if zone not in before or zone in account.alerts:
            return
        opened = account.alerts[zone] = OpenAlert(at_ms, before[zone].since_ms)
        view, changes = self._evaluator.view(account, at_ms), list[Any]()
        changes.append((zone, opened, None, None))
        self._evaluator.tell(
            account, view, account.score, account.zone, at_ms, state.historical, changes, fx
        )

    def _take_in(
        self, state: PartitionState, account: Account, other: Account, fx: Effects
    ) -> None:
        """Let an account know what another one knew, as if an event of its last minute had come."""
        last_ms, clock_ms = max(other.front_ms, 1), state.clock_ms
        if clock_ms is not None:
            last_ms = min(last_ms, clock_ms + FUTURE_MS)
        last_ms -= last_ms % MINUTE_MS
        self._time.advance(state, account, max(last_ms, 1), fx)
        account.front_ms = max(account.front_ms, last_ms)
        self._disturb(state, account)
        unite(account, other, self._policy.activity)
        for load in () if other.load is None else other.load.on:
            if account.load is None:
                account.load = LoadMark()
            account.load.touch(load)
        if len(account.seen):
            first_tick_ms = state.first_tick_ms or 0
            account.forget_ms = account.seen.oldest_ms(first_tick_ms) + DUPLICATE_MS
        state.touch(account)
        self._time.schedule(state, account)

    def _disturb(self, state: PartitionState, account: Account) -> None:
        """Let the account be evaluated at the close of the minute at hand."""
        minute_ms = account.front_ms
        if state.clock_ms is not None:
            if account.parked:
                account.jump(state.clock_ms)
                account.parked = False
            closed_ms = state.clock_ms - GRACE_MS
            minute_ms = max(minute_ms, closed_ms - closed_ms % MINUTE_MS)
        account.front_ms = account.open_ms = minute_ms
        account.force = account.used = True


def _now(state: PartitionState, account: Account) -> int:
    """The instant of the clock, or where the account is ahead of it."""
    return max(state.clock_ms or 0, account.front_ms, account.calendar.start_ms)


def _bring_back(state: PartitionState, account: Account) -> None:
    """Let an account stand where its tombstone stands."""
    key = tombstone_key(account.account_id, None)
    page = state.page_of(key)
    at = page.accounts.index(key)
    state.adopt(account, page)
    page.accounts.pop()
    page.accounts[at] = account.account_id
    del state.forgotten[key]
    state.gone.discard(account.account_id)
