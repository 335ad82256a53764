"""Which way an alert would go at an instant, by the rules alone: nothing that fires is known.

The stages are those of `pulse.alerting.pipeline`; each is asked, and none remembers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from pulse.alerting.brief import Decision
from pulse.alerting.everybody.fleet import FALLS
from pulse.alerting.stages.muting import closed
from pulse.alerting.stages.routing import labels, route

if TYPE_CHECKING:
    from pulse.alerting.book import Rules
    from pulse.alerting.brief import Brief
    from pulse.alerting.stages.muting import Inhibition, Mute
    from pulse.alerting.stages.routing import Addressee, Route


@dataclass(frozen=True, slots=True)
class Way:
    """One receiver that gets the alert. `held` says why not at once; `digest_ms` is when it would
    be told if its owner's budget were spent, None where it costs none.
    """

    to: Addressee
    route: Route
    group: tuple[tuple[str, str], ...]
    held: Mute | None
    digest_ms: int | None


@dataclass(frozen=True, slots=True)
class Trial:
    """All that can be said of an alert. `chosen`: the owner was chosen by rule, as for an account
    that is the first one. `inhibitions` are those that mute it: always, or while another fires.
    """

    brief: Brief
    chosen: bool
    ways: tuple[Way, ...]
    not_to: tuple[Decision, ...]
    inhibitions: tuple[Inhibition, ...]
    falls: bool


def try_route(rules: Rules, brief: Brief, now_ms: int) -> Trial:
    """What becomes of an alert that fires now.

    >>> from pulse.alerting.book import Rules
    >>> from pulse.alerting.brief import Brief
    >>> from pulse.alerting.stages.routing import Addressee, Route
    >>> rules = Rules(root=Route(receivers=("cs",)), addressees={"cs": Addressee("cs")})
    >>> said = {"account_id": "acme", "reason": "danger", "severity": "critical", "at_ms": 0}
    >>> trial = try_route(rules, Brief(id="al_1", status="firing", **said), now_ms=0)
    >>> [way.to.name for way in trial.ways]
    ['cs']
    """
    brief = rules.holdout.of(brief)
    owner = rules.owners.owner_of(brief, "", 0, {})
    chosen = owner != brief.owner
    brief = msgspec.structs.replace(brief, owner=owner)
    ways: list[Way] = []
    not_to: list[Decision] = []
    if brief.quiet:
        not_to.append(Decision(brief.id, "", "route", brief.quiet))
    for found in () if brief.quiet else route(rules.root, rules.addressees, brief):
        if isinstance(found, Decision):
            not_to.append(found)
        else:
            ways.append(_way(rules, brief, *found, now_ms))
    muting = (each for each in rules.inhibitions if each.mutes.matches(brief))
    return Trial(brief, chosen, tuple(ways), tuple(not_to), tuple(muting), brief.reason in FALLS)


def _way(rules: Rules, brief: Brief, way: Route, to: Addressee, now_ms: int) -> Way:
    budget = rules.budget
    costs = way.budgeted and budget.weekly is not None and bool(brief.owner)
    return Way(
        to=to,
        route=way,
        group=labels(brief, way.group_by),
        held=closed(way.hours, to.timezone, now_ms),
        digest_ms=budget.digest_at(now_ms, to.timezone) if costs else None,
    )
