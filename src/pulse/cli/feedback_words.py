"""What became of alerts, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pulse.alerting.people.precision import interval
from pulse.model.time import format_ms

if TYPE_CHECKING:
    from pulse.calibration.holdout import Effect, Group


def percent(share: float | None) -> str:
    """A share.

    >>> percent(0.15), percent(None)
    ('15 %', '-')
    """
    return "-" if share is None else f"{100 * share:.0f} %"


def effect_in_words(found: Effect, horizon_days: int, since_ms: int = 0) -> str:
    """Who left, of those who were told of and of those who were not, from an instant (ms) on.

    >>> from pulse.calibration.holdout import Effect, Group
    >>> print(effect_in_words(Effect(Group(120, 18), Group(0, 0)), 90, 1_767_225_600_000))
    of accounts with an alert from 2026-01-01 on, these left within 90 days of it:
      sent      18 of 120, 15 % (10 to 22)
      held out  0 of 0
    """
    since = f" from {format_ms(since_ms)[:10]} on" if since_ms else ""
    return "\n".join(
        [
            f"of accounts with an alert{since}, these left within {horizon_days} days of it:",
            f"  sent      {_share(found.sent)}",
            f"  held out  {_share(found.held_out)}",
        ]
    )


def _share(group: Group) -> str:
    said = f"{group.left:,} of {group.accounts:,}"
    if not group.accounts:
        return said
    low, high = interval(group.left, group.accounts)
    return f"{said}, {percent(group.left / group.accounts)} ({100 * low:.0f} to {100 * high:.0f})"
