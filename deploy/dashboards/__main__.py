"""Writes the dashboards: `python -m deploy.dashboards [FOLDER]`, at the top of a checkout."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from .alerts import alerts
from .fleet import fleet
from .pipeline import pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path(__file__).parents[1] / "grafana" / "dashboards"


def dashboards() -> Iterator[tuple[str, str]]:
    """Every dashboard: the name of its file, and what is in it."""
    for name, made in {"fleet": fleet(), "pipeline": pipeline(), "alerts": alerts()}.items():
        yield f"{name}.json", json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in dashboards():
        (folder / file).write_text(content)
        print(folder / file)
