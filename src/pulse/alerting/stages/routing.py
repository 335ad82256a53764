"""Which alerts go to whom: a tree of routes, as Alertmanager has it.

An alert goes into the tree at its root, which takes all. In each route it goes to the first of the
routes below that matches, and on to the next one where that says `continue`; where none of them
matches, the route itself has it. A receiver gets an alert once, by the first way to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pulse.alerting.brief import Decision
from pulse.alerting.stages.hours import Hours
from pulse.alerting.stages.matching import Matcher, fits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pulse.alerting.brief import Brief

LABELS: Final = ("alert", "account", "owner", "segment", "plan", "reason", "severity")
"""What alerts can be grouped by. `alert`: each on its own."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """A receiver, as far as it matters to what it is told. `reasons` are shell patterns."""

    name: str
    reasons: tuple[str, ...] = ("*",)
    send_resolved: bool = True
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route, with what it has from those above it filled in.

    `wait_ms` gathers alerts before they are told; `interval_ms` is the least time between two
    notifications of a group; after `repeat_ms` an alert that still fires is told again (None:
    never). `budgeted`: its alerts count for their owners' budgets. `key` names it, the same as long
    as its matchers and those above it are.
    """

    match: Matcher = field(default_factory=Matcher)
    receivers: tuple[str, ...] = ()
    goes_on: bool = False
    group_by: tuple[str, ...] = ("alert",)
    wait_ms: int = 0
    interval_ms: int = 0
    repeat_ms: int | None = None
    hours: Hours = field(default_factory=Hours)
    budgeted: bool = True
    routes: tuple[Route, ...] = ()
    key: str = "all"

    def ways(self, brief: Brief) -> Iterator[Route]:
        """The routes that have the alert, in their order; the alert is one of this route's."""
        found = False
        for each in self.routes:
            if each.match.matches(brief):
                found = True
                yield from each.ways(brief)
                if not each.goes_on:
                    break
        if not found:
            yield self

    def all(self) -> Iterator[Route]:
        """This route and all below it."""
        yield self
        for each in self.routes:
            yield from each.all()


def route(
    root: Route, addressees: Mapping[str, Addressee], brief: Brief
) -> Iterator[tuple[Route, Addressee] | Decision]:
    """Where an alert goes: a route and a receiver each; a decision where it does not go."""
    reached: set[str] = set()
    for way in root.ways(brief):
        for name in way.receivers:
            if name in reached:
                yield Decision(brief.id, name, "route", "routed_before")
            elif name not in addressees:
                yield Decision(brief.id, name, "route", "no_such_receiver")
            elif not fits(addressees[name].reasons, brief.reason, *brief.stands_for):
                yield Decision(brief.id, name, "route", "reason_not_wanted")
            else:
                reached.add(name)
                yield way, addressees[name]


def labels(brief: Brief, group_by: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """What an alert's group is known by.

    >>> from pulse.alerting.brief import Brief
    >>> said = {"id": "al_1", "account_id": "acme", "reason": "danger", "status": "firing"}
    >>> labels(Brief(**said, severity="critical", at_ms=0, owner="kim"), ("owner", "account"))
    (('owner', 'kim'), ('account', 'acme'))
    """
    values = {
        "alert": brief.id,
        "account": brief.account_id,
        "owner": brief.owner,
        "segment": brief.segment,
        "plan": brief.plan,
        "reason": brief.reason,
        "severity": brief.severity,
    }
    return tuple((name, values[name]) for name in group_by)
