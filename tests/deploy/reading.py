"""What the files under `deploy/` say, and what of pulse they name."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main
from ruamel.yaml import YAML

import pulse.cli
from pulse.config import Config

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DEFAULTS = Config()
WORKS_IN = Path(
    re.findall(r"^WORKDIR (\S+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[-1]
)
"""The folder in which the image's processes are."""


def yaml(path: Path) -> Any:
    """The only document of a YAML file."""
    return YAML(typ="safe", pure=True).load(path.read_text())


def documents(path: Path) -> list[Any]:
    """All documents of a YAML file."""
    return [each for each in YAML(typ="safe", pure=True).load_all(path.read_text()) if each]


def parsed(words: Sequence[str]) -> str:
    """The command that these arguments of `pulse` are of, by pulse's own parser.

    Raises what that raises where an argument, an option or a value is not known.
    """
    group = typer.main.get_command(pulse.cli.app)
    name, *rest = words
    command = group.get_command(None, name)  # type: ignore[attr-defined]  # of a group
    assert command is not None, f"there is no command {name}"
    with command.make_context(name, list(rest)):
        return str(name)


def pulse_commands(script: str) -> list[list[str]]:
    """The arguments of each `pulse …` in a shell script, its variables as words."""
    joined = script.replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        for part in line.split("#")[0].split("|"):
            words = shlex.split(part.strip()) if part.count('"') % 2 == 0 else []
            if words[:1] == ["pulse"]:
                found.append(words[1:])
    return found


def config_option(words: Sequence[str]) -> str | None:
    """The file that `--config` names."""
    return words[words.index("--config") + 1] if "--config" in words else None


def ports(config: Config) -> dict[str, tuple[int, ...]]:
    """Where each process listens, by the command that starts it; its metrics last."""
    return {
        "work": (config.worker.metrics_port,),
        "notify": (config.notifier.metrics_port,),
        "collect": (config.collector.port, config.collector.metrics_port),
        "web": (config.web.port, config.web.metrics_port),
    }


def variables(config: Config) -> set[str]:
    """The environment variables that a configuration names."""

    def walk(value: Any) -> set[str]:
        if isinstance(value, dict):
            named = {v for k, v in value.items() if str(k).endswith("_env") and v is not None}
            return named.union(*(walk(each) for each in value.values()))
        if isinstance(value, (list, tuple)):
            return set().union(*(walk(each) for each in value))
        return set()

    return walk(config.model_dump())
