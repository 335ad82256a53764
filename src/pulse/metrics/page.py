"""`serve`, which shows a registry to Prometheus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from pulse.errors import PulseError
from pulse.health import beside

if TYPE_CHECKING:
    from threading import Thread
    from wsgiref.simple_server import WSGIServer

    from pulse.health import Health


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """A `/metrics` that is being served."""

    host: str
    port: int
    _server: WSGIServer
    _thread: Thread

    @property
    def url(self) -> str:
        """What Prometheus scrapes."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}/metrics"

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(
    host: str,
    port: int,
    registry: CollectorRegistry,
    *,
    setting: str = "worker.metrics_port",
    health: Health | None = None,
) -> MetricsServer:
    """Serve a registry on `host:port` (0: any free port) in a thread of its own.

    With it goes what the process itself takes: memory, time, files, since when. With `health` also
    `/healthz` and `/readyz`.

    Raises `PulseError` where that cannot be, naming the `setting` that says otherwise.
    """
    # They double the page, and nothing reads them.
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the client has none
    ProcessCollector(registry=registry)
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise PulseError(
            f"cannot serve metrics on {host}:{port}: {(error.strerror or str(error)).lower()}",
            hint=f"set {setting} to a free port",
        ) from None
    if health is not None:
        server.set_app(beside(server.get_app(), health))  # type: ignore[arg-type]  # None before
    return MetricsServer(host, server.server_port, server, thread)
