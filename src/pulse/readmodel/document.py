"""An account's document: what the read model holds of one account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pulse.engagement.days import NO_INSTANT
from pulse.engagement.measures import readable
from pulse.engagement.on_demand import row_on
from pulse.engagement.windows import THEN_DAYS
from pulse.model.time import format_ms
from pulse.readmodel.turnover import turnover

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pulse.engagement.account import Account, Activity
    from pulse.engagement.holidays import Holidays
    from pulse.engagement.scorecard import Scorecard

_TIMES: Final = frozenset({"started_at", "renewal_at"})
_28D: Final = 1


def document(
    account: Account,
    status: Mapping[str, Any],
    scorecard: Scorecard,
    activity: Activity,
    holidays: Holidays | None = None,
) -> dict[str, Any]:
    """The account's status (`Engine.status`: a line of `--accounts-out`), with what explains it.

    Added to the status are:

    - `since`: when the account went where its zone comes from; null where that is not known
    - `out_of`: for each contribution, the points it could have at most
    - `then`: measures and score at the start of the day 28 days ago; null where there is no past
    - `turnover`: of `active_users` and of `features` who came and who left (`turnover`)
    - `profile`: what is known of the account; unknown fields are absent
    - `alerts`: the firing ones, `[{"reason", "started_at", "since"}]`, the oldest first

    `scorecard` is that of the account's segment, `activity` what counts as active, `holidays`
    those of the account.
    """
    since_ms = _zone_since_ms(account)
    said = {} if account.profile is None else account.profile.said()
    return {
        **status,
        "since": None if since_ms == NO_INSTANT else format_ms(since_ms),
        "out_of": _out_of(status["contributions"], scorecard),
        "then": _then(account, scorecard, activity, holidays),
        "turnover": _turnover(account),
        "profile": {
            field: format_ms(value) if field in _TIMES and isinstance(value, int) else value
            for field, (_, _, value) in sorted(said.items())
            if value is not None
        },
        "alerts": [
            {
                "reason": reason,
                "started_at": format_ms(alert.started_ms),
                "since": format_ms(alert.since_ms),
            }
            for reason, alert in sorted(account.alerts.items(), key=lambda each: each[1])
        ],
    }


def _zone_since_ms(account: Account) -> int:
    danger, approach = account.danger, account.approach
    if account.zone == "danger":
        return danger.since_ms
    if account.zone == "approaching":
        # It came from below (danger ended) or from above; whichever was last.
        return max(danger.since_ms, approach.since_ms)
    return approach.since_ms if account.zone == "healthy" else NO_INSTANT


def _out_of(contributions: Mapping[str, float], scorecard: Scorecard) -> dict[str, float]:
    # A measure without data gives its weight to the others.
    weights = {rule.name: rule.weight for rule in scorecard.rules if rule.name in contributions}
    total = sum(weights.values())
    return {name: round(100.0 * weight / total, 2) for name, weight in weights.items()}


def _then(
    account: Account, scorecard: Scorecard, activity: Activity, holidays: Holidays | None
) -> dict[str, Any] | None:
    row = row_on(account, account.calendar.day - THEN_DAYS, scorecard, holidays, activity)
    if row is None:
        return None
    return {
        "score": None if row.score is None else round(row.score, 2),
        "measures": readable(row.measures),
    }


def _turnover(account: Account) -> dict[str, Any]:
    today, notes = account.calendar.day, account.notes
    then = today - THEN_DAYS
    is_known = notes.knows(then, today)
    return {
        "active_users": turnover(
            account.users, today, notes.users_on(then)[_28D] if is_known else None
        ),
        "features": turnover(
            account.features, today, notes.features_on(then)[_28D] if is_known else None
        ),
    }
