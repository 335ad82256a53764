"""Every metric of every process, from the registries that the processes show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from prometheus_client.metrics import MetricWrapperBase

from pulse.collector.metrics import CollectorMetrics
from pulse.config import Config
from pulse.desk.books import OutcomeBook
from pulse.metrics import WorkerMetrics
from pulse.notifier.metrics import NotifierMetrics
from pulse.web.metrics import WebMetrics

from .markdown import code, page, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry

_ABOUT: Final = (
    "Each process shows its metrics at `/metrics` on a port of its own, for Prometheus. Besides "
    "those below each has `process_*`: its memory, processor time, files, and since when it runs. "
    "Of a histogram Prometheus knows `_bucket`, `_sum` and `_count`. No account, user or "
    "notification is ever in a label. What alerts are made of them, and what to do then, is in "
    "[operations](../operations.md)."
)
_TOTAL: Final = {"counter": "_total"}


class Shown(NamedTuple):
    """A metric: its name as Prometheus knows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


def metrics() -> str:
    """The page of all metrics, a part for each process."""
    config = Config()
    processes = (
        ("work", config.worker.metrics_port, WorkerMetrics().registry),
        ("notify", config.notifier.metrics_port, NotifierMetrics().registry),
        (
            "collect",
            config.collector.metrics_port,
            CollectorMetrics(lambda: 0, lambda: 0).registry,
        ),
        ("web", config.web.metrics_port, WebMetrics(OutcomeBook(), lambda: 0, lambda: 0).registry),
    )
    parts: list[str] = []
    for command, port, registry in processes:
        rows = [
            (code(each.name), each.kind, ", ".join(map(code, each.labels)), each.about)
            for each in sorted(shown(registry))
        ]
        parts += [f"## `pulse {command}`, port {port}"]
        parts += [table(("name", "type", "labels", "help"), rows)]
    return page("Metrics", _ABOUT, *parts)


def shown(registry: CollectorRegistry) -> Iterator[Shown]:
    """The metrics of a registry, also those of which nothing was counted yet."""
    # A registry tells of its metrics only what was counted, so it is looked into.
    for each in registry._collector_to_names:
        if isinstance(each, MetricWrapperBase):
            yield _shown(each._name, str(each._type), each._labelnames, each._documentation)
        else:
            for family in each.collect():
                yield _shown(family.name, family.type, _labels(family), family.documentation)


def _labels(family: Any) -> tuple[str, ...]:
    return tuple(getattr(family, "_labelnames", ()))


def _shown(name: str, kind: str, labels: tuple[str, ...], about: str) -> Shown:
    words = "histogram" if kind == "gaugehistogram" else kind
    return Shown(name + _TOTAL.get(kind, ""), words, tuple(labels), about)
