"""What is due for an account, and when it is done.

With `clock` the largest tick so far and M the minute of a record that has just come for it:

1. the close of a minute in which the account changed: once M has begun, or `clock` is 2 s past it
2. the start of the account's day: the same
3. a deadline (a dwell that ends, a silence): once M has begun, or `clock` has reached it

At the same instant the order is 1, 2, 3; a later thing waits for an earlier one. What a tick leaves
for later is done before a record touches the account, so that leaving it changes no result.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from pulse.engagement.days import DAY_MS, MINUTE_MS, NEVER, NO_INSTANT
from pulse.engagement.packing import header, split
from pulse.engagement.windows import KEPT_DAYS
from pulse.engine.placing import relay
from pulse.engine.state import Effects

if TYPE_CHECKING:
    from pulse.engagement.account import Account
    from pulse.engine.evaluate import Evaluator
    from pulse.engine.policy import Policy
    from pulse.engine.state import Page, PartitionState

GRACE_MS: Final = 2_000
"""A minute closes on the first tick this long past its end."""

DUPLICATE_MS: Final = DAY_MS
DAY_SLICE_MS: Final = 600_000
"""Day starts are spread over this long (and so done within the 15 minutes promised)."""
LEAST_SLICE: Final = 500

AHEAD_MS: Final = 3_600_000
"""A deadline is put where a tick finds it if it is due before the account's day has begun for sure;
the others are looked at then."""


class Timekeeper:
    """Brings accounts up to the clock, by one policy.

    `least_slice` is how many day starts a tick works off at least.
    """

    def __init__(self, policy: Policy, evaluator: Evaluator, least_slice: int) -> None:
        self._activity = policy.activity
        self._timezone = policy.timezone
        self._evaluator = evaluator
        self._least_slice = least_slice

    def tick(self, state: PartitionState, at_ms: int, fx: Effects) -> None:
        """It is `at_ms`: work off what is due. An older tick than the last changes nothing."""
        fx.counts["ticks"] += 1
        clock = state.clock_ms
        if clock is not None and at_ms <= clock:
            return
        if state.first_tick_ms is None:
            state.first_tick_ms = at_ms
        state.clock_ms = at_ms
        step_ms = DAY_SLICE_MS if clock is None else at_ms - clock
        slice_size = -(-len(state) * step_ms // DAY_SLICE_MS)
        self.work_off(state, fx, limit=max(slice_size, self._least_slice))
        if state.outages.found and (not state.midnights or state.midnights[0] > at_ms):
            state.outages.forget(at_ms)

    def work_off(self, state: PartitionState, fx: Effects, limit: int | None) -> None:
        """Do what is due by the clock, of day starts at most `limit`."""
        clock = state.clock_ms
        if clock is None:
            return
        before = len(fx.alerts)
        soon = state.soon
        while soon and soon[0][0] <= clock:
            due, account_id = heapq.heappop(soon)
            account = state.live.get(account_id)
            folded = None if account is not None else state.folded.get(account_id)
            if folded is not None and folded.soon_at == due:
                account = folded.unfold()
            if account is not None and account.soon_at == due:
                account.soon_at = NEVER
                self._bring_up(state, account, fx, was_folded=folded is not None)
        midnights, left = state.midnights, len(state) if limit is None else limit
        while midnights and midnights[0] <= clock and left > 0:
            left = self._begin_days(state, midnights[0], left, fx)
        if len(fx.alerts) > before + 1:
            fx.alerts[before:] = sorted(fx.alerts[before:], key=lambda a: (a.at, a.account_id))

    def _begin_days(self, state: PartitionState, due: int, left: int, fx: Effects) -> int:
        """Begin the days that are due at one instant, at most `left`; how many then are left."""
        ids = state.days[due]
        while ids and left > 0:
            account_id = ids.pop()
            account = state.live.get(account_id)
            folded = None if account is not None else state.folded.get(account_id)
            if folded is not None and folded.day_at == due:
                account = folded.unfold()
            if account is not None and account.day_at == due:  # else it was put elsewhere meanwhile
                account.day_at = NEVER
                self._bring_up(state, account, fx, was_folded=folded is not None)
                left -= 1
        if not ids:
            del state.days[due]
            heapq.heappop(state.midnights)
        return left

    def _bring_up(
        self, state: PartitionState, account: Account, fx: Effects, was_folded: bool
    ) -> None:
        self.advance(state, account, 0, fx)
        self.schedule(state, account)
        if was_folded:
            state.fold(account)

    def advance(self, state: PartitionState, account: Account, minute_ms: int, fx: Effects) -> None:
        """Do what is due for the account before the minute `minute_ms`, or by the clock."""
        clock = state.clock_ms or 0
        closing, reached = clock - GRACE_MS, clock
        if minute_ms > closing:
            closing = minute_ms
            if minute_ms > reached:
                reached = minute_ms
        if account.parked:
            self._advance_parked(state, account, closing, reached, minute_ms > 0, fx)
        while not account.parked:
            open_ms, deadline_ms = account.open_ms, account.deadline_ms
            close_ms = NEVER if open_ms == NO_INSTANT else open_ms + MINUTE_MS
            day_ms = account.calendar.end_ms
            if close_ms <= day_ms and close_ms <= deadline_ms:
                if close_ms > closing:
                    return
                account.open_ms = NO_INSTANT
                if account.force or not account.quiet:
                    account.force = False
                    self._evaluate(state, account, close_ms, fx)
            elif day_ms <= deadline_ms:
                if day_ms > closing:
                    return
                self._begin_day(state, account, fx)
            elif deadline_ms > reached:
                return
            else:
                self._meet_deadline(state, account, fx)
        # Parked, maybe at a day start on the way.
        self._advance_parked(state, account, closing, reached, minute_ms > 0, fx)

    def _advance_parked(
        self,
        state: PartitionState,
        account: Account,
        closing: int,
        reached: int,
        wake: bool,
        fx: Effects,
    ) -> None:
        while account.deadline_ms <= reached:
            account.jump(account.deadline_ms)
            self._lay(state, account, account.deadline_ms, fx)
            self._meet_deadline(state, account, fx)
        if wake:
            account.jump(closing)
            self._lay(state, account, closing, fx)
            account.parked = False

    def _meet_deadline(self, state: PartitionState, account: Account, fx: Effects) -> None:
        due_ms = account.deadline_ms
        dwell_ms = self._evaluator.rules.of(account).dwell_ms
        # An event since then may have put it off.
        account.deadline_ms = self._evaluator.next_deadline(
            account, due_ms - 1, account.active_days(self._activity), dwell_ms
        )
        if account.deadline_ms <= due_ms:
            self._evaluate(state, account, due_ms, fx)

    def _begin_day(self, state: PartitionState, account: Account, fx: Effects) -> None:
        timezone = self._timezone
        profile = account.profile
        if profile is not None and profile.timezone:
            timezone = profile.timezone
        at_ms = account.begin_day(timezone, self._activity)
        account.sources.turn(account.calendar.day)
        self._lay(state, account, at_ms, fx)
        calendar = account.calendar
        if len(calendar.segments) > 1:
            calendar.forget(at_ms - (KEPT_DAYS + 2) * DAY_MS)
        clock = state.clock_ms
        if clock is not None:
            # By the day start, not by the clock at which a slice comes to it; and an event may
            # begin a day before the clock has reached it.
            now_ms = at_ms if at_ms < clock else clock
            if account.forget_ms:
                forget_seen(account, now_ms, state.first_tick_ms or 0)
            if account.facts is not None:
                account.facts.forget_billing(now_ms, state.first_tick_ms or 0)
        self._evaluate(state, account, at_ms, fx, day=True)
        account.parked = self._can_park(account, at_ms)

    def _lay(self, state: PartitionState, account: Account, at_ms: int, fx: Effects) -> None:
        if state.lines and self._evaluator.rules.lay(account, state.lines):
            relay(self._evaluator, account, account.score, at_ms, state.historical, fx)

    def evaluate_by_other_rules(self, state: PartitionState, account_id: str, fx: Effects) -> None:
        """Evaluate an account, of which nothing is due, as its rules are others than before."""
        account, clock = state.live.get(account_id), state.clock_ms or 0
        was_folded = account is None
        if account is None:
            account = state.folded[account_id].unfold()
        self.advance(state, account, 0, fx)
        if account.parked:
            account.jump(clock)
            account.parked = False
        at_ms = max(clock, account.calendar.start_ms)
        score = self._evaluator.view(account, at_ms).score().value
        relay(self._evaluator, account, score, at_ms, state.historical, fx)
        # What an open minute changes is the account's own doing, and is told at its close.
        if account.open_ms == NO_INSTANT:
            caused = Effects()
            self._evaluator.evaluate(account, at_ms, False, state.historical, caused)
            for alert in caused.alerts:
                alert.mark()
            fx.alerts += caused.alerts
            fx.moves += caused.moves
        state.touch(account)
        self.schedule(state, account)
        if was_folded:
            state.fold(account)

    def _can_park(self, account: Account, at_ms: int) -> bool:
        """Whether no later day start can change anything until a record comes."""
        if account.open_ms != NO_INSTANT:
            return False
        if account.last_ms != NO_INSTANT:  # else it is known by its profile or by facts alone
            if not account.is_empty() or at_ms - account.last_ms < self._evaluator.watched_ms:
                return False
            rules = self._evaluator.rules.of(account)
            holidays, today = self._evaluator.holidays_of(account), account.calendar.day
            free = 0 if holidays is None else holidays.between(account.last_day + 1, today)
            if (
                at_ms - account.last_ms <= (rules.scorecard.recency_floor_days + free) * DAY_MS
                or at_ms - account.first_ms < rules.min_history_ms
                or account.danger.turning_ms != NO_INSTANT
                or account.approach.turning_ms != NO_INSTANT
            ):
                return False
        return self._evaluator.watch.next_finding(account, at_ms) == NEVER

    def _evaluate(
        self, state: PartitionState, account: Account, at_ms: int, fx: Effects, day: bool = False
    ) -> None:
        if state.outages.found or account.sources.frozen:
            state.outages.look_at(account, at_ms)
        self._evaluator.evaluate(account, at_ms, day, state.historical, fx)
        state.touch(account)

    def look_again(self, state: PartitionState, account: Account, at_ms: int, fx: Effects) -> None:
        """Evaluate an account at the clock, because something else is known of its sources.

        As with an event of that instant, what is due before is done first, and what comes later
        counts no earlier: else an older evaluation would follow, by what held at its instant.
        """
        if account.parked:
            return
        self.advance(state, account, at_ms, fx)
        account.front_ms = max(account.front_ms, at_ms - at_ms % MINUTE_MS)
        # Its events may be ahead of the clock.
        at_ms = max(at_ms, account.front_ms, account.calendar.start_ms)
        self._evaluate(state, account, at_ms, fx)
        # Where nothing is due that was before, no tick looks: nor does it where this is read back.
        account.soon_at = NEVER
        self.schedule(state, account)
        if account.account_id not in state.live:
            state.fold(account)

    def close_minute(self, state: PartitionState, account: Account, fx: Effects) -> None:
        """Close the open minute, if there is one, as a record of the next one would."""
        if account.open_ms == NO_INSTANT:
            return
        minute_ms = account.open_ms + MINUTE_MS
        self.advance(state, account, minute_ms, fx)
        account.front_ms = minute_ms
        # As where this is read back: no tick looks for what is not due any more.
        account.soon_at = NEVER

    def schedule(self, state: PartitionState, account: Account) -> None:
        """Put the account where a tick finds it."""
        open_ms, due_ms = account.open_ms, account.deadline_ms
        day_ms = NEVER if account.parked else account.calendar.end_ms
        close_ms = NEVER if open_ms == NO_INSTANT else open_ms + MINUTE_MS
        first_ms = close_ms if close_ms < day_ms else day_ms
        if due_ms >= first_ms and due_ms < first_ms + GRACE_MS:
            due_ms = first_ms + GRACE_MS
        if (
            open_ms != NO_INSTANT
            and due_ms > close_ms + GRACE_MS
            and (account.force or not account.quiet)
        ):
            due_ms = close_ms + GRACE_MS
        if due_ms < account.soon_at and due_ms < day_ms + AHEAD_MS:
            account.soon_at = due_ms
            heapq.heappush(state.soon, (due_ms, account.account_id))
        if day_ms != NEVER and account.day_at != day_ms + GRACE_MS:
            account.day_at = day_ms + GRACE_MS
            _schedule_day(state, account.account_id, account.day_at)

    def schedule_packed(self, state: PartitionState, page: Page, packed: bytes) -> None:
        """Put an account that was read back into its page, and where a tick finds it."""
        if state.bury_packed(packed, page):
            return
        present, past = split(packed)
        front = header(present, past)
        folded = state.adopt_packed(front.account_id, present, past, page)
        if front.soon_ms < front.day_ms + AHEAD_MS:
            folded.soon_at = front.soon_ms
            heapq.heappush(state.soon, (front.soon_ms, front.account_id))
        if front.day_ms != NEVER:
            folded.day_at = front.day_ms + GRACE_MS
            _schedule_day(state, front.account_id, folded.day_at)

    def due_ms(self, account: Account) -> int:
        """When something is due for the account if no record comes."""
        due_ms = account.deadline_ms
        if not account.parked:
            due_ms = min(due_ms, account.calendar.end_ms)
        if account.open_ms != NO_INSTANT and (account.force or not account.quiet):
            due_ms = min(due_ms, account.open_ms + MINUTE_MS)
        return due_ms


def _schedule_day(state: PartitionState, account_id: str, due_ms: int) -> None:
    ids = state.days.get(due_ms)
    if ids is None:
        state.days[due_ms] = [account_id]
        heapq.heappush(state.midnights, due_ms)
    else:
        ids.append(account_id)


def forget_seen(account: Account, now_ms: int, first_tick_ms: int) -> bool:
    """Forget the events that can have no duplicate any more; whether there were any.

    `now_ms` is an instant that the log's clock has reached. What came before the first tick counts
    from there.
    """
    if now_ms < account.forget_ms:
        return False
    seen = account.seen
    gone = seen.forget(now_ms - DUPLICATE_MS, first_tick_ms)
    account.forget_ms = seen.oldest_ms(first_tick_ms) + DUPLICATE_MS if len(seen) else 0
    return gone
