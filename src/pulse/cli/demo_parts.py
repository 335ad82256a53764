"""The parts of `pulse demo`: the history it plays, its configuration, its processes."""

from __future__ import annotations

import base64
import os
import secrets
import sys
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

import pulse
from pulse.embedded import SESSION_TIMEOUT_S, Broker, Valkey
from pulse.errors import PulseError
from pulse.processes import Server, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prometheus_client.samples import Sample

SECRET_VARIABLE: Final = "PULSE_WEBHOOK_SECRET"
"""What the example's configuration calls the signing secret."""
LINK_VARIABLE: Final = "PULSE_LINK_SECRET"
"""The key of the links in messages, which lead to the page."""

_FLUSH_S: Final = 0.5
"""Often, so that the screen moves."""

_RETRY_S: Final = (0, 1, 2, 4, 8, 16)
"""Soon, so that the webhooks failed on purpose come again while one looks."""

_HISTORY, _CONFIG = "contributions.ndjson.gz", "pulse.yaml"


@dataclass(frozen=True, slots=True)
class Example:
    """The history that is played, and the configuration that suits it."""

    history: Path
    config: Path

    @classmethod
    def find(cls) -> Example:
        """The example: in an installed package beside the code, in a checkout at its top.

        Raises `PulseError` where it is neither.
        """
        package = Path(pulse.__file__).parent
        for folder in (package / "examples", package.parents[1] / "examples"):
            if (folder / "contributions" / _HISTORY).is_file():
                folder /= "contributions"
                return cls(folder / _HISTORY, folder / _CONFIG)
        raise PulseError(
            "the history that the demo plays is not here",
            hint="install pulse from its wheel, or run the demo in a checkout",
        )


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that others use. Those that Prometheus knows are the usual ones if free."""

    worker: int
    notifier: int
    web: int
    web_metrics: int
    webhooks: int

    @classmethod
    def choose(cls) -> Ports:
        """Free ones, as of now."""
        return cls(
            worker=free_port(9464),
            notifier=free_port(9465),
            web=free_port(8081),
            web_metrics=free_port(9467),
            webhooks=free_port(),
        )


def write_config(example: Example, broker: Broker, valkey: Valkey, ports: Ports, to: Path) -> None:
    """Write the example's configuration, changed where the demo's own parts stand."""
    yaml = YAML(typ="safe")
    settings = yaml.load(example.config)
    _merge(
        settings,
        {
            "kafka": {"brokers": [broker.bootstrap], "idempotence": False},
            "redis": {"url": valkey.url},
            "worker": {
                "flush_interval_s": _FLUSH_S,
                "session_timeout_s": SESSION_TIMEOUT_S,
                "metrics_port": ports.worker,
            },
            "notifier": {"metrics_port": ports.notifier},
            "web": {
                "host": "127.0.0.1",
                "port": ports.web,
                "metrics_port": ports.web_metrics,
                "public_url": f"http://127.0.0.1:{ports.web}",
                "link_secret_env": LINK_VARIABLE,
            },
            "history": {"file": str(to.parent / "history.sqlite3")},
        },
    )
    for receiver in settings["receivers"]:
        receiver |= {
            "url": f"http://127.0.0.1:{ports.webhooks}/hooks/pulse",
            "allow_private": True,
            "retry": {"schedule_s": list(_RETRY_S)},
        }
    yaml.default_flow_style = False
    with to.open("w", encoding="utf-8") as file:
        yaml.dump(settings, file)


def new_secret() -> str:
    """A signing secret of this demo's own."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass(frozen=True, slots=True)
class Metrics:
    """What a process serves to Prometheus, at one instant."""

    samples: Sequence[Sample]

    @classmethod
    def parse(cls, text: str) -> Metrics:
        """From Prometheus' text format."""
        families = text_string_to_metric_families(text)
        return cls([sample for family in families for sample in family.samples])

    def total(self, name: str, **labels: str) -> int:
        """The sum of a metric over the labels that are not given; 0 where it is not served.

        >>> Metrics.parse('a_total{b="x"} 2\\na_total{b="y"} 3\\n').total("a_total", b="y")
        3
        """
        return int(sum(each.value for each in self._of(name, labels)))

    def by(self, label: str, name: str, **labels: str) -> Counter[str]:
        """A metric by one label."""
        found: Counter[str] = Counter()
        for each in self._of(name, labels):
            found[each.labels[label]] += int(each.value)
        return +found

    def _of(self, name: str, labels: Mapping[str, str]) -> list[Sample]:
        return [
            each
            for each in self.samples
            if each.name == name and labels.items() <= each.labels.items()
        ]


class PulseProcess(Server):
    """A process of pulse, as anybody would run it. Ready when it serves metrics."""

    name: ClassVar[str] = "pulse"
    ready_within_s: ClassVar[float] = 60.0
    arguments: ClassVar[Sequence[str]] = ()

    def __init__(self, folder: Path, port: int, config: Path, environ: Mapping[str, str]) -> None:
        super().__init__(folder, port)
        self._config = config
        self._environ = environ

    @property
    def url(self) -> str:
        """What Prometheus scrapes."""
        return f"http://127.0.0.1:{self.port}/metrics"

    def _command(self) -> Sequence[str | Path]:
        program = (sys.executable, "-c", "from pulse.cli import main; main()")
        return [*program, *self.arguments, "--config", self._config]

    def _environment(self) -> Mapping[str, str]:
        # What a process that had to be killed could not remove goes with the demo's folder.
        return {**os.environ, "TMPDIR": str(self.folder), **self._environ}

    def _answers(self) -> bool:
        return bool(self.look().samples)

    def look(self) -> Metrics:
        """Its metrics now; none where it does not answer."""
        try:
            with urllib.request.urlopen(self.url, timeout=2.0) as answer:
                return Metrics.parse(answer.read().decode())
        except OSError:
            return Metrics([])


class WorkerProcess(PulseProcess):
    """`pulse work`."""

    name: ClassVar[str] = "worker"
    arguments: ClassVar[Sequence[str]] = ("work",)


class NotifierProcess(PulseProcess):
    """`pulse notify`."""

    name: ClassVar[str] = "notifier"
    arguments: ClassVar[Sequence[str]] = ("notify",)


class WebProcess(PulseProcess):
    """`pulse web`. Ready when it serves the page at `page_url`; `port` is that of its metrics."""

    name: ClassVar[str] = "web"
    arguments: ClassVar[Sequence[str]] = ("web",)

    def __init__(
        self, folder: Path, ports: Ports, config: Path, environ: Mapping[str, str]
    ) -> None:
        super().__init__(folder, ports.web_metrics, config, environ)
        self.page_url = f"http://127.0.0.1:{ports.web}"

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.page_url}/healthz", timeout=2.0) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _merge(settings: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        if isinstance(value, dict):
            _merge(settings.setdefault(name, {}), value)
        else:
            settings[name] = value
