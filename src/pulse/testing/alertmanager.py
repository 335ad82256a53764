"""A real Alertmanager in a process of its own, that of Debian's package `prometheus-alertmanager`.

with AlertmanagerServer(folder, tells="http://127.0.0.1:…/hook") as alertmanager:
    ...  # have pulse push to alertmanager.url
    assert alertmanager.alerts()[0]["status"]["state"] == "active"

A program on PATH is taken as it is; else the package is fetched by `apt-get download`, without
installing it, and kept in `.cache/alertmanager`.
"""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from pulse.processes import Server
from pulse.testing import debian
from pulse.testing.debian import Cache

if TYPE_CHECKING:
    from collections.abc import Sequence

_CACHE: Final = Cache("alertmanager", "PULSE_ALERTMANAGER")
_PACKAGE: Final = "prometheus-alertmanager"
_PROGRAM: Final = Path("usr/bin") / _PACKAGE
_TEMPLATES: Final = b"/usr/share/prometheus/alertmanager"

# Everything is told at once, and an alert without an end of its own is over after some seconds: it
# can be seen before that.
_CONFIG: Final = """
global:
  resolve_timeout: 5s
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
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts", timeout=30) as answer:
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
    found = debian.on_path(_PACKAGE, "alertmanager")
    return found or debian.fetched(_PACKAGE, _CACHE, _look_here) / _PROGRAM


def _look_here(package: Path) -> None:
    """Debian's build reads its templates from a folder where only an installed package has them:
    in our copy that is a path of the same length which means the folder that it runs in.
    """
    program = package / _PROGRAM
    code = program.read_bytes()
    program.write_bytes(code.replace(_TEMPLATES, b"./" * (len(_TEMPLATES) // 2)))
