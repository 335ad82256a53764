"""`pulse snooze`: hold one alert for a while."""

from typing import Annotated

import typer

from pulse.alerting.stages.muting import Snooze
from pulse.cli.auditing import Author, by_command
from pulse.cli.saying import (
    Because,
    ConfigFile,
    For,
    alert_called,
    at_desk,
    end_of,
    now,
)
from pulse.cli.words import date
from pulse.config import Config
from pulse.errors import PulseError
from pulse.model.time import format_ms


def command(
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="Its id, as messages have it.")],
    lasts: For = None,
    until: Annotated[
        int | None,
        typer.Option(metavar="DATE", parser=date, help="Up to then: 2026-12-24, or an instant."),
    ] = None,
    lift: Annotated[bool, typer.Option(help="Take it back: it is told again.")] = False,
    because: Because = "",
    author: Author = None,
    config: ConfigFile = None,
) -> None:
    """Hold one alert for a while.

    That it ends is told all the same.

    Example: pulse snooze al_... --for 3d --because "they are on leave"
    """
    loaded = Config.load(config)
    known, by = alert_called(loaded, alert), by_command(author)
    if lift:
        if lasts is not None or until is not None:
            raise PulseError("--lift needs no end")
        at_desk(loaded, lambda desk, _: desk.lift(known.id, known.account_id, by))
        print(f"{known.id} of {known.account_id} is told again")
        return
    until_ms = end_of(lasts, until, now())
    said = Snooze(alert_id=known.id, author=by.who, reason=because.strip(), until_ms=until_ms)
    at_desk(loaded, lambda desk, _: desk.snooze(said, known.account_id, by))
    print(f"{known.id} of {known.account_id} is snoozed until {format_ms(until_ms)}")
