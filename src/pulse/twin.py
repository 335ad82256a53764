"""The compiled core and its twin in pure Python, which is its very source.

Where `make compile` has left compiled modules beside their sources, Python imports those. With
`PULSE_PURE=1` in the environment it imports the sources; the same tests hold both.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

VARIABLE = "PULSE_PURE"


class Sources:
    """Finds the source of a module of pulse where Python would take what was compiled of it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the import system asks it."""
        if not name.startswith("pulse."):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or not isinstance(spec.loader, ExtensionFileLoader):
            return spec
        source = Path(spec.origin).with_name(name.rpartition(".")[2] + ".py")
        return spec_from_file_location(name, source)


def choose() -> None:
    """Import sources from now on, if the environment asks for it."""
    if os.environ.get(VARIABLE):
        sys.meta_path.insert(0, Sources())


def is_compiled() -> bool:
    """Whether the engine that runs is the compiled one."""
    import pulse.engine.engine

    return not str(pulse.engine.engine.__file__).endswith(".py")
