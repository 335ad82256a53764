"""`pulse accounts`: the accounts of the read model, worst first."""

from __future__ import annotations

import asyncio
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import msgspec
import typer
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from pulse.cli.reading import (
    ZONE_STYLES,
    ConfigFile,
    RedisUrl,
    Screen,
    ago,
    money,
    read_model,
    said_if_empty,
    what_fell,
)
from pulse.cli.words import count

if TYPE_CHECKING:
    from collections.abc import Callable

    from pulse.readmodel import Summary

_ROOMY = 110
"""Columns from which on a name has a column of its own."""


class Zone(StrEnum):
    """What `--zone` may be."""

    danger = "danger"
    approaching = "approaching"
    healthy = "healthy"
    unknown = "unknown"
    churned = "churned"


def command(
    zone: Annotated[
        Zone | None,
        typer.Option(help="Only accounts of this zone; `churned` are those that have left."),
    ] = None,
    segment: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only accounts of this segment.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="At most so many; 0: all of them.")
    ] = 25,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with everything known.")
    ] = False,
    config: ConfigFile = None,
    redis: RedisUrl = None,
) -> None:
    """List accounts, worst first.

    Reads what the workers last wrote to Redis. Accounts that have left are listed with
    `--zone churned` only. `pulse account ID` explains one of them.
    """
    model = read_model(config, redis)

    async def find() -> tuple[Summary, list[dict[str, Any]]]:
        async with model:
            found = []
            async for each in model.walk(zone):
                if each["lifecycle"] == "churned" and zone != Zone.churned:
                    break  # they come last
                if segment is not None and each["profile"].get("segment") != segment:
                    continue
                found.append(each)
                if limit and len(found) > limit:
                    break
            return await model.summary(), found

    summary, found = asyncio.run(find())
    shown = found[:limit] if limit else found
    if as_json:
        for each in shown:
            sys.stdout.write(msgspec.json.encode(each).decode() + "\n")
    elif shown:
        screen = Screen(sys.stdout)
        screen.show(_table(shown, screen.width))
    if not said_if_empty(summary):
        _say(_note(summary, shown, zone, segment, more=len(found) > len(shown)))


class _Column(NamedTuple):
    title: str
    value: Callable[[dict[str, Any]], str | Text]
    may_shrink_to: int | None = None
    """In characters; None: it is shown whole."""
    justify: Literal["left", "right"] = "left"


def _table(accounts: list[dict[str, Any]], width: int) -> Table:
    named = any("name" in each["profile"] for each in accounts)
    columns = [_Column("account", _name_or_id if named and width < _ROOMY else _account, 24)]
    if named and width >= _ROOMY:
        columns.append(_Column("name", _name, 12))
    columns += [
        _Column("zone", _zone),
        _Column("score", _score, justify="right"),
        _Column("since", lambda each: ago(each, each["since"]), justify="right"),
        _Column("active", lambda each: ago(each, each["last_active_at"]), justify="right"),
    ]
    if any("mrr" in each["profile"] for each in accounts):
        columns.append(_Column("MRR", _mrr, justify="right"))
    columns.append(_Column("what fell in 28 days", what_fell, 12))
    table = Table(box=None, pad_edge=False, header_style="bold")
    cells = [[_plain(column.value(each)) for column in columns] for each in accounts]
    for index, column in enumerate(columns):
        longest = max(cell_len(column.title), *(row[index].cell_len for row in cells))
        table.add_column(
            column.title,
            justify=column.justify,
            min_width=min(longest, column.may_shrink_to or longest),
            no_wrap=True,
            overflow="ellipsis",
        )
    for row in cells:
        table.add_row(*row)
    return table


def _plain(value: str | Text) -> Text:
    # Text, so that an account called "[red]" is called that and not red.
    return Text(value) if isinstance(value, str) else value


def _account(each: dict[str, Any]) -> str:
    return str(each["account_id"])


def _name(each: dict[str, Any]) -> str:
    return str(each["profile"].get("name", ""))


def _name_or_id(each: dict[str, Any]) -> str:
    return _name(each) or _account(each)


def _zone(each: dict[str, Any]) -> Text:
    zone = "churned" if each["lifecycle"] == "churned" else each["zone"]
    return Text(zone, ZONE_STYLES[zone])


def _score(each: dict[str, Any]) -> str:
    return "-" if each["score"] is None else f"{each['score']:.1f}"


def _mrr(each: dict[str, Any]) -> str:
    mrr = each["profile"].get("mrr")
    return "" if mrr is None else money(mrr)


def _note(
    summary: Summary,
    shown: list[dict[str, Any]],
    zone: Zone | None,
    segment: str | None,
    *,
    more: bool,
) -> str:
    which = "" if zone is None else " that have left" if zone == Zone.churned else f" in {zone}"
    if segment is not None:
        which += f' of the segment "{segment}"'
    if not shown:
        return f"no accounts{which}, of {count(summary.accounts, 'account')}"
    of = ""
    if more:
        of = "the first "
        which += "; --limit 0 shows all"
    zones = ", ".join(f"{n:,} {name}" for name, n in summary.zones.items() if n)
    return f"{of}{count(len(shown), 'account')}{which}\nall: {zones}; as of {summary.as_of}"


def _say(text: str) -> None:
    """Beside the result: on stderr, so that a pipe gets accounts only."""
    sys.stdout.flush()
    print(text, file=sys.stderr)
