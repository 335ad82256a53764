"""From an account's measures to its score, zone and alerts, at one instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pulse.alerting.alert import THEN_DAYS, Circumstances, build
from pulse.engagement.account import NEVER, Account, OpenAlert
from pulse.engagement.days import day_start
from pulse.engagement.lifecycle import Lifecycle, lifecycle
from pulse.engagement.line import Line, Zone, zone_of
from pulse.engagement.scorecard import Facts, Score
from pulse.signals import silence

if TYPE_CHECKING:
    from pulse.engagement.measures import Measures
    from pulse.engine.policy import Policy, SegmentPolicy
    from pulse.model.alert import Alert, Resolution
    from pulse.signals.silence import Silence

_Change = tuple[str, OpenAlert, "Resolution | None"]
"""A reason whose alert has opened or, with a resolution, closed."""

_RANK: dict[Zone, int] = {"unknown": 0, "healthy": 1, "approaching": 2, "danger": 3}


class View(NamedTuple):
    """An account seen at one instant."""

    measures: Measures
    score: Score
    lifecycle: Lifecycle
    rules: SegmentPolicy

    @property
    def line(self) -> Line:
        """The line that holds for the account."""
        return self.rules.line


class Evaluator:
    """Evaluates accounts by one policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def view(self, account: Account, at_ms: int, *, day: bool = False) -> View:
        """Measures, score and lifecycle as of an instant; changes nothing.

        `day` says that it is the start of the account's day.
        """
        policy = self._policy
        if day:
            now, fixed = account.measures_of_day_start(at_ms, policy.activity)
        else:
            now = account.measures(at_ms, policy.activity)
            fixed = account.fixed_measures(policy.activity)
        rules, seats, mrr = policy.default, None, None
        if account.profile:
            rules = policy.of_segment(account.fact("segment"))
            seats, mrr = account.fact("seats"), account.fact("mrr")
        facts = Facts(seats, mrr, account.baseline_days())  # type: ignore[arg-type]  # as checked
        score = rules.scorecard.score(now, fixed, facts)
        return View(now, score, self.lifecycle(account, at_ms), rules)

    def lifecycle(self, account: Account, at_ms: int) -> Lifecycle:
        """Where the account is in its life."""
        return lifecycle(
            self._policy.lifecycle, at_ms, account.first_ms, account.last_ms, account.resurrected_ms
        )

    def evaluate(
        self, account: Account, at_ms: int, *, day: bool, historical: bool, out: list[Alert]
    ) -> None:
        """Evaluate what was due at an instant; alerts that fire or resolve go to `out`.

        Called at the close of a minute in which the account changed, at the start of its day
        (`day`), and at its deadlines, always in the order of time.
        """
        policy = self._policy
        view = self.view(account, at_ms, day=day)
        line, score = view.rules.line, view.score.value
        account.score = score
        active_days = account.active_days(policy.activity)
        if day:
            account.known = (
                score is not None
                and account.first_ms is not None
                and at_ms - account.first_ms >= line.min_history_ms
                and active_days >= line.min_active_days
            )
        was: Zone = account.zone
        danger, approach = account.danger, account.approach
        before = after = zone_of(danger, approach)
        if account.known and score is not None and view.lifecycle != "churned":
            danger.follow(score, line.enter, line.exit, line.dwell_ms, at_ms)
            approach.follow(score, line.approach, line.approach_exit, line.dwell_ms, at_ms)
            after = zone_of(danger, approach)
        else:
            danger.turning_ms = approach.turning_ms = None
        # `unknown` hides the zone without ending what was found before.
        account.zone = after if account.known else "unknown"

        if day:
            account.note_day(score, view.measures)
        changes: list[_Change] = []
        if after != before or account.alerts:
            changes = self._zone_alerts(account, before, after, view, at_ms)
        if policy.silence is None:
            if silence.REASON in account.alerts:
                gone = account.alerts.pop(silence.REASON)
                changes.append((silence.REASON, gone, "rule_removed"))
        else:
            changes += self._silence_alerts(account, policy.silence, active_days, view, at_ms)
        if changes:
            what = self._circumstances(account, view, was, active_days, at_ms, historical)
            for reason, opened, resolution in changes:
                play = policy.plays.get(reason)
                out.append(build(reason, opened, resolution, what, play, policy.version))
        account.deadline_ms = self.next_deadline(account, at_ms, active_days, line)
        account.quiet = (
            not account.alerts
            and not danger.on
            and not approach.on
            and danger.turning_ms is None
            and approach.turning_ms is None
            and view.rules.scorecard.rises_with_use
        )

    def next_deadline(self, account: Account, after_ms: int, active_days: int, line: Line) -> int:
        """The next instant after `after_ms` at which something is due without any event."""
        policy, last_ms = self._policy, account.last_ms
        next_ms = NEVER
        for turning_ms in (account.danger.turning_ms, account.approach.turning_ms):
            if turning_ms is not None and after_ms < turning_ms + line.dwell_ms < next_ms:
                next_ms = turning_ms + line.dwell_ms
        if policy.silence is not None and silence.REASON not in account.alerts:
            due_ms = policy.silence.due_ms(last_ms, active_days)
            if after_ms < due_ms < next_ms:
                next_ms = due_ms
        if last_ms is not None:
            # Those who look at the fleet want to know who has left.
            due_ms = last_ms + policy.lifecycle.churned_after_ms
            if after_ms < due_ms < next_ms:
                next_ms = due_ms
        return next_ms

    def _zone_alerts(
        self, account: Account, before: Zone, after: Zone, view: View, at_ms: int
    ) -> list[_Change]:
        changes: list[_Change] = []
        if view.lifecycle == "churned":
            # An account that has left raises nothing more, and nobody need look after it.
            for reason in sorted(account.alerts):
                changes.append((reason, account.alerts.pop(reason), "churned"))
            return changes
        if after == before:
            return changes
        if before in account.alerts:
            worse = _RANK[after] > _RANK[before]
            changes.append(
                (before, account.alerts.pop(before), "crossed" if worse else "recovered")
            )
        if _RANK[after] > _RANK[before]:
            trigger = account.danger if after == "danger" else account.approach
            since_ms = trigger.since_ms if trigger.since_ms is not None else at_ms
            account.alerts[after] = OpenAlert(at_ms, since_ms)
            changes.append((after, account.alerts[after], None))
        return changes

    def _silence_alerts(
        self, account: Account, rule: Silence, active_days: int, view: View, at_ms: int
    ) -> list[_Change]:
        last_ms = account.last_ms
        if last_ms is None:
            return []
        opened = account.alerts.get(silence.REASON)
        if opened is not None:
            if last_ms + rule.after_ms <= at_ms:
                return []
            del account.alerts[silence.REASON]
            return [(silence.REASON, opened, "active_again")]
        if rule.due_ms(last_ms, active_days) > at_ms or view.lifecycle == "churned":
            return []
        account.alerts[silence.REASON] = OpenAlert(at_ms, last_ms)
        return [(silence.REASON, account.alerts[silence.REASON], None)]

    def _circumstances(
        self,
        account: Account,
        view: View,
        was: Zone,
        active_days: int,
        at_ms: int,
        historical: bool,
    ) -> Circumstances:
        calendar = account.calendar
        then_day = calendar.day - THEN_DAYS
        then = account.row_on(then_day)
        profile: dict[str, Any] = {
            name: value
            for name, (_, _, value) in sorted(account.profile.items())
            if value is not None
        }
        return Circumstances(
            account_id=account.account_id,
            at_ms=at_ms,
            zone=account.zone,
            previous_zone=was,
            lifecycle=view.lifecycle,
            score=view.score.value,
            contributions=view.score.contributions,
            line=view.line,
            now=view.measures,
            then=then,
            then_at_ms=None if then is None else day_start(then_day, calendar.timezone),
            last_ms=account.last_ms,
            active_days=active_days,
            profile=profile,
            historical=historical,
        )
