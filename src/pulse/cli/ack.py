"""`pulse ack`: take an alert over."""

from typing import Annotated

import typer

from pulse.alerting.stages.muting import Snooze
from pulse.cli.auditing import Author, by_command
from pulse.cli.saying import Because, ConfigFile, alert_called, at_desk
from pulse.config import Config


def command(
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="Its id, as messages have it.")],
    back: Annotated[bool, typer.Option(help="Give it back: it is told again.")] = False,
    because: Because = "",
    author: Author = None,
    config: ConfigFile = None,
) -> None:
    """Take an alert over: nobody is told of it again, but that it ends.

    Example: pulse ack al_... --because "I call them on Monday"
    """
    loaded = Config.load(config)
    known, by = alert_called(loaded, alert), by_command(author)
    if back:
        at_desk(loaded, lambda desk, _: desk.lift(known.id, known.account_id, by))
        print(f"{known.id} of {known.account_id} is told again")
        return
    said = Snooze(alert_id=known.id, author=by.who, reason=because.strip())
    at_desk(loaded, lambda desk, _: desk.snooze(said, known.account_id, by))
    print(f"{known.id} of {known.account_id} is taken over by {said.author}")
