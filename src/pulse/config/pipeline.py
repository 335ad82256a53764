"""What the configuration says of the pipeline, as the pipeline takes it."""

from dataclasses import replace
from typing import Any, get_args

from pulse.alerting.book import Rules
from pulse.alerting.stages.budget import Budget
from pulse.alerting.stages.holdout import Holdout
from pulse.alerting.stages.hours import Hours, Interval
from pulse.alerting.stages.matching import Matcher
from pulse.alerting.stages.muting import Inhibition
from pulse.alerting.stages.owners import Owners
from pulse.alerting.stages.routing import Addressee, Route
from pulse.config import routes
from pulse.config.root import Config
from pulse.config.routes import Match, Weekday, minute_of, span_of

_WEEKDAYS = get_args(Weekday)


def pipeline_rules(config: Config) -> Rules:
    """The rules of a configuration that was checked."""
    intervals = {each.name: _interval(each) for each in config.time_intervals}
    digest = config.budget.digest
    return Rules(
        root=_root(config, intervals),
        addressees={
            each.name: Addressee(
                each.name, each.reasons, each.send_resolved, each.timezone or config.timezone
            )
            for each in config.receivers
        },
        inhibitions=tuple(
            Inhibition(
                matcher(each.mutes),
                None if each.by is None else matcher(each.by),
                each.same_account,
            )
            for each in config.inhibit
        ),
        budget=Budget(config.budget.weekly, minute_of(digest.at), _numbers(digest.weekdays)),
        owners=Owners(config.owners.rule, config.owners.team),
        holdout=holdout(config),
    )


def holdout(config: Config) -> Holdout:
    """The accounts whose alerts are not sent."""
    said = config.holdout
    return Holdout(said.share, said.salt, said.since_ms)


def matcher(match: Match) -> Matcher:
    """The matcher of a section."""
    return Matcher(**dict(match))


def _root(config: Config, intervals: dict[str, Interval]) -> Route:
    said = config.route
    everybody = tuple(each.name for each in config.receivers)
    root = Route(
        receivers=everybody if said.receivers is None else said.receivers,
        group_by=said.group_by,
        wait_ms=said.group_wait_ms,
        interval_ms=said.group_interval_ms,
        repeat_ms=said.repeat_interval_ms,
        hours=Hours(_named(said.only_in, intervals), _named(said.not_in, intervals)),
        budgeted=said.budget,
    )
    return _with_routes(root, said.routes, intervals)


def _with_routes(
    above: Route, said: tuple[routes.Route, ...], intervals: dict[str, Interval]
) -> Route:
    below: list[Route] = []
    for each in said:
        found = _below(above, each, intervals)
        doubles = sum(other.match == found.match for other in below)
        key = f"{above.key}/{found.match}" + (f"#{doubles + 1}" if doubles else "")
        below.append(_with_routes(replace(found, key=key), each.routes, intervals))
    return replace(above, routes=tuple(below))


def _below(above: Route, said: routes.Route, intervals: dict[str, Interval]) -> Route:
    hours = Hours(
        above.hours.active if said.only_in is None else _named(said.only_in, intervals),
        above.hours.mute if said.not_in is None else _named(said.not_in, intervals),
    )
    changes: dict[str, Any] = {
        "receivers": said.receivers,
        "group_by": said.group_by,
        "wait_ms": said.group_wait_ms,
        "interval_ms": said.group_interval_ms,
        "repeat_ms": said.repeat_interval_ms,
        "budgeted": said.budget,
    }
    changed = {name: value for name, value in changes.items() if value is not None}
    return replace(above, match=matcher(said.match), goes_on=said.goes_on, hours=hours, **changed)


def _named(names: tuple[str, ...], intervals: dict[str, Interval]) -> tuple[Interval, ...]:
    return tuple(intervals[name] for name in names)


def _interval(said: routes.TimeInterval) -> Interval:
    return Interval(
        name=said.name,
        weekdays=_numbers(said.weekdays),
        times=tuple(map(span_of, said.times)),
        dates=said.dates,
    )


def _numbers(weekdays: tuple[Weekday, ...]) -> tuple[int, ...]:
    return tuple(_WEEKDAYS.index(each) for each in weekdays)
