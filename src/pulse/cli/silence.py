"""`pulse silence`: hold what matches for a while."""

from enum import StrEnum
from typing import Annotated

import typer

from pulse.alerting.people.silences import silence_id
from pulse.alerting.stages.matching import Matcher, is_everything
from pulse.alerting.stages.muting import Silence
from pulse.cli.auditing import Author, by_command
from pulse.cli.saying import Because, ConfigFile, For, at_desk, end_of, now
from pulse.cli.words import date
from pulse.config import Config
from pulse.desk.audit import By
from pulse.desk.books import MutedBook
from pulse.desk.desk import Desk
from pulse.errors import PulseError
from pulse.model.time import format_ms


class Action(StrEnum):
    """What to do."""

    add = "add"
    list = "list"
    end = "end"


Patterns = list[str] | None


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    name: Annotated[
        str | None, typer.Argument(metavar="ID", help="For end: the silence's id.")
    ] = None,
    account: Annotated[Patterns, typer.Option(metavar="PATTERN", help="Of these accounts.")] = None,
    segment: Annotated[Patterns, typer.Option(metavar="PATTERN", help="Of these segments.")] = None,
    plan: Annotated[Patterns, typer.Option(metavar="PATTERN", help="Of these plans.")] = None,
    owner: Annotated[Patterns, typer.Option(metavar="PATTERN", help="Of these owners.")] = None,
    reason: Annotated[Patterns, typer.Option(metavar="PATTERN", help="Of these reasons.")] = None,
    severity: Annotated[
        Patterns, typer.Option(metavar="PATTERN", help="critical, warning, info.")
    ] = None,
    lifecycle: Annotated[
        Patterns, typer.Option(metavar="PATTERN", help="Of accounts in these stages of life.")
    ] = None,
    mrr_from: Annotated[
        float | None, typer.Option(metavar="AMOUNT", min=0, help="Of who pays so much, or more.")
    ] = None,
    mrr_below: Annotated[
        float | None, typer.Option(metavar="AMOUNT", min=0, help="Of who pays less.")
    ] = None,
    everything: Annotated[bool, typer.Option(help="Every alert there is.")] = False,
    lasts: For = None,
    until: Annotated[
        int | None,
        typer.Option(metavar="DATE", parser=date, help="Up to then: 2026-12-24, or an instant."),
    ] = None,
    because: Because = "",
    author: Author = None,
    every: Annotated[bool, typer.Option("--all", help="List also what is over.")] = False,
    config: ConfigFile = None,
) -> None:
    """Hold the alerts that match for a while; list such silences, or end one.

    Patterns are shell patterns; all that is said must fit, and of an option said several times one.
    For a *, ? or [ that is part of a name write [*], [?] or [[]. Nothing is lost: what still fires
    when a silence ends is told then. A notifier knows it within a second.

    Example: pulse silence add --reason usage_drop --segment "free*" --for 2d --because "a sale"
    """
    loaded, now_ms = Config.load(config), now()
    if action is Action.add:
        match = Matcher(
            accounts=tuple(account or ()),
            segments=tuple(segment or ()),
            plans=tuple(plan or ()),
            reasons=tuple(reason or ()),
            severities=tuple(severity or ()),
            owners=tuple(owner or ()),
            lifecycles=tuple(lifecycle or ()),
            mrr_from=mrr_from,
            mrr_below=mrr_below,
        )
        if is_everything(match) != everything or (everything and match != Matcher()):
            raise PulseError(
                "it would hold every alert" if not everything else "--everything needs no others",
                hint="say which: --account, --segment, --reason …; or --everything",
            )
        if not because.strip():
            raise PulseError("others will ask why", hint="say it: --because TEXT")
        by = by_command(author)
        made = Silence(
            id=silence_id(by.who),
            match=match,
            author=by.who,
            reason=because.strip(),
            starts_ms=now_ms,
            ends_ms=end_of(lasts, until, now_ms),
        )
        at_desk(loaded, lambda desk, _: desk.silence(made, now_ms, by))
        print(made.id)
    elif action is Action.list:
        for each in at_desk(loaded, _all):
            if every or each.ends_ms > now_ms:
                print(in_words(each))
    else:
        by = by_command(author)
        ended = at_desk(loaded, lambda desk, muted: _end(desk, muted, name or "", now_ms, by))
        print(f"ended: {in_words(ended)}")


def in_words(silence: Silence) -> str:
    """A silence in one line."""
    what = str(silence.match) or "everything"
    return (
        f"{silence.id}  {format_ms(silence.starts_ms)} to {format_ms(silence.ends_ms)}  {what}  "
        f"{silence.author}: {silence.reason}"
    )


async def _all(desk: Desk, muted: MutedBook) -> list[Silence]:
    return sorted(muted.silences.values(), key=lambda each: each.ends_ms)


async def _end(desk: Desk, muted: MutedBook, name: str, now_ms: int, by: By) -> Silence:
    known = muted.silences.get(name)
    if known is None:
        raise PulseError(f'there is no silence "{name}"', hint="`pulse silence list` names them")
    ended = known.ended(now_ms)
    await desk.silence(ended, now_ms, by)
    return ended
