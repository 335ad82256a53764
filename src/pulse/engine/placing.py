"""Accounts that are brought at once to where their score puts them, without a dwell.

That is so where it is not the account that moved: other rules came into force, another line holds,
or a load has brought its past.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.engagement.days import NO_INSTANT
from pulse.engagement.line import zone_of
from pulse.engine.state import Effects

if TYPE_CHECKING:
    from pulse.engagement.account import Account
    from pulse.engine.evaluate import Evaluator


def relay(
    evaluator: Evaluator,
    account: Account,
    score: float | None,
    at_ms: int,
    historical: bool,
    fx: Effects,
) -> None:
    """Bring an account to where other rules, or another line, put a score of its own.

    What changes is marked as `caused_by` the configuration, and kept for the one summary of all.
    """
    told = Effects()
    before = zone_of(account.danger, account.approach)
    _shift(evaluator, account, score, at_ms, historical, told)
    after = zone_of(account.danger, account.approach)
    for alert in told.alerts:
        alert.mark()
    fx.alerts += told.alerts
    if after != before and not historical:
        account.moved_ms, account.moved = at_ms, (before, after)


def place(
    evaluator: Evaluator, account: Account, at_ms: int, historical: bool, fx: Effects
) -> None:
    """Bring an account to where its score puts it, since its past has changed.

    Whether it is known well enough is seen as at the start of a day.
    """
    score = evaluator.view(account, at_ms).score().value
    account.known = evaluator.is_known(account, score, at_ms)
    if not account.sources.frozen:
        # Whatever dwell goes on began with half of its past.
        account.danger.turning_ms = account.approach.turning_ms = NO_INSTANT
        _shift(evaluator, account, score, at_ms, historical, fx)


def _shift(
    evaluator: Evaluator,
    account: Account,
    score: float | None,
    at_ms: int,
    historical: bool,
    fx: Effects,
) -> None:
    stage = evaluator.lifecycle(account, at_ms)
    if not account.known or score is None or stage == "churned":
        return
    rules, danger, approach = evaluator.rules.of(account), account.danger, account.approach
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
    changes = evaluator.zone_alerts(account, before, after, stage, at_ms)
    view = evaluator.view(account, at_ms)
    evaluator.tell(account, view, score, was, at_ms, historical, changes, fx)
