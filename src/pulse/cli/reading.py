"""What the commands that look at accounts have in common."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TextIO

import typer
from rich.console import Console

from pulse.config import Config
from pulse.errors import PulseError
from pulse.model.time import parse_ts
from pulse.readmodel import ReadModel

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pulse.readmodel import Summary

ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="The configuration, for its redis.")
]
RedisUrl = Annotated[
    str | None,
    typer.Option("--redis", metavar="URL", help="Where Redis is, whatever the file says."),
]

ZONE_STYLES: Final = {
    "danger": "bold red",
    "approaching": "yellow",
    "healthy": "green",
    "unknown": "dim",
    "churned": "dim",
}

_PIPE_COLUMNS: Final = 4096
"""Where nobody looks at a screen nothing is cut off."""

_COMPARED: Final = (
    ("active_users", "active users"),
    ("active_days", "active days"),
    ("features", "features"),
    ("events", "events"),
    ("value", "value"),
)


def read_model(config: Path | None, redis: str | None) -> ReadModel:
    """The read model that a configuration, or an address, names. Raises `PulseError`."""
    settings = Config.load(config).redis
    if redis is None and not settings.enabled:
        raise PulseError(
            "the configuration keeps no accounts in Redis (redis.enabled: false)",
            hint="enable it and start the workers again",
        )
    return ReadModel(redis or settings.address().reveal(), settings.prefix)


def said_if_empty(summary: Summary) -> bool:
    """Say on stderr that there are no accounts at all, if so; whether that was so."""
    if summary.accounts:
        return False
    print(
        "no accounts yet: the workers have written none to this Redis. "
        "Does `pulse work` run, with the same redis.url and redis.prefix?",
        file=sys.stderr,
    )
    return True


class Screen:
    """Shows what is to be read. Where it is no terminal, nothing is cut off or padded."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._console = Console(file=stream, highlight=False)
        if not self._console.is_terminal:
            self._console = Console(file=stream, highlight=False, width=_PIPE_COLUMNS)
        self.width = self._console.width
        """In characters."""

    @property
    def can_draw(self) -> bool:
        """Whether it shows block characters."""
        return self._console.encoding.lower().startswith("utf")

    def show(self, what: RenderableType) -> None:
        """Print something that rich can render."""
        if self._console.is_terminal:
            self._console.print(what)
            return
        with self._console.capture() as captured:
            self._console.print(what)
        lines = captured.get().splitlines()
        self._stream.write("".join(f"{line.rstrip()}\n" for line in lines))


def ago(account: dict[str, Any], instant: str | None) -> str:
    """How long before the account's `as_of` an instant was, short: `3 h`, `12 d`.

    >>> ago({"as_of": "2024-03-01T00:00:00Z"}, "2024-02-01T06:00:00Z")
    '28 d'
    """
    if instant is None:
        return "-"
    minutes = max(parse_ts(account["as_of"]) - parse_ts(instant), 0) // 60_000
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440:,} d"


def money(amount: float) -> str:
    """An amount without a currency, which nobody has told us.

    >>> money(1200), money(99.5)
    ('1,200', '99.50')
    """
    return f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.2f}"


def number(amount: float) -> str:
    """A measure: whole numbers without a fraction.

    >>> number(12345), number(2.5), number(1.0)
    ('12,345', '2.5', '1')
    """
    return f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.2f}".rstrip("0")


def what_fell(account: dict[str, Any], most: int = 2) -> str:
    """The measures over 28 days that fell the most since 28 days ago, then against now.

    Where nothing fell, or nothing is known of then, the measure that lacks the most points.
    """
    then, now = account["then"], account["measures"]
    falls = []
    for measure, words in _COMPARED if then else ():
        before = then["measures"][measure]["28d"]
        after = now[measure]["28d"]
        if after < before:
            falls.append((after / before, f"{words} {number(before)} → {number(after)}"))
    if falls:
        # A stable sort: of what fell alike, the measure that says more comes first.
        return ", ".join(words for _, words in sorted(falls, key=lambda fall: fall[0])[:most])
    if now["events"]["28d"] == 0 and account["last_active_at"] is not None:
        return f"nothing; no use for {ago(account, account['last_active_at'])}"
    points = account["contributions"]
    lacks = {name: limit - points[name] for name, limit in account["out_of"].items()}
    if not lacks or max(lacks.values()) <= 0:
        return "nothing"
    name = max(lacks, key=lambda each: lacks[each])
    return f"nothing; {name} {points[name]:.0f} of {account['out_of'][name]:.0f} points"
