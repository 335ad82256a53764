"""A command group that imports a command's module only when that command is run.

`pulse --help` names every command, and importing Kafka, Faust and Redis for that takes seconds.
"""

import importlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

CONTEXT = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: the module with its function `command`, and its line in `pulse --help`."""

    module: str
    summary: str
    panel: str


class LazyGroup(TyperGroup):
    """The commands of `entries`, in that order."""

    entries: ClassVar[dict[str, Entry]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(self.entries)
        self._only_names = False

    def list_commands(self, ctx: Any) -> list[str]:
        """The names of the commands, without importing any."""
        return list(self.entries)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command; while help is written, only its name and summary."""
        if self._only_names:
            entry = self.entries[cmd_name]
            return TyperCommand(cmd_name, help=entry.summary, rich_help_panel=entry.panel)
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the group."""
        self._only_names = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._only_names = False


class _Commands(MutableMapping[str, Any]):
    """Command by name, imported on first sight."""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self._entries = entries
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module = importlib.import_module(self._entries[name].module)
            alone = typer.Typer(add_completion=False, rich_markup_mode="markdown")
            alone.command(name, context_settings=CONTEXT)(module.command)
            self._loaded[name] = typer.main.get_command(alone)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
