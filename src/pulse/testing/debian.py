"""Programs of Debian's packages, for tests: `apt-get` fetches the package, nothing is installed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from pulse.processes import MissingProgramError

if TYPE_CHECKING:
    from collections.abc import Callable

_FETCH_S: Final = 120


class Cache(NamedTuple):
    """Where a package is kept: `.cache/NAME` in the checkout, or where a variable says."""

    name: str
    variable: str

    def folder(self) -> Path:
        """The folder; made when something is fetched."""
        if chosen := os.environ.get(self.variable):
            return Path(chosen)
        checkout = Path(__file__).parents[3]
        if (checkout / "pyproject.toml").is_file():
            return checkout / ".cache" / self.name
        return Path.home() / ".cache" / "pulse" / self.name


def on_path(*names: str) -> Path | None:
    """The first of these programs that this machine has."""
    found = (shutil.which(name) for name in names)
    return next((Path(each) for each in found if each), None)


def fetched(package: str, cache: Cache, change: Callable[[Path], None] = lambda _: None) -> Path:
    """The folder with a package's files, fetched if it is not there; `change` is done to it once.

    Raises `MissingProgramError`.
    """
    folder = cache.folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "package").is_dir():
            _fetch(package, folder, change)
    return folder / "package"


def _fetch(package: str, folder: Path, change: Callable[[Path], None]) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise MissingProgramError(f"no {package} on PATH, and no apt-get to fetch it")
    download = ["apt-get", "download", "-qq", package]
    if _run(download, folder):
        # A new machine has no list of packages yet.
        _run(["apt-get", "update", "-qq"], folder)
        if said := _run(download, folder):
            raise MissingProgramError(f"apt-get cannot fetch {package}: {said}")
    file = max(folder.glob(f"{package}_*.deb"), key=lambda each: each.stat().st_mtime)
    unfinished = folder / "package.partial"
    shutil.rmtree(unfinished, ignore_errors=True)
    if said := _run(["dpkg-deb", "--extract", str(file), str(unfinished)], folder):
        raise MissingProgramError(f"cannot unpack {file.name}: {said}")
    change(unfinished)
    unfinished.rename(folder / "package")
    file.unlink()


def _run(command: list[str], folder: Path) -> str:
    """Empty where it went well, else the end of what it said."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_S, check=False
    )
    return "" if done.returncode == 0 else (done.stderr or done.stdout)[-300:] or "it failed"
