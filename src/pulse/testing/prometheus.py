"""A real Prometheus in a process of its own, and promtool, of Debian's package `prometheus`.

with PrometheusServer(folder, config) as prometheus:
    prometheus.wait_until_up({"pulse-worker"})
    assert prometheus.ask("sum(pulse_accounts)")[0].value == 3

Programs on PATH are taken as they are; else the package is fetched by `apt-get download`, without
installing it, and kept in `.cache/prometheus`.
"""

from __future__ import annotations

import json
import math
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

from ruamel.yaml import YAML

from pulse.processes import Server, ServerError
from pulse.testing import debian
from pulse.testing.debian import Cache

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

_PACKAGE: Final = "prometheus"
_CACHE: Final = Cache("prometheus", "PULSE_PROMETHEUS")
_POLL_S: Final = 0.2
_CHECK_S: Final = 110
"""The cases of all rules take three seconds of a processor; others may want it too."""


class Series(NamedTuple):
    """One series of an answer: its labels, and its values, one where it is of an instant."""

    labels: Mapping[str, str]
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The last value."""
        return self.values[-1]

    @property
    def has_numbers(self) -> bool:
        """Whether any value is one."""
        return any(math.isfinite(each) for each in self.values)


class PrometheusServer(Server):
    """One Prometheus that does what a configuration says (`prometheus.yml` as Python has it)."""

    name: ClassVar[str] = "prometheus"

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        super().__init__(folder)
        self._config = config

    @property
    def url(self) -> str:
        """Where its API begins."""
        return f"http://127.0.0.1:{self.port}"

    def ask(self, expression: str) -> list[Series]:
        """What an expression gives now. Raises `ServerError` where it is refused."""
        data = self._get("query", query=expression)
        if data["resultType"] == "scalar":
            return [Series({}, (float(data["result"][1]),))]
        return [Series(each["metric"], (float(each["value"][1]),)) for each in data["result"]]

    def ask_over(self, expression: str, seconds: float, step_s: float = 1.0) -> list[Series]:
        """What it gives at every step of the last seconds."""
        end_s = time.time()
        data = self._get(
            "query_range", query=expression, start=end_s - seconds, end=end_s, step=step_s
        )
        return [
            Series(each["metric"], tuple(float(value) for _, value in each["values"]))
            for each in data["result"]
        ]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its health and the last error."""
        groups: list[dict[str, Any]] = self._get("rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def wait_until_up(self, jobs: Collection[str], within_s: float = 90.0) -> None:
        """Return when a process of each of these jobs was scraped."""
        deadline = time.monotonic() + within_s
        while missing := set(jobs) - {each.labels["job"] for each in self.ask("up == 1")}:
            if time.monotonic() > deadline:
                targets = self._get("targets")["activeTargets"]
                said = [(each["scrapeUrl"], each["lastError"]) for each in targets]
                raise ServerError(f"not scraped within {within_s:g} s: {sorted(missing)}: {said}")
            time.sleep(_POLL_S)

    def wait_until_seen(self, jobs: Collection[str], within_s: float = 90.0) -> None:
        """Return when what these jobs show now was scraped, and the rules have seen it.

        A scrape fails where a process does not answer within its interval, as on a busy machine.
        """
        began_s = time.time()
        deadline = time.monotonic() + within_s
        # A sample has the time at which its scrape began.
        scraped = "timestamp(up) and (up == 1)"
        while missing := set(jobs) - {
            each.labels["job"] for each in self.ask(scraped) if each.value > began_s
        }:
            if time.monotonic() > deadline:
                raise ServerError(f"not scraped anew within {within_s:g} s: {sorted(missing)}")
            time.sleep(_POLL_S)
        began_s = time.time()
        while any(_instant_s(rule["lastEvaluation"]) <= began_s for rule in self.rules()):
            if time.monotonic() > deadline:
                raise ServerError(f"rules are not evaluated within {within_s:g} s")
            time.sleep(_POLL_S)

    def _get(self, what: str, **parameters: object) -> Any:
        url = f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            said = json.load(error).get("error", "")
            raise ServerError(f"Prometheus refuses {parameters}: {said}") from None

    def _command(self) -> Sequence[str | Path]:
        config = self.folder / "prometheus.yml"
        with config.open("w") as file:
            YAML(typ="safe").dump(self._config, file)
        return [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
        ]

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _instant_s(text: str) -> float:
    """Unix time of an instant as Prometheus writes it."""
    return datetime.fromisoformat(text).timestamp()


def promtool(*arguments: str | Path, reads: str | None = None) -> str:
    """What promtool says, given `reads`; raises `ServerError` where it finds a mistake."""
    done = subprocess.run(
        [program("promtool"), *arguments],
        input=reads,
        capture_output=True,
        text=True,
        timeout=_CHECK_S,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode:
        raise ServerError(f"promtool {arguments[0]}: {said}")
    return said


def program(name: str) -> Path:
    """`prometheus` or `promtool`, fetched if it is not there. Raises `MissingProgramError`."""
    return debian.on_path(name) or debian.fetched(_PACKAGE, _CACHE) / "usr" / "bin" / name
