"""Who left of those whose alerts were sent, and of those whose alerts were held out."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pulse.engagement.days import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pulse.calibration.outcomes import Stay


class Group(NamedTuple):
    """Accounts that had an alert, and how many of them left."""

    accounts: int = 0
    left: int = 0


class Effect(NamedTuple):
    """Both groups."""

    sent: Group
    held_out: Group


def effect(
    alerts: Iterable[tuple[str, int]],
    outcomes: Mapping[str, tuple[Stay, ...]],
    is_held_out: Callable[[str, int], bool],
    horizon_days: int,
    known_until_ms: int,
    since_ms: int = 0,
) -> Effect:
    """Of alerts (account, instant in ms): each account counts once, by its first one to be judged.

    Alerts before `since_ms` say nothing: nobody was held out yet.

    It left if its stay ended within the horizon after that. An alert so late that it is not known
    what came of it is not judged, nor one outside of every stay.

    >>> from pulse.calibration.outcomes import Stay
    >>> outcomes = {"acme": (Stay(None, 5 * DAY_MS),), "beta": (Stay(None, None),)}
    >>> alerts = [("acme", 0), ("acme", DAY_MS), ("beta", 0)]
    >>> effect(alerts, outcomes, lambda account, at_ms: account == "beta", 10, 20 * DAY_MS)
    Effect(sent=Group(accounts=1, left=1), held_out=Group(accounts=1, left=0))
    """
    judged: dict[str, tuple[bool, bool]] = {}
    for account_id, at_ms in sorted(alerts, key=lambda each: each[1]):
        if account_id in judged or at_ms < since_ms:
            continue
        until_ms = at_ms + horizon_days * DAY_MS
        for stay in outcomes.get(account_id, ()):
            if (stay.started_ms or 0) <= at_ms and (stay.churned_ms or until_ms) > at_ms:
                left = stay.churned_ms is not None and stay.churned_ms < until_ms
                if left or until_ms <= known_until_ms:
                    judged[account_id] = is_held_out(account_id, at_ms), left
    groups = {False: Group(), True: Group()}
    for held, left in judged.values():
        groups[held] = Group(groups[held].accounts + 1, groups[held].left + left)
    return Effect(groups[False], groups[True])
