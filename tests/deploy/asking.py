"""Which metrics there are, which ones a query is about, and what panels ask."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulse.collector.metrics import CollectorMetrics
from pulse.desk.books import OutcomeBook
from pulse.metrics import Standing, WorkerMetrics
from pulse.notifier.metrics import NotifierMetrics
from pulse.web.metrics import WebMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry, Metric

    from pulse.testing.prometheus import Series

_SUFFIXES: Final = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
}


def registries() -> dict[str, CollectorRegistry]:
    """What each process shows, before anything was counted but where an account stands."""
    worker = WorkerMetrics()
    worker.fleet.note(0, "acme", Standing("danger", "current", "pro", 31.2, 1200.0))
    worker.sources.note({"web": 1.0}, ())
    return {
        "worker": worker.registry,
        "notifier": NotifierMetrics().registry,
        "collector": CollectorMetrics(lambda: 0, lambda: 0).registry,
        "web": WebMetrics(OutcomeBook(), lambda: 0, lambda: 0).registry,
    }


def _all() -> Iterator[Metric]:
    for registry in registries().values():
        yield from registry.collect()


def families() -> set[str]:
    """The metrics of all processes, without what is added to their names."""
    return {each.name for each in _all()}


def samples() -> set[str]:
    """The names under which Prometheus knows them."""
    return {each.name + suffix for each in _all() for suffix in _SUFFIXES.get(each.type, ("",))}


def names_in(expression: str) -> set[str]:
    """The metrics that a query is about."""
    return set(re.findall(r"(?<![\w:])(?:pulse|process)_\w+", re.sub(r'"[^"]*"', "", expression)))


def expressions_of(board: dict[str, Any]) -> list[str]:
    """The queries of a dashboard's panels and variables, as Grafana would send them."""
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found.append(variable["query"].removeprefix("label_values(").rpartition(",")[0])
    return [expanded(each) for each in found]


def expanded(expression: str) -> str:
    """With everything chosen, over a time that suits a short run.

    In it there are two scrapes, before and after something came, though some fail.
    """
    text = expression.replace("$__rate_interval", "30s").replace("$__range", "600s")
    return re.sub(r"\$\w+", ".+", text)


class Asked(NamedTuple):
    """One query of a panel."""

    name: str
    panel: dict[str, Any]
    target: dict[str, Any]

    @property
    def id(self) -> str:
        """No other query is called so."""
        return f"{self.name}/{self.target['refId']}"

    @property
    def expression(self) -> str:
        """As Grafana would send it, with everything chosen."""
        return expanded(self.target["expr"])

    def assert_gets(self, series: Sequence[Series]) -> None:
        """That these are numbers, with the labels by which the panel calls them."""
        assert any(each.has_numbers for each in series), self.expression
        for label in re.findall(r"\{\{(\w+)\}\}", self.target["legendFormat"]):
            assert all(label in each.labels for each in series), label
        if self.panel["type"] == "stat":
            assert len(series) == 1


_FOLDER: Final = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"
BOARDS: Final[dict[str, dict[str, Any]]] = {
    file.stem: json.loads(file.read_text()) for file in sorted(_FOLDER.glob("*.json"))
}
PANELS: Final = [
    Asked(f"{name}: {panel['title']}", panel, target)
    for name, board in BOARDS.items()
    for panel in board["panels"]
    for target in panel.get("targets", ())
]
