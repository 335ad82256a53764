"""`pulse deliveries`: what became of notifications, and sending some of them again."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.records.reader import Deliveries
from pulse.alerting.records.replays import REPLAYABLE, accounts_of, repeats
from pulse.alerting.records.standing import why
from pulse.cli.auditing import Author, by_command
from pulse.cli.reading import Screen
from pulse.cli.records import deliveries_of, moment, table, the_one
from pulse.cli.replays import Range, send_again
from pulse.cli.words import count, date
from pulse.config import Config
from pulse.errors import PulseError
from pulse.model.time import format_ms

_SHOWN_ALERTS: Final = 3


class Action(StrEnum):
    """What to do."""

    list = "list"
    show = "show"
    replay = "replay"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")] = Action.list,
    delivery: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="For show and replay: its id, or what it begins with."),
    ] = None,
    author: Author = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
    receiver: Annotated[str | None, typer.Option(help="To this receiver alone.")] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="STATES",
            help="In one of these alone: pending, retrying, succeeded, failed, disabled, "
            "superseded. For replay failed,disabled if unsaid.",
        ),
    ] = None,
    account: Annotated[str | None, typer.Option(help="That tell of this account alone.")] = None,
    from_: Annotated[
        int | None,
        typer.Option("--from", parser=date, metavar="TIME", help="Made then or later, UTC."),
    ] = None,
    to: Annotated[
        int | None, typer.Option(parser=date, metavar="TIME", help="Made before then, UTC.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many; 0 is all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    new_id: Annotated[
        bool,
        typer.Option("--new-id", help="For replay: with a new webhook-id, as if it were new."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="For replay: only say what would be sent again.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="For replay: wait for what becomes of it."),
    ] = 10.0,
) -> None:
    """List what became of notifications, show one, or send some again.

    The newest first, as the notifier has them on record: for 30 days after they were done. `pulse
    deliveries replay` asks the notifier that leads to send one again, or those of a time range that
    failed or met a disabled receiver. A receiver that knows the id of the first time sees a repeat.

    Example: pulse deliveries replay --from 2026-11-26T08:00:00Z --to 2026-11-26T12:00:00Z
    """
    loaded = Config.load(config)
    states = _states(state)
    if delivery is not None and action is Action.list:
        raise PulseError("a list is of all deliveries", hint=f"pulse deliveries show {delivery}")
    if action is Action.replay:
        if delivery is None and (from_ is None or to is None):
            raise PulseError("which are to be sent again?", hint="name one, or --from and --to")
        if delivery is not None and (from_, to, receiver, state, account) != (None,) * 5:
            raise PulseError("either one delivery, or those of a range")
        wanted = Range(delivery, from_ or 0, to or 0, receiver, states or REPLAYABLE, account)
        by = None if dry_run else by_command(author)
        send_again(loaded, wanted, by, new_id=new_id, wait_s=wait)
        return
    known = deliveries_of(loaded)
    if action is Action.show:
        names = sorted(known.notifications)
        found = known.notifications[the_one("delivery", delivery, names, "pulse deliveries")]
        if as_json:
            _print_json(record_of(found, known))
        else:
            for line in shown(found, known):
                print(line)
        return
    matching = [
        each
        for each in known.notifications.values()
        if receiver in (None, each.receiver)
        and (not states or each.state in states)
        and (account is None or account in accounts_of(each, known))
        and each.created_ms >= (from_ or 0)
        and (to is None or each.created_ms < to)
    ]
    matching.sort(key=lambda each: (-each.created_ms, each.id))
    listed = matching[:limit] if limit else matching
    if as_json:
        for each in listed:
            _print_json(record_of(each, known))
    elif listed:
        Screen(sys.stdout).show(_table(listed, known))
    sys.stdout.flush()
    more = "" if len(listed) == len(matching) else f" of {len(matching):,}; --limit 0 shows all"
    print(f"{count(len(listed), 'delivery', 'deliveries')}{more}", file=sys.stderr)


def _states(text: str | None) -> frozenset[State]:
    names = [each.strip() for each in (text or "").split(",") if each.strip()]
    unknown = [each for each in names if each not in set(State)]
    if unknown:
        raise PulseError(f'"{unknown[0]}" is no state', hint=f"there are {', '.join(State)}")
    return frozenset(State(each) for each in names)


def _table(found: list[Delivery], known: Deliveries) -> Any:
    rows = []
    for each in found:
        accounts = accounts_of(each, known)
        more = len(accounts) - _SHOWN_ALERTS
        named = ", ".join(accounts[:_SHOWN_ALERTS]) + (f" and {more} more" if more > 0 else "")
        rows.append(
            (
                each.id,
                each.receiver,
                str(each.state),
                str(each.attempts),
                moment(each.created_ms),
                named or "-",
                why(each),
            )
        )
    return table(("delivery", "receiver", "state", "attempts", "made", "accounts", "why"), rows)


def shown(delivery: Delivery, known: Deliveries) -> Iterator[str]:
    """A notification in lines: what became of it, what it tells, who asked for it again."""
    because = why(delivery)
    yield f"{delivery.id} to {delivery.receiver}: {delivery.state}" + (
        f": {because}" if because else ""
    )
    if delivery.replay_of:
        yield f"  {delivery.replay_of} again, with the webhook-id {delivery.sent_as}"
    yield f"  made {moment(delivery.created_ms)}, so since {moment(delivery.at_ms)}"
    first = delivery.first_attempt_ms
    if delivery.attempts and first is not None:
        http = "" if delivery.http_status is None else f", the last one got {delivery.http_status}"
        yield f"  {count(delivery.attempts, 'attempt')} from {moment(first)}{http}"
    if delivery.next_ms is not None:
        yield f"  next attempt {moment(delivery.next_ms)}"
    words = [
        word
        for word, holds in (
            ("the digest", delivery.is_digest),
            ("nothing in it is new", delivery.again),
            ("late", delivery.is_late),
        )
        if holds
    ]
    if words:
        yield f"  {', '.join(words)}"
    if [name for name, _ in delivery.labels] != ["alert"]:
        labels = ", ".join(f"{name} {value or 'unknown'}" for name, value in delivery.labels)
        yield f"  for all with the same {labels}" if labels else "  for all"
    yield "alerts"
    for alert_id, status in delivery.alerts:
        alert = known.alerts.get(alert_id)
        if alert is None:
            yield f"  {alert_id} {status}: forgotten"
            continue
        brief = alert.entry.brief
        now = "" if brief.status == status else f", {brief.status} by now"
        yield f"  {alert_id} {status}: {brief.reason} of {brief.account_id}{now}"
    if delivery.also_firing:
        yield f"  and {delivery.also_firing:,} more that fire"
    again = repeats(known.notifications.values())[delivery.id]
    if again:
        yield "sent again"
    for each in again:
        because = why(each)
        yield f"  {each.id}: {each.state}, {moment(each.at_ms)}" + (
            f": {because}" if because else ""
        )


def record_of(delivery: Delivery, known: Deliveries) -> dict[str, Any]:
    """A notification as a JSON object."""

    def at(ms: int | None) -> str | None:
        return None if ms is None else format_ms(ms)

    alerts: list[dict[str, Any]] = []
    for alert_id, status in delivery.alerts:
        alert = known.alerts.get(alert_id)
        brief = None if alert is None else alert.entry.brief
        alerts.append(
            {
                "id": alert_id,
                "status": status,
                "account_id": None if brief is None else brief.account_id,
                "reason": None if brief is None else brief.reason,
            }
        )
    return {
        "id": delivery.id,
        "webhook_id": delivery.sent_as,
        "replay_of": delivery.replay_of or None,
        "receiver": delivery.receiver,
        "state": str(delivery.state),
        "reason": delivery.reason or None,
        "http_status": delivery.http_status,
        "attempts": delivery.attempts,
        "made_at": at(delivery.created_ms),
        "at": at(delivery.at_ms),
        "first_attempt_at": at(delivery.first_attempt_ms),
        "next_at": at(delivery.next_ms),
        "late": delivery.is_late,
        "alerts": alerts,
    }


def _print_json(record: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
