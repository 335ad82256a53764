"""`pulse account ID`: one account's score, explained in words."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pulse.cli.account_year import as_json as year_as_json
from pulse.cli.account_year import days_of, year
from pulse.cli.reading import (
    ZONE_STYLES,
    ConfigFile,
    RedisUrl,
    Screen,
    ago,
    money,
    number,
    read_model,
    said_if_empty,
)
from pulse.cli.words import listed
from pulse.config import Config
from pulse.errors import PulseError
from pulse.history import HistoryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import RenderableType

    from pulse.history import DayRow
    from pulse.readmodel import ReadModel

_BAR: Final = 24
"""Characters of a whole bar."""

_SEARCHED: Final = 5_000
"""Accounts that are looked at for one that was meant."""

_MEASURES: Final = (
    ("events", "events"),
    ("value", "value"),
    ("active_users", "active users"),
    ("features", "features"),
    ("key_features", "key features"),
    ("active_days", "active days"),
)

_REASONS: Final = {
    "danger": "below the danger line",
    "approaching": "close to the danger line",
    "silence": "nothing meaningful",
}


def command(
    account_id: Annotated[str, typer.Argument(metavar="ID", help="The account's id, or its name.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Everything known, as one JSON object.")
    ] = False,
    config: ConfigFile = None,
    redis: RedisUrl = None,
) -> None:
    """Explain one account's score.

    Shows where the account stands and since when, what its score is made of, what it measured and
    what that was 28 days ago, the alerts that are open, and its year where `pulse web` keeps a
    history on this machine: in `history.file`, found from the folder in which this runs. Reads what
    the workers last wrote to Redis; `pulse accounts` lists the ids.
    """
    model = read_model(config, redis)

    async def find() -> dict[str, Any] | None:
        async with model:
            found = await model.account(account_id)
            if found is None and not said_if_empty(await model.summary()):
                return await _named(model, account_id)
            return found

    found = asyncio.run(find())
    if found is None:
        raise typer.Exit(1)
    days = None
    try:
        days = days_of(Config.load(config), found)
    except HistoryError as error:  # all else is known without it
        print(f"pulse: its year is left out: {error}", file=sys.stderr)
    if as_json:
        more = {} if days is None else {"history": year_as_json(days)}
        print(msgspec.json.encode({**found, **more}).decode())
        return
    screen = Screen(sys.stdout)
    for each in explained(found, "█░" if screen.can_draw else "#.", days):
        screen.show(each)


def explained(
    account: dict[str, Any], bar: str, days: Sequence[DayRow] | None = None
) -> Iterator[RenderableType]:
    """What there is to say of an account, from the top; `bar` is drawn with two characters.

    `days` is its year, None where no history is kept.
    """
    yield _title(account)
    yield Text.assemble(*_standing(account))
    yield Text(_life(account))
    if account["out_of"]:
        yield Text(f"\nScore {account['score']:.1f} of 100: {_why(account)}")
        yield Padding(_contributions(account, bar), (0, 0, 0, 2), expand=False)
    yield Text("\nMeasures")
    yield Padding(_measures(account), (0, 0, 0, 2), expand=False)
    if "approximate" in account:
        yield Text(f"  {listed(account['approximate'])}: so many that they are estimated")
    if days is not None:
        yield from year(days, can_draw=bar[0] != "#")
    yield Text("\nOpen alerts" if account["alerts"] else "\nNo open alerts")
    for alert in account["alerts"]:
        words = _REASONS.get(alert["reason"], "the condition holds")
        yield Text(
            f"  {alert['reason']}: {words} since {alert['since']} "
            f"({ago(account, alert['since'])}), alert of {alert['started_at']}"
        )
    yield Text(f"\nas of {account['as_of']}", "dim")


def _title(account: dict[str, Any]) -> Text:
    profile = dict(account["profile"])
    name = profile.pop("name", None)
    title = Text(name or account["account_id"], "bold")
    facts = [account["account_id"]] if name else []
    facts += [str(profile[field]) for field in ("segment", "plan") if field in profile]
    if "mrr" in profile:
        facts.append(f"MRR {money(profile['mrr'])}")
    if "seats" in profile:
        facts.append(f"{profile['seats']:,} seats")
    if "owner" in profile:
        facts.append(f"owner {profile['owner']}")
    if "renewal_at" in profile:
        facts.append(f"renewal {profile['renewal_at'][:10]}")
    return title.append("".join(f" · {fact}" for fact in facts), "not bold")


def _standing(account: dict[str, Any]) -> Iterator[tuple[str, str] | str]:
    """Zone, score, and how far the line is."""
    zone, score, line = account["zone"], account["score"], account["line"]
    if account["lifecycle"] == "churned":
        yield "has left", ZONE_STYLES["churned"]
        yield ": it raises no alerts any more"
        return
    yield zone, ZONE_STYLES[zone]
    if account["since"] is not None:
        yield f" since {account['since']} ({ago(account, account['since'])})"
    if zone == "unknown":
        yield ": too young, or too little data, to be judged"
    if score is None:
        yield "; no score, for nothing could be measured"
        return
    yield f"; score {score:.1f}, "
    beyond = score - line["enter"]
    where = "above" if beyond >= 0 else "below"
    yield f"{abs(beyond):.1f} {where} the danger line at {line['enter']:g}"
    if zone == "danger":
        yield f"; out of danger at {line['exit']:g}"
    elif zone in ("healthy", "approaching"):
        yield f"; approaching below {line['approach']:g}"


def _life(account: dict[str, Any]) -> str:
    last = account["last_active_at"]
    if last is None:
        return f"{account['lifecycle']}; never active"
    return f"{account['lifecycle']}; last active {last} ({ago(account, last)} before)"


def _why(account: dict[str, Any]) -> str:
    """The measures that lack the most points, and the score of 28 days ago."""
    points = account["contributions"]
    lacks = sorted(
        ((limit - points[name], name) for name, limit in account["out_of"].items()), reverse=True
    )
    parts = [f"{name} lacks {lack:.1f} points" for lack, name in lacks[:2] if lack >= 0.05]
    text = listed(parts) or "nothing is lacking"
    then = account["then"]
    if then and then["score"] is not None:
        change = account["score"] - then["score"]
        moved = "as then" if abs(change) < 0.05 else f"{abs(change):.1f} {_more(change)}"
        text += f". 28 days ago it was {then['score']:.1f}: {moved}"
    return f"{text}."


def _more(change: float) -> str:
    return "more now" if change > 0 else "less now"


def _contributions(account: dict[str, Any], bar: str) -> Table:
    table = Table.grid(padding=(0, 2))
    points, out_of = account["contributions"], account["out_of"]
    longest = max(out_of.values(), default=0.0) or 1.0
    for name, limit in sorted(out_of.items(), key=lambda each: -each[1]):
        width = max(round(_BAR * limit / longest), 1)
        full = round(width * points[name] / limit) if limit else 0
        table.add_row(
            Text(name, no_wrap=True),
            Text(bar[0] * full + bar[1] * (width - full), no_wrap=True),
            Text(f"{points[name]:.1f} of {limit:.1f}", no_wrap=True),
        )
    return table


def _measures(account: dict[str, Any]) -> Table:
    then = account["then"]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for window in ("7 days", "28 days", "84 days"):
        table.add_column(window, justify="right")
    if then:
        table.add_column("28 days, then", justify="right")
    for measure, words in _MEASURES:
        now = account["measures"].get(measure)
        if now is None:
            continue  # the scorecard does not ask for it
        before = then["measures"].get(measure) if then else None
        if measure == "value" and not any(now.values()) and not (before and any(before.values())):
            continue  # this product's events have none
        row = [words, *(number(now[window]) for window in ("7d", "28d", "84d"))]
        if before:
            row.append(number(before["28d"]))
        table.add_row(*row)
    if "trend" in account["measures"]:
        trends = [account["measures"]["trend"], then["measures"].get("trend") if then else None]
        now, before = ("" if each is None else f"{100 * each:.0f} %" for each in trends)
        table.add_row("of a usual week", now or "not known", "", "", *([before] if then else []))
    return table


async def _named(model: ReadModel, wanted: str) -> dict[str, Any]:
    """The one account of this name. Raises `PulseError` with ids that may have been meant."""
    exact: list[dict[str, Any]] = []
    alike: list[str] = []
    looked = 0
    async for each in model.walk():
        name = str(each["profile"].get("name", ""))
        if name.casefold() == wanted.casefold():
            exact.append(each)
        elif any(wanted.casefold() in text.casefold() for text in (each["account_id"], name)):
            alike.append(each["account_id"])
        looked += 1
        if looked >= _SEARCHED:
            break
    if len(exact) == 1:
        return exact[0]
    if exact:
        ids = listed([each["account_id"] for each in exact])
        raise PulseError(f'{len(exact)} accounts are called "{wanted}"', hint=f"say which: {ids}")
    hint = f"did you mean {listed(alike[:3])}?" if alike else "`pulse accounts` lists them"
    raise PulseError(f'there is no account "{wanted}"', hint=hint)
