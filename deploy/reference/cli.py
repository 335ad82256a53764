"""Every command with its options, from the command line itself."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

import typer.main

import pulse.cli

from .markdown import code, page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABOUT: Final = (
    "Every command, as its `--help` says it. Exit codes: 0 done, 1 something went wrong "
    "(one line on stderr says what, and mostly what to do), 2 wrong arguments, 130 interrupted. "
    "Where no `--config` is said the defaults hold."
)
_PLAIN: Final = {bool: "", int: "integer", float: "number", str: "text"}


def cli() -> str:
    """The page of all commands: an overview by what they are for, then each."""
    commands: Any = typer.main.get_command(pulse.cli.app)
    entries = commands.entries
    panels = dict.fromkeys(entry.panel for entry in entries.values())
    parts: list[str] = []
    for panel in panels:
        rows = [
            (f"[`pulse {name}`](#pulse-{name})", entry.summary)
            for name, entry in entries.items()
            if entry.panel == panel
        ]
        parts += [f"**{panel}**", table(("command", "does"), rows)]
    for name in entries:
        parts += _command(name, commands.commands[name])
    return page("Command line", _ABOUT, *parts)


def _command(name: str, command: Any) -> Iterator[str]:
    hints = get_type_hints(command.callback)
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option"]
    usage = " ".join([f"pulse {name}", *(_in_usage(each, hints) for each in arguments)])
    yield f"## pulse {name}"
    yield f"```\n{usage}{' [OPTIONS]' if options else ''}\n```"
    about, _, example = command.help.partition("Example:")
    yield about.strip()
    if example:
        yield f"Example: `{' '.join(example.split())}`"
    yield table(("argument", "value", "meaning"), [_argument(each, hints) for each in arguments])
    rows = [_option(each, hints) for each in options if not each.hidden]
    yield table(("option", "value", "default", "meaning"), rows)


def _argument(each: Any, hints: dict[str, Any]) -> tuple[str, str, str]:
    return code(_metavar(each)), _value(each, hints), each.help or ""


def _option(each: Any, hints: dict[str, Any]) -> tuple[str, str, str, str]:
    names = ", ".join(map(code, (*each.opts, *each.secondary_opts)))
    default = each.default
    if default in (None, "", False, [], ()) or callable(default):
        shown = ""
    else:
        shown = code(str(default.value if isinstance(default, Enum) else default))
    meaning = each.help or ""
    if each.multiple:
        meaning += " May be said several times."
    return names, _value(each, hints), "required" if each.required else shown, meaning


def _value(each: Any, hints: dict[str, Any]) -> str:
    """What may be said: the words to choose from, else the name of it, with its bounds."""
    kind = _plain(hints.get(each.name))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(code(str(word.value)) for word in kind)
    said = (each.metavar or "") if each.param_type_name == "option" else ""
    words = code(said) or (_PLAIN.get(kind, "") if isinstance(kind, type) else "")
    if each.min is not None and each.max is not None:
        return f"{words}, {each.min:g} to {each.max:g}"
    if each.min is not None:
        return f"{words}, from {each.min:g}"
    return f"{words}, up to {each.max:g}" if each.max is not None else words


def _plain(hint: Any) -> Any:
    """The type behind what may be missing, or said several times."""
    inner = [each for each in get_args(hint) if each is not type(None)]
    return _plain(inner[0]) if inner else hint


def _in_usage(each: Any, hints: dict[str, Any]) -> str:
    name = _metavar(each)
    return name if each.required else f"[{name}]"


def _metavar(each: Any) -> str:
    return str(each.metavar or each.name.upper())
