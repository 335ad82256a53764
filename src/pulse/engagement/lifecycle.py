"""Where an account is in its life: new, current, resurrected, dormant, churned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pulse.engagement.days import NO_INSTANT

Lifecycle = Literal["new", "current", "resurrected", "dormant", "churned"]
LIFECYCLES: tuple[Lifecycle, ...] = ("new", "current", "resurrected", "dormant", "churned")


@dataclass(frozen=True, slots=True)
class LifecycleRule:
    """The lengths of time that separate the stages, in milliseconds."""

    new_ms: int
    dormant_after_ms: int
    churned_after_ms: int


def lifecycle(
    rule: LifecycleRule,
    at_ms: int,
    first_ms: int,
    last_ms: int,
    resurrected_ms: int,
) -> Lifecycle:
    """The stage at an instant.

    `first_ms` and `last_ms` are the first and the last meaningful event; `resurrected_ms` is the
    instant at which the account last came back, from dormancy or by resuming its subscription; it
    counts as use. Quiet is not churned: an account is dormant first. Each is `NO_INSTANT` where
    there was none. (Of an account that never used the product only its start says whether it has
    left.)
    """
    if first_ms == NO_INSTANT or last_ms == NO_INSTANT:
        return "new"
    idle_ms = at_ms - (last_ms if last_ms > resurrected_ms else resurrected_ms)
    if idle_ms >= rule.churned_after_ms:
        return "churned"
    if idle_ms >= rule.dormant_after_ms:
        return "dormant"
    if resurrected_ms != NO_INSTANT and at_ms - resurrected_ms < rule.dormant_after_ms:
        return "resurrected"
    if at_ms - first_ms < rule.new_ms:
        return "new"
    return "current"
