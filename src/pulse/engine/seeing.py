"""An account as it is seen at one instant: for its score, for alerts, for those who look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pulse.alerting.alert import Circumstances
from pulse.engagement.days import NO_INSTANT, day_start
from pulse.engagement.holidays import NONE
from pulse.engagement.on_demand import row_on
from pulse.engagement.scorecard import Facts, Score
from pulse.engagement.windows import THEN_DAYS

if TYPE_CHECKING:
    from pulse.engagement.account import Account, Activity
    from pulse.engagement.holidays import Holidays
    from pulse.engagement.lifecycle import Lifecycle
    from pulse.engagement.line import Zone
    from pulse.engagement.measures import Measures
    from pulse.engine.rules import Rules


class View:
    """An account seen at one instant."""

    __slots__ = ("facts", "fixed", "lifecycle", "now", "rules")

    def __init__(
        self, now: Measures, fixed: Measures, facts: Facts, lifecycle: Lifecycle, rules: Rules
    ) -> None:
        self.now = now
        self.fixed = fixed
        self.facts = facts
        self.lifecycle = lifecycle
        self.rules = rules

    def score(self) -> Score:
        """The score, and what each measure contributes."""
        return self.rules.scorecard.score(self.now, self.fixed, self.facts)

    def shares(self) -> dict[str, float]:
        """Each measure's share of its full marks, 0 to 1; those without data are left out."""
        return self.rules.scorecard.shares(self.now, self.fixed, self.facts)


def facts_of(account: Account, active_days: int, holidays: Holidays | None) -> Facts:
    """What a scorecard may use of the account besides its measures."""
    free, free_since = NONE, 0
    if holidays is not None:
        today = account.calendar.day
        free = holidays.in_windows(today)
        if free[2]:
            free_since = holidays.between(account.last_day + 1, today)
    profile = account.profile
    seats = 0.0 if profile is None else profile.seats
    mrr = 0.0 if profile is None else profile.mrr
    return Facts(seats, mrr, account.baseline_days(), active_days, free, free_since)


def circumstances(
    account: Account,
    view: View,
    was: Zone,
    at_ms: int,
    historical: bool,
    holidays: Holidays | None,
    activity: Activity,
) -> Circumstances:
    """All that is known of an account at the instant at which an alert changes its state."""
    calendar = account.calendar
    then_day = calendar.day - THEN_DAYS
    scorecard = view.rules.scorecard
    then = row_on(account, then_day, scorecard, holidays, activity)
    key_features = scorecard.key_features
    score = view.score()
    said = {} if account.profile is None else account.profile.said()
    profile: dict[str, Any] = {
        name: said[name][2] for name in sorted(said) if said[name][2] is not None
    }
    return Circumstances(
        account_id=account.account_id,
        at_ms=at_ms,
        zone=account.zone,
        previous_zone=was,
        lifecycle=view.lifecycle,
        score=score.value,
        contributions=score.contributions,
        line=view.rules.line,
        now=view.now,
        then=then,
        then_at_ms=None if then is None else day_start(then_day, calendar.timezone),
        last_ms=None if account.last_ms == NO_INSTANT else account.last_ms,
        active_days=account.active_days(activity),
        profile=profile,
        historical=historical,
        today=calendar.day,
        scores=account.notes.points_before(calendar.day),
        is_cancelled=account.facts is not None and account.facts.cancelled_ms != NO_INSTANT,
        given_up=[]
        if key_features is None
        else key_features.given_up(account.features, calendar.day),
    )
