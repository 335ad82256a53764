"""From an account's measures to its score, zone and alerts, at one instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pulse.alerting.alert import build
from pulse.engagement.account import Account, OpenAlert
from pulse.engagement.days import DAY_MS, NEVER, NO_INSTANT, day_start
from pulse.engagement.forecast import WINDOW_DAYS as FORECAST_DAYS
from pulse.engagement.forecast import Crossing, crossing, may_cross
from pulse.engagement.holidays import Holidays
from pulse.engagement.lifecycle import LIFECYCLES, Lifecycle, lifecycle
from pulse.engagement.line import Zone, zone_of
from pulse.engagement.on_demand import measure_more
from pulse.engagement.scorecard import NO_DATA
from pulse.engine.rules import Rulebook, Rules
from pulse.engine.seeing import View, circumstances, facts_of
from pulse.engine.state import Effects, Move
from pulse.engine.watching import Change, Watch
from pulse.signals.billing.cancelled import REASON as CANCELLED
from pulse.signals.signal import Seen
from pulse.signals.usage.silence import REASON as SILENCE

if TYPE_CHECKING:
    from pulse.engagement.facts import FactLog
    from pulse.engine.policy import Policy
    from pulse.signals.usage.silence import Silence

Observer = Callable[[Account, int, "View", "float | None"], None]
"""Told of every day start that is evaluated: the account, the instant, how it is seen then, and its
score, None where no line judges it."""

_RANK: Final[dict[str, int]] = {"unknown": 0, "healthy": 1, "approaching": 2, "danger": 3}


def _follow_subscription(account: Account, facts: FactLog, at_ms: int) -> None:
    """Let an account leave when it has cancelled, and begin again when it has resumed."""
    is_cancelled = facts.cancelled_ms != NO_INSTANT
    if facts.has_left and not is_cancelled:
        account.resurrected_ms = facts.resumed_ms = at_ms
        account.known = False
        account.danger.reset()
        account.approach.reset()
    facts.has_left = is_cancelled


def _has_settled(facts: FactLog | None, before_ms: int) -> bool:
    """Whether an account did not resume after an instant: who does begins again, unknown."""
    return facts is None or facts.resumed_ms <= before_ms


class Evaluator:
    """Evaluates accounts by one policy; `observe` is told of day starts, and changes nothing."""

    def __init__(self, policy: Policy, observe: Observer | None = None) -> None:
        self._policy = policy
        self._observe = observe
        self.follows_fleet: bool = policy.follows_fleet
        watched = observe is not None or self.follows_fleet
        self.watched_ms: int = policy.lifecycle.churned_after_ms if watched else 0
        """For so long after its last use every day start of an account is to be evaluated."""
        self._activity = policy.activity
        self.rules = Rulebook(policy)
        self._silence: Silence | None = policy.silence
        self._silence_after_ms: int = NEVER if policy.silence is None else policy.silence.after_ms
        self._silence_days: int = 0 if policy.silence is None else policy.silence.min_active_days
        self._churned_after_ms: int = policy.lifecycle.churned_after_ms
        self._holidays = policy.holidays
        self.watch = Watch(policy.signals)
        self._reasons = {"danger", "approaching", *(each.reason for each in policy.signals)}
        if policy.silence is not None:
            self._reasons.add(SILENCE)

    def relay(
        self, account: Account, score: float | None, at_ms: int, historical: bool, fx: Effects
    ) -> None:
        """Bring an account at once to where other rules, or another line, put a score of its own.

        It is not the account that moved: what changes is marked as `caused_by` the configuration,
        and kept for the one summary of all of them.
        """
        stage = self.lifecycle(account, at_ms)
        if not account.known or score is None or stage == "churned":
            return
        rules, danger, approach = self.rules.of(account), account.danger, account.approach
        if not rules.forecast_days:
            account.projected = False
        before = zone_of(danger, approach)
        danger.shift(score, rules.enter, rules.exit, at_ms)
        seen_as = min(score, 0.0) if account.projected else score
        approach.shift(seen_as, rules.approach, rules.approach_exit, at_ms)
        after = zone_of(danger, approach)
        if after == before:
            return
        was, account.zone = account.zone, after
        told = Effects()
        changes = self._zone_alerts(account, before, after, stage, at_ms)
        view = self.view(account, at_ms)
        self.tell(account, view, score, was, at_ms, historical, changes, told)
        for alert in told.alerts:
            alert.mark()
        fx.alerts += told.alerts
        if not historical:
            account.moved_ms, account.moved = at_ms, (before, after)

    def view(self, account: Account, at_ms: int) -> View:
        """Measures and lifecycle as of an instant; changes nothing."""
        activity, rules = self._activity, self.rules.of(account)
        now, holidays = account.measures(at_ms, activity), self.holidays_of(account)
        if rules.scorecard.asks_more:
            measure_more(account, now, rules.scorecard, holidays, activity)
        return View(
            now,
            account.fixed_measures(activity),
            facts_of(account, account.active_days(activity), holidays),
            self.lifecycle(account, at_ms),
            rules,
        )

    def lifecycle(self, account: Account, at_ms: int) -> Lifecycle:
        """Where the account is in its life."""
        facts = account.facts
        if facts is not None and facts.has_left:
            return "churned"
        if account.first_ms == NO_INSTANT:
            return "churned" if at_ms >= self._given_up_ms(account) else "new"
        return lifecycle(
            self._policy.lifecycle, at_ms, account.first_ms, account.last_ms, account.resurrected_ms
        )

    def _given_up_ms(self, account: Account) -> int:
        """When an account that has never used the product has left, if it goes on like that.

        Since its start, or since pulse met it if that was later.
        """
        met = account.notes.known_from
        if met == NEVER:
            return NEVER
        met_ms = max(day_start(met, account.calendar.timezone), account.resurrected_ms)
        return max(met_ms, account.started_ms()) + self._churned_after_ms

    def evaluate(
        self, account: Account, at_ms: int, day: bool, historical: bool, fx: Effects
    ) -> None:
        """Evaluate what was due at an instant; alerts that fire or resolve go to `fx`.

        Called at the close of a minute in which the account changed, at the start of its day
        (`day`), and at its deadlines, always in the order of time.
        """
        activity = self._activity
        if day:
            now, fixed = account.measures_of_day_start(at_ms, activity)
        else:
            now, fixed = account.measures(at_ms, activity), account.fixed_measures(activity)
        if account.facts is not None:
            _follow_subscription(account, account.facts, at_ms)
        rules, stage = self.rules.of(account), self.lifecycle(account, at_ms)
        active_days = account.active_days(activity)
        holidays = self.holidays_of(account)
        facts = facts_of(account, active_days, holidays)
        if rules.scorecard.asks_more:
            measure_more(account, now, rules.scorecard, holidays, activity)
        value = rules.scorecard.value(now, fixed, facts)
        score = None if value == NO_DATA else value
        account.score = score
        if day:
            first_ms = account.first_ms
            account.known = (
                score is not None
                and first_ms != NO_INSTANT
                and at_ms - first_ms >= rules.min_history_ms
                and active_days >= rules.min_active_days
                and _has_settled(account.facts, at_ms - rules.min_history_ms)
            )
        was: Zone = account.zone
        danger, approach = account.danger, account.approach
        before = after = zone_of(danger, approach)
        # Of an account whose sources are stopped nothing can be said.
        sources = account.sources
        known = account.known and not sources.frozen
        if known and score is not None and stage != "churned":
            turned = danger.follow(score, rules.enter, rules.exit, rules.dwell_ms, at_ms)
            if day and rules.forecast_days:
                # In the band the band says it.
                account.projected = (
                    not danger.on
                    and score >= rules.approach
                    and self.crossing(account, rules, score) is not None
                )
            seen_as = min(score, 0.0) if account.projected else score
            other = approach.follow(
                seen_as, rules.approach, rules.approach_exit, rules.dwell_ms, at_ms
            )
            if turned != other:
                # The zone has changed: it stays for a dwell before it changes again.
                waiting = approach if turned else danger
                if waiting.turning_ms != NO_INSTANT:
                    waiting.turning_ms = at_ms
            after = zone_of(danger, approach)
        else:
            account.projected = False
            danger.turning_ms = approach.turning_ms = NO_INSTANT
        # `unknown` hides the zone without ending what was found before.
        account.zone = after if known else "unknown"

        if day:
            account.note_day(score)
            if self._observe is not None:
                judged = known and stage != "churned"
                view = View(now, fixed, facts, stage, rules)
                self._observe(account, at_ms, view, score if judged else None)
        changes: list[Change] = []
        if after != before or account.alerts:
            changes = self._zone_alerts(account, before, after, stage, at_ms)
        quiet_ms = account.quiet_since_ms()
        if (
            self._silence is not None
            and quiet_ms != NO_INSTANT
            and (account.alerts or at_ms - quiet_ms >= self._silence_after_ms)
        ):
            changes += self._silence_alerts(account, active_days, stage, at_ms)
        if self.watch.is_needed(account, day):
            seen = Seen(account, at_ms, now, fixed, score, stage, active_days, holidays)
            self.watch.look(seen, day, changes)
        if account.alerts:
            for reason in [each for each in account.alerts if each not in self._reasons]:
                changes.append((reason, account.alerts.pop(reason), "rule_removed", None))
        if changes:
            view = View(now, fixed, facts, stage, rules)
            self.tell(account, view, score, was, at_ms, historical, changes, fx)
        if stage != LIFECYCLES[account.stage - 1] or not account.stage:
            self._move(account, stage, at_ms, fx)
        account.deadline_ms = self.next_deadline(account, at_ms, active_days, rules.dwell_ms)
        account.quiet = (
            SILENCE not in account.alerts
            and not sources.frozen
            and not danger.on
            and not approach.on
            and danger.turning_ms == NO_INSTANT
            and approach.turning_ms == NO_INSTANT
            and rules.scorecard.rises_with_use
        )

    def tell(
        self,
        account: Account,
        view: View,
        score: float | None,
        was: Zone,
        at_ms: int,
        historical: bool,
        changes: list[Change],
        fx: Effects,
    ) -> None:
        """Make alerts of what has changed."""
        policy, rules = self._policy, view.rules
        what = circumstances(
            account, view, was, at_ms, historical, self.holidays_of(account), self._activity
        )
        if "approaching" in account.alerts and score is not None:
            what.crossing = self.crossing(account, rules, score)
            what.is_projected = account.projected and score >= rules.approach
        for reason, opened, resolution, found in changes:
            what.found = None if found is None else (found.says, found.evidence)
            play = policy.plays.get(reason)
            fx.alerts.append(build(reason, opened, resolution, what, play, policy.version))

    def next_deadline(
        self, account: Account, after_ms: int, active_days: int, dwell_ms: int
    ) -> int:
        """The next instant after `after_ms` at which something is due without any event."""
        quiet_ms = account.quiet_since_ms()
        next_ms = self.watch.next_due(account, after_ms)
        turning_ms = account.danger.turning_ms
        if turning_ms != NO_INSTANT and after_ms < turning_ms + dwell_ms < next_ms:
            next_ms = turning_ms + dwell_ms
        turning_ms = account.approach.turning_ms
        if turning_ms != NO_INSTANT and after_ms < turning_ms + dwell_ms < next_ms:
            next_ms = turning_ms + dwell_ms
        if quiet_ms == NO_INSTANT:
            due_ms = self._given_up_ms(account)
            return due_ms if after_ms < due_ms < next_ms else next_ms
        if (
            active_days >= self._silence_days
            and self._silence is not None
            and after_ms < self._silent_ms(account) < next_ms
            and SILENCE not in account.alerts
        ):
            next_ms = self._silent_ms(account)
        # Those who look at the fleet want to know who has left.
        due_ms = quiet_ms + self._churned_after_ms
        if after_ms < due_ms < next_ms:
            next_ms = due_ms
        return next_ms

    def _zone_alerts(
        self, account: Account, before: Zone, after: Zone, stage: Lifecycle, at_ms: int
    ) -> list[Change]:
        changes: list[Change] = []
        if stage == "churned":
            # An account that has left raises nothing more, and nobody need look after it.
            for reason in sorted(account.alerts):
                if reason != CANCELLED or account.facts is None:
                    changes.append((reason, account.alerts.pop(reason), "churned", None))
            return changes
        if after == before:
            return changes
        if before in account.alerts:
            worse = _RANK[after] > _RANK[before]
            changes.append(
                (before, account.alerts.pop(before), "crossed" if worse else "recovered", None)
            )
        if _RANK[after] > _RANK[before]:
            trigger = account.danger if after == "danger" else account.approach
            since_ms = trigger.since_ms if trigger.since_ms != NO_INSTANT else at_ms
            account.alerts[after] = OpenAlert(at_ms, since_ms)
            changes.append((after, account.alerts[after], None, None))
        return changes

    def _silence_alerts(
        self, account: Account, active_days: int, stage: Lifecycle, at_ms: int
    ) -> list[Change]:
        rule, quiet_ms = self._silence, account.quiet_since_ms()
        if rule is None or quiet_ms == NO_INSTANT:
            return []
        opened = account.alerts.get(SILENCE)
        if opened is not None:
            if self._silent_ms(account) <= at_ms:
                return []
            del account.alerts[SILENCE]
            # Else there are holidays, or a source had stopped, which was not known before.
            is_back = quiet_ms > opened.since_ms
            return [(SILENCE, opened, "active_again" if is_back else "no_longer", None)]
        if (
            active_days < rule.min_active_days
            or self._silent_ms(account) > at_ms
            or account.sources.frozen
            or stage == "churned"
        ):
            return []
        account.alerts[SILENCE] = OpenAlert(at_ms, quiet_ms)
        return [(SILENCE, account.alerts[SILENCE], None, None)]

    def _silent_ms(self, account: Account) -> int:
        """When the account has been silent for long enough if nothing comes any more."""
        quiet_ms, day = account.quiet_since_ms(), account.last_day
        due_ms = quiet_ms + self._silence_after_ms
        holidays = self.holidays_of(account)
        if holidays is not None:
            if quiet_ms != account.last_ms:
                day = account.calendar.day_of(quiet_ms)
            days = self._silence_after_ms // DAY_MS
            due_ms += (holidays.put_off(day, days) - day - days) * DAY_MS
        return due_ms

    def holidays_of(self, account: Account) -> Holidays | None:
        """The holidays that hold for the account, None where there are none; days on which it was
        not observed are like them.
        """
        free = self._holidays.of(account.profile)
        if not account.sources.has_unseen:
            return free
        unseen = account.sources.unseen
        return Holidays(unseen if free is None else free.days + unseen)

    def crossing(self, account: Account, rules: Rules, score: float) -> Crossing | None:
        """When the score reaches the line by the day starts behind it, if it does so soon.

        An account that approaches already is watched for twice as long, so that it does not
        flap.
        """
        notes, today = account.notes, account.calendar.day
        within = float(rules.forecast_days) * (2.0 if account.approach.on else 1.0)
        scores = list[tuple[int, float]]()
        for day in range(today - FORECAST_DAYS + 1, today):
            noted = notes.score_on(day, today)
            if noted is None:
                continue
            if not scores and not may_cross(
                today - day, noted - score, score - rules.enter, within
            ):
                return None
            scores.append((day, noted))
        scores.append((today, score))
        return crossing(scores, rules.enter, within)

    def _move(self, account: Account, stage: Lifecycle, at_ms: int, fx: Effects) -> None:
        profile, before = account.profile, account.stage
        account.stage = LIFECYCLES.index(stage) + 1
        fx.moves.append(
            Move(
                at_ms,
                account.account_id,
                "" if profile is None else profile.segment,
                LIFECYCLES[before - 1] if before else None,
                stage,
            )
        )
