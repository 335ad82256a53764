"""A history in which every reason to alert occurs, once at least, by the defaults.

Each account is called as the reason that it is there for. They live for half a year, mostly from
Monday to Friday.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulse.model.time import format_ms
from pulse.testing.histories import profile, usage

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY_MS: Final = 86_400_000
HOUR_MS: Final = 3_600_000
START_MS: Final = 1_704_067_200_000
"""2024-01-01, a Monday."""
DAYS: Final = 180

SETTINGS: Final[dict[str, Any]] = {
    "signals": {
        "stalled_onboarding": {"steps": [{"event": "project.created", "within_days": 3}]},
    },
}
"""What the defaults lack: the steps of an onboarding are the product's own."""

REASONS: Final = (
    "danger",
    "approaching",
    "silence",
    "usage_drop",
    "champion_gone",
    "feature_abandoned",
    "unused_seats",
    "outgrows_seats",
    "stalled_onboarding",
    "check_in_overdue",
    "renewal_at_risk",
    "ready_to_ask",
    "payment_failed",
    "card_expiring",
    "subscription_cancelled",
    "support_waiting",
    "bug_open",
    "detractor",
)

_TEAM: Final = ("ada", "bob", "cyd", "dan", "eve")


class _Did(NamedTuple):
    """So many events of one kind on a day."""

    user: str
    feature: str
    times: int


_FACTS: Final[dict[str, list[tuple[float, str, dict[str, Any]]]]] = {
    "check_in_overdue": [(20, "check_in", {})],
    "payment_failed": [(40.3, "payment_failed", {}), (50, "payment_recovered", {})],
    "card_expiring": [
        (10, "card_updated", {"expires_at": format_ms(START_MS + 120 * DAY_MS)}),
        (118.2, "card_updated", {"expires_at": "2030-01"}),
    ],
    "subscription_cancelled": [
        (60, "nps", {"score": 1}),
        (70.7, "subscription_cancelled", {}),
        (100, "payment_failed", {}),
        (140.1, "subscription_resumed", {}),
    ],
    "support_waiting": [
        (33.3, "support_opened", {"id": "T1"}),
        (39, "support_answered", {"id": "T1"}),
    ],
    "bug_open": [(33.3, "bug_reported", {"id": 7}), (60, "bug_closed", {"id": 7})],
    "detractor": [(30, "nps", {"score": 3}), (150, "csat", {"score": 1})],
}
_PROFILES: Final[dict[str, dict[str, Any]]] = {
    "unused_seats": {"seats": 50},
    "outgrows_seats": {"seats": 5},
    "renewal_at_risk": {"renewal_at": format_ms(START_MS + 160 * DAY_MS)},
    "ready_to_ask": {"seats": 6},
    "danger": {"name": "Danger Ltd", "timezone": "America/St_Johns"},
}


def every_signal() -> list[bytes]:
    """The lines, in the order of their time."""
    told = sorted(line for reason in REASONS for line in _story(reason))
    return [raw for _, raw in told]


def _story(account: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    facts = {"name": account.replace("_", " ").title(), **_PROFILES.get(account, {})}
    yield START_MS, profile(f"{account}-p", account, START_MS, **facts)
    for day, event, properties in _FACTS.get(account, []):
        number += 1
        at_ms = START_MS + round(day * DAY_MS)
        event_id = f"{account}-f{number}"
        yield at_ms, usage(event_id, account, at_ms, event=event, properties=properties)
    event = "used" if account == "stalled_onboarding" else "project.created"
    for day in range(DAYS):
        at_ms = START_MS + day * DAY_MS + 9 * HOUR_MS
        for user, feature, times in _day(account, day):
            for _ in range(times):
                number += 1
                at_ms += 61_000
                yield at_ms, usage(
                    f"{account}-{number}", account, at_ms,
                    event=event, user_id=user, properties={"feature": feature},
                )  # fmt: skip
                event = "used"


def _day(account: str, day: int) -> list[_Did]:
    """What is done on a day."""
    if day % 7 >= 5:
        return []
    if account in ("danger", "approaching", "renewal_at_risk") and day >= 90 and day % 14:
        return []
    if account == "silence" and 90 <= day < 113:
        return []
    if account == "usage_drop":
        return [_Did("ada", "list", 8 if day < 100 else 2)]
    if account == "champion_gone":
        return [_Did("bob", "list", 1)] + ([_Did("ada", "list", 4)] if day < 61 else [])
    if account == "feature_abandoned":
        return [_Did("ada", "list", 3)] + ([_Did("ada", "map", 3)] if day < 61 else [])
    if account in ("outgrows_seats", "ready_to_ask"):
        return [_Did(user, "list", 1) for user in _TEAM]
    return [_Did("ada", "list", 1), _Did("bob", "map", 1)]
