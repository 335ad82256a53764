"""What an image has in it, made here as `deploy/Dockerfile` makes it, without an engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest

from tests.deploy.reading import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build gets to see: what `.dockerignore` excepts, less what it leaves out again."""
    folder = tmp_path_factory.mktemp("context")
    text = (ROOT / ".dockerignore").read_text()
    first, *lines = [line for line in text.splitlines() if line[:1] not in ("", "#")]
    assert first == "*"
    for line in (each for each in lines if each.startswith("!")):
        found = list(ROOT.glob(line[1:]))
        assert found, f"{line} lets nothing in"
        for source in found:
            target = folder / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "*.so", ".compiled")
                shutil.copytree(source, target, ignore=ignored)
            else:
                shutil.copy(source, target)
    return folder


@pytest.fixture(scope="session")
def image(
    context: Path, tmp_path_factory: pytest.TempPathFactory, without: Callable[[str], NoReturn]
) -> Path:
    """The folder that the image copies, made by the last step of its build."""
    compiled = list((ROOT / "src").rglob("*.so"))
    if not compiled:
        without("nothing is compiled here, as it is in the image: make compile")
    for each in compiled:  # what `deploy/compile.py` makes there
        shutil.copy(each, context / each.relative_to(ROOT))
    target = tmp_path_factory.mktemp("opt") / "pulse"
    # Bytecode stands beside its sources there, unlike where tests run.
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPYCACHEPREFIX"}
    subprocess.run(["sh", "deploy/image.sh", sys.prefix, target], cwd=context, env=env, check=True)
    return target
