"""A real Alertmanager in a process of its own, that of Debian's package `prometheus-alertmanager`.

with AlertmanagerServer(folder, tells="http://127.0.0.1:…/hook") as alertmanager:
    ...  # have pulse push to alertmanager.url
    assert alertmanager.alerts()[0]["status"]["state"] == "active"

A program on PATH is taken as it is; else the package is fetched by `apt-get download`, without
installing it, and kept in `.cache/alertmanager`.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pulse.processes import MissingProgramError, Server

if TYPE_CHECKING:
    from collections.abc import Sequence

CACHE_VARIABLE: Final = "PULSE_ALERTMANAGER"
"""Names the folder that keeps the program, instead of `.cache/alertmanager` in the checkout."""

_PACKAGE: Final = "prometheus-alertmanager"
_PROGRAM: Final = Path("usr/bin") / _PACKAGE
_TEMPLATES: Final = b"/usr/share/prometheus/alertmanager"
_FETCH_S: Final = 120

# Everything is told at once, and an alert without an end of its own is over after a second.
_CONFIG: Final = """
global:
  resolve_timeout: 1s
route:
  receiver: hook
  group_by: [alertname, account]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {tells}
        send_resolved: true
"""


class AlertmanagerServer(Server):
    """One Alertmanager that posts what it makes of the alerts to `tells`."""

    name: ClassVar[str] = "alertmanager"

    def __init__(self, folder: Path, tells: str) -> None:
        super().__init__(folder)
        self._tells = tells

    @property
    def url(self) -> str:
        """Where its API begins."""
        return f"http://127.0.0.1:{self.port}"

    def alerts(self) -> list[dict[str, Any]]:
        """What its API shows: the alerts that fire."""
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=5) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found

    def _command(self) -> Sequence[str | Path]:
        config = self.folder / "alertmanager.yml"
        config.write_text(_CONFIG.format(tells=self._tells))
        program = alertmanager_program()
        for template in (program.parents[2] / _TEMPLATES.decode().lstrip("/")).glob("*.tmpl"):
            shutil.copy(template, self.folder)
        return [
            program,
            f"--config.file={config}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def alertmanager_program() -> Path:
    """The program, fetched if it is not there. Raises `MissingProgramError`."""
    for name in (_PACKAGE, "alertmanager"):
        if found := shutil.which(name):
            return Path(found)
    cache = _cache()
    program = cache / "package" / _PROGRAM
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _fetch(cache)
    return program


def _fetch(cache: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise MissingProgramError(f"no Alertmanager on PATH, and no apt-get to fetch {_PACKAGE}")
    download = ["apt-get", "download", "-qq", _PACKAGE]
    if _run(download, cache):
        # A new machine has no list of packages yet.
        _run(["apt-get", "update", "-qq"], cache)
        if said := _run(download, cache):
            raise MissingProgramError(f"apt-get cannot fetch {_PACKAGE}: {said}")
    package = max(cache.glob(f"{_PACKAGE}_*.deb"), key=lambda each: each.stat().st_mtime)
    unfinished = cache / "package.partial"
    shutil.rmtree(unfinished, ignore_errors=True)
    if said := _run(["dpkg-deb", "--extract", str(package), str(unfinished)], cache):
        raise MissingProgramError(f"cannot unpack {package.name}: {said}")
    _look_here(unfinished / _PROGRAM)
    unfinished.rename(cache / "package")
    package.unlink()


def _look_here(program: Path) -> None:
    """Debian's build reads its templates from a folder where only an installed package has them:
    in our copy that is a path of the same length which means the folder that it runs in.
    """
    code = program.read_bytes()
    program.write_bytes(code.replace(_TEMPLATES, b"./" * (len(_TEMPLATES) // 2)))


def _run(command: list[str], folder: Path) -> str:
    """Empty where it went well, else the end of what it said."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=_FETCH_S, check=False
    )
    return "" if done.returncode == 0 else (done.stderr or done.stdout)[-300:] or "it failed"


def _cache() -> Path:
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen)
    checkout = Path(__file__).parents[3]
    if (checkout / "pyproject.toml").is_file():
        return checkout / ".cache" / "alertmanager"
    return Path.home() / ".cache" / "pulse" / "alertmanager"
