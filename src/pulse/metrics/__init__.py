"""The worker's metrics, and `serve`, which shows a registry to Prometheus.

Names begin with `pulse_`, units are base units, and no account or user is ever in a label: what
customers name (segments, sources) is bounded. Each process object has a registry of its own, so
that several can live in one Python process, each on its own port.

`docs/operations.md` says which dashboards and alerts are made of them.
"""

from pulse.metrics.fleet import MAX_SEGMENTS, Standing
from pulse.metrics.now import Clocks, Sources
from pulse.metrics.page import MetricsServer, serve
from pulse.metrics.worker import WorkerMetrics

__all__ = [
    "MAX_SEGMENTS",
    "Clocks",
    "MetricsServer",
    "Sources",
    "Standing",
    "WorkerMetrics",
    "serve",
]
