"""`pulse alerts`: every alert that the notifier knows, and its way through the pipeline."""

import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from pulse.alerting.records.delivery import Delivery
from pulse.alerting.records.reader import Deliveries, RecordedAlert
from pulse.alerting.records.standing import Standing, by_alert, in_words, standings, why
from pulse.cli.reading import Screen
from pulse.cli.records import deliveries_of, moment, table, the_one
from pulse.cli.words import count, date
from pulse.config import Config
from pulse.errors import PulseError
from pulse.model.time import format_ms


class Action(StrEnum):
    """What to do."""

    list = "list"
    show = "show"


class Status(StrEnum):
    """Whether it goes on."""

    firing = "firing"
    resolved = "resolved"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.list,
    alert: Annotated[
        str | None, typer.Argument(metavar="ID", help="For show: its id, or what it begins with.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    account: Annotated[str | None, typer.Option(help="Of this account alone.")] = None,
    reason: Annotated[str | None, typer.Option(help="With this reason alone.")] = None,
    owner: Annotated[str | None, typer.Option(help="Of this owner alone.")] = None,
    status: Annotated[Status | None, typer.Option(help="Firing or resolved alone.")] = None,
    not_sent: Annotated[
        bool, typer.Option("--not-sent", help="Those alone whose last state nobody was sent.")
    ] = False,
    from_: Annotated[
        int | None,
        typer.Option("--from", parser=date, metavar="TIME", help="That came then or later, UTC."),
    ] = None,
    to: Annotated[
        int | None, typer.Option(parser=date, metavar="TIME", help="That came before then, UTC.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 is all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List alerts, or show why one was sent or not.

    The newest first, as the notifier has them on record: for 30 days after they ended. `pulse
    alerts show ID` says what each stage decided, for which receiver, and what became of the
    notifications that tell it.

    Example: pulse alerts --not-sent --from 2026-11-01
    """
    if alert is not None and action is Action.list:
        raise PulseError("a list is of all alerts", hint=f"pulse alerts show {alert}")
    known = deliveries_of(Config.load(config))
    told = by_alert(known.notifications.values())
    if action is Action.show:
        name = the_one("alert", alert, sorted(known.alerts), "pulse alerts")
        if as_json:
            _print_json(record_of(known.alerts[name], told[name], known))
        else:
            for line in shown(known.alerts[name], told[name], known):
                print(line)
        return
    found: list[tuple[RecordedAlert, list[Standing]]] = []
    for name, each in known.alerts.items():
        brief, came_ms = each.entry.brief, each.entry.arrived_ms
        if (
            account not in (None, brief.account_id)
            or reason not in (None, brief.reason)
            or owner not in (None, brief.owner)
            or status not in (None, brief.status)
            or came_ms < (from_ or 0)
            or (to is not None and came_ms >= to)
        ):
            continue
        stands = standings(each, told[name], known)
        if not (not_sent and any(one.what == "sent" for one in stands)):
            found.append((each, stands))
    found.sort(key=lambda pair: (-pair[0].entry.arrived_ms, pair[0].entry.brief.id))
    listed = found[:limit] if limit else found
    if as_json:
        for each, _ in listed:
            _print_json(record_of(each, told[each.entry.brief.id], known))
    elif listed:
        Screen(sys.stdout).show(_table(listed))
    sys.stdout.flush()
    more = "" if len(listed) == len(found) else f" of {len(found):,}; --limit 0 shows all"
    print(f"{count(len(listed), 'alert')}{more}", file=sys.stderr)


def _table(found: Sequence[tuple[RecordedAlert, Sequence[Standing]]]) -> Any:
    rows = []
    for each, stands in found:
        brief = each.entry.brief
        rows.append(
            (
                brief.id,
                brief.account_id,
                brief.reason,
                brief.status,
                moment(each.entry.arrived_ms),
                brief.owner or "-",
                "; ".join(f"{one.receiver or 'all'}: {one.what}" for one in stands) or "-",
            )
        )
    return table(("alert", "account", "reason", "status", "came", "owner", "told"), rows)


def shown(alert: RecordedAlert, told: Sequence[Delivery], known: Deliveries) -> Iterator[str]:
    """An alert in lines: what it is, how it stands with whom, its way, its notifications."""
    brief, beside = alert.entry.brief, alert.beside
    of_owner = f", owner {brief.owner}" if brief.owner else ""
    yield f"{brief.id}: {brief.reason} of {brief.account_id}, {brief.severity}{of_owner}"
    yield f"  {brief.status}, at {moment(brief.at_ms)}, came {moment(alert.entry.arrived_ms)}"
    if beside.origin:
        yield f"  from {beside.origin}"
    yield "told"
    stands = standings(alert, told, known)
    for one in stands:
        until = "" if one.until_ms is None else f", next at {moment(one.until_ms)}"
        because = f": {one.why}" if one.why else ""
        yield f"  {one.receiver or 'all'}: {one.what}{because}, {moment(one.at_ms)}{until}"
    if not stands:
        yield "  nobody: no route has a receiver for it, or what was said of it is forgotten"
    yield "way"
    for step in beside.path:
        until = "" if step.until_ms is None else f", until {moment(step.until_ms)}"
        to = step.receiver or "all"
        yield f"  {moment(step.at_ms)}  {step.stage}, {to}: {step.reason} ({in_words(step)}){until}"
    yield "notifications"
    for each in told:
        yield f"  {in_a_line(each, brief.id)}"
    if not told:
        yield "  none"


def in_a_line(delivery: Delivery, alert_id: str) -> str:
    """A notification in a line: what it tells of an alert, and what became of it."""
    status = dict(delivery.alerts)[alert_id]
    http = "" if delivery.http_status is None else f", HTTP {delivery.http_status}"
    because = why(delivery)
    facts = [count(delivery.attempts, "attempt") + http, *([because] if because else [])]
    if delivery.next_ms is not None:
        facts.append(f"next at {moment(delivery.next_ms)}")
    if delivery.replay_of:
        facts.append(f"{delivery.replay_of} again")
    return (
        f"{moment(delivery.created_ms)}  {delivery.id}  {delivery.receiver}: {status} "
        f"{delivery.state} at {moment(delivery.at_ms)} ({'; '.join(facts)})"
    )


def record_of(alert: RecordedAlert, told: Sequence[Delivery], known: Deliveries) -> dict[str, Any]:
    """An alert as a JSON object."""
    brief, beside = alert.entry.brief, alert.beside
    return {
        "id": brief.id,
        "account_id": brief.account_id,
        "reason": brief.reason,
        "status": brief.status,
        "severity": brief.severity,
        "owner": brief.owner or None,
        "at": format_ms(brief.at_ms),
        "came_at": format_ms(alert.entry.arrived_ms),
        "origin": beside.origin or None,
        "told": [
            {
                "receiver": one.receiver or None,
                "what": one.what,
                "why": one.why or None,
                "at": format_ms(one.at_ms),
            }
            for one in standings(alert, told, known)
        ],
        "way": [
            {
                "at": format_ms(step.at_ms),
                "receiver": step.receiver or None,
                "stage": step.stage,
                "reason": step.reason,
                "until": None if step.until_ms is None else format_ms(step.until_ms),
            }
            for step in beside.path
        ],
        "notifications": [each.id for each in told],
    }


def _print_json(record: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
