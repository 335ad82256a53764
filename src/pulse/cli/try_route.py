"""`pulse try-route`: who would get an alert, when, together with what, and what could hold it."""

import time
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
import typer
from pydantic import ValidationError

from pulse.alerting.alert import SEVERITY
from pulse.alerting.brief import Brief, brief_of
from pulse.alerting.stages.muting import Inhibition
from pulse.alerting.trying import Trial, Way, try_route
from pulse.config import Config, duration_text
from pulse.config.pipeline import pipeline_rules
from pulse.errors import PulseError
from pulse.model import Alert

_WHY_NOT = {
    "routed_before": "an earlier route leads there already",
    "no_such_receiver": "there is no such receiver",
    "reason_not_wanted": "its `reasons` do not want it",
    "historical": "it is of played history, which is never sent",
    "load": "it is of a load: a digest tells of it",
    "configuration": "the rules caused it, not the account: one alert tells of all of those",
    "holdout": "its account is held out (`holdout`): it is recorded only",
}


class Severity(StrEnum):
    """How bad it is."""

    critical = "critical"
    warning = "warning"
    info = "info"


def command(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    alert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="An alert as JSON, instead of what follows.")
    ] = None,
    account: Annotated[str, typer.Option(help="The account's id.")] = "acme",
    reason: Annotated[str, typer.Option(help="Why it alerts.")] = "danger",
    severity: Annotated[
        Severity | None, typer.Option(help="How bad; that of the reason if unsaid.")
    ] = None,
    segment: Annotated[str, typer.Option(help="Of the account's profile.")] = "",
    plan: Annotated[str, typer.Option(help="Of the account's profile.")] = "",
    owner: Annotated[str, typer.Option(help="Of the account's profile.")] = "",
    mrr: Annotated[float, typer.Option(help="Of the account's profile.", min=0)] = 0,
    at: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="When, like 2026-11-28T07:00, in the file's time zone."),
    ] = None,
) -> None:
    """Say who would get an alert, and when.

    From the configuration alone: what fires, is silenced or was told already is not known here. So
    inhibitions and budgets are named that could hold it.

    Example: pulse try-route --reason danger --segment enterprise --at 2026-11-28T07:00
    """
    loaded = Config.load(config)
    now_ms = _instant(at, loaded.timezone)
    if alert is not None:
        # An end goes where its beginning went: that is what is tried.
        brief = msgspec.structs.replace(_read(alert), status="firing")
    else:
        brief = Brief(
            id="al_trial",
            account_id=account,
            reason=reason,
            status="firing",
            severity=severity.value if severity else SEVERITY.get(reason, "warning"),
            at_ms=now_ms,
            segment=segment,
            plan=plan,
            owner=owner,
            mrr=mrr,
        )
    trial = try_route(pipeline_rules(loaded), brief, now_ms)
    for line in said(trial, loaded, now_ms):
        print(line)


def said(trial: Trial, config: Config, now_ms: int) -> Iterator[str]:
    """The trial in lines: what it is, who gets it, who does not, what could hold it."""
    brief = trial.brief
    by_rule = " (by rule, the first)" if trial.chosen else ""
    facts: list[str] = [brief.severity]
    facts += [f"segment {brief.segment}"] if brief.segment else []
    facts += [f"plan {brief.plan}"] if brief.plan else []
    facts += [f"MRR {brief.mrr:g}"] if brief.mrr else []
    facts += [f"owner {brief.owner}{by_rule}"] if brief.owner else []
    at = _time(now_ms, config.timezone)
    yield f"{brief.reason} of {brief.account_id} ({', '.join(facts)}), at {at}"
    for way in trial.ways:
        yield from _way(way)
    for decision in trial.not_to:
        who = f"not to {decision.receiver}" if decision.receiver else "to nobody"
        yield f"{who}: {_WHY_NOT.get(decision.reason, decision.reason)}"
    if not trial.ways and not trial.not_to:
        yield "to nobody: its route has no receivers"
    for each in trial.inhibitions:
        yield f"inhibited: {_inhibited(each)}"
    guard = config.notifier.fleet_guard
    if trial.falls and guard.enabled and trial.ways:
        yield (
            f"fleet: held for up to {duration_text(guard.hold_ms)} while more than "
            f"{100 * guard.share:g} % of the accounts fall together"
        )
    digests = {way.digest_ms for way in trial.ways if way.digest_ms is not None}
    if digests:
        yield (
            f"budget: one of {config.budget.weekly} in seven days for {brief.owner}; over it, in "
            f"the digest of {_time(min(digests), config.timezone)}"
        )


def _way(way: Way) -> Iterator[str]:
    when = "at once"
    if way.route.wait_ms:
        when = f"after {duration_text(way.route.wait_ms)}, which wait for others"
    if way.held is not None:
        until = "" if way.held.until_ms is None else f" {_time(way.held.until_ms, way.to.timezone)}"
        why = way.held.reason
        why = f"outside of {why.removeprefix('not ')}" if why.startswith("not ") else why
        when = f"held until{until} ({why})"
    yield f"to {way.to.name}: {when}"
    yield f"    by the route {way.route.key.replace('/', ' → ')}"
    if way.route.group_by == ("alert",):
        yield "    alone"
    else:
        group = ", ".join(f"{name} {value or 'unknown'}" for name, value in way.group)
        yield f"    together with what has the same {group}" if group else "    together with all"
    if way.route.interval_ms:
        yield f"    at most every {duration_text(way.route.interval_ms)}"
    if way.route.repeat_ms:
        yield f"    again every {duration_text(way.route.repeat_ms)} while it fires"
    if not way.to.send_resolved:
        yield "    not told of its end"


def _inhibited(rule: Inhibition) -> str:
    if rule.by is None:
        return f"never told, by what it says itself ({rule.mutes})"
    of = "of the same account " if rule.same_account else ""
    return f"held while an alert {of}fires with {rule.by}"


def _read(file: Path) -> Brief:
    try:
        return brief_of(Alert.model_validate_json(file.read_bytes()))
    except OSError as error:
        raise PulseError(f"cannot read {file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise PulseError(
            f"{file} is no alert: {where + ': ' if where else ''}{first['msg']}",
            hint="a line of the alerts topic, or of `pulse replay --alerts-out`, is one",
        ) from None


def _instant(text: str | None, timezone: str) -> int:
    if text is None:
        return time.time_ns() // 1_000_000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise PulseError(f'"{text}" is no time', hint="write it like 2026-11-28T07:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(timezone))
    return round(moment.timestamp() * 1000)


def _time(ms: int, timezone: str) -> str:
    local = datetime.fromtimestamp(ms / 1000, ZoneInfo(timezone))
    return f"{local:%a %Y-%m-%d %H:%M} {timezone}"
