"""The product that is made up: its plans, its features, and the steps of its onboarding."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

EPOCH: Final = date(1970, 1, 1).toordinal()


def date_of(day: int) -> date:
    """The date of a day, which is counted from 1970-01-01 on.

    >>> date_of(20089).isoformat()
    '2025-01-01'
    """
    return date.fromordinal(day + EPOCH)


def weekday(day: int) -> int:
    """0 for Monday to 6 for Sunday.

    >>> weekday(20089)
    2
    """
    return (day + 3) % 7


@dataclass(frozen=True, slots=True)
class Plan:
    """What can be bought."""

    name: str
    segment: str
    share: int
    """Of 100 accounts."""
    seats: tuple[int, int]
    price: int
    """A month, for each seat."""
    leaves: float
    """How fast accounts leave, beside those of all plans."""
    is_yearly: bool
    """Whether there is a contract that renews each year."""
    key_feature: str
    """What it is bought for."""


PLANS: Final = (
    Plan("starter", "smb", 50, (2, 8), 15, 1.3, False, "boards"),
    Plan("team", "mid-market", 35, (6, 20), 25, 0.8, True, "reports"),
    Plan("business", "enterprise", 15, (15, 45), 40, 0.5, True, "automations"),
)


@dataclass(frozen=True, slots=True)
class Feature:
    """A part of the product, and what using it sends."""

    name: str
    event: str
    share: float
    """Of the use, beside the others."""
    value: float
    """Of one event, on average: minutes of work that it saves."""
    season: str = "always"
    """When it is used more: at the end of a month, of a quarter, or of a year."""
    plans: tuple[str, ...] = ("starter", "team", "business")


FEATURES: Final = (
    Feature("tasks", "task.updated", 30, 2),
    Feature("boards", "board.moved", 18, 2),
    Feature("comments", "comment.posted", 14, 1),
    Feature("search", "search.run", 8, 1),
    Feature("files", "file.shared", 6, 3),
    Feature("reports", "report.run", 10, 12, "month", ("team", "business")),
    Feature("invoices", "invoice.made", 4, 15, "month"),
    Feature("automations", "automation.edited", 6, 20, "always", ("business",)),
    Feature("forecasts", "forecast.made", 4, 30, "quarter", ("business",)),
    Feature("budgets", "budget.edited", 3, 25, "year", ("team", "business")),
)
AUTOMATION: Final = Feature("automations", "automation.ran", 0, 4)
"""What the account itself does, by itself, where it has automations."""

STEPS: Final = (
    ("project.created", 0, 2),
    ("member.invited", 1, 5),
    ("data.imported", 3, 12),
)
"""The onboarding: each step's event, and from which day to which it comes after the start."""


def season(name: str, day: int) -> float:
    """How much more a feature is used on a day than it usually is.

    >>> season("month", 20089 + 30), season("month", 20089 + 14), season("always", 20089)
    (2.5, 0.7, 1.0)
    """
    if name == "always":
        return 1.0
    today = date_of(day)
    is_end = date_of(day + 4).month != today.month or today.day <= 2
    if name == "month":
        return 2.5 if is_end else 0.7
    if name == "quarter":
        near = today.month % 3 == 0 and today.day >= 15
        return 2.5 if near else 0.5
    return 2.5 if today.month in (10, 11, 12) else 0.5
