"""`serve`, which shows a registry to Prometheus."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import (
    CollectorRegistry,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)
from prometheus_client.exposition import ThreadingWSGIServer

from pulse.errors import PulseError
from pulse.health import beside

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer
    from wsgiref.types import WSGIApplication

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
    app = make_wsgi_app(registry)
    if health is not None:
        app = beside(app, health)
    try:
        server = _listen(host, port, app)
    except OSError as error:
        raise PulseError(
            f"cannot serve metrics on {host}:{port}: {(error.strerror or str(error)).lower()}",
            hint=f"set {setting} to a free port",
        ) from None
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    return MetricsServer(host, server.server_port, server, thread)


def _listen(host: str, port: int, app: WSGIApplication) -> WSGIServer:
    """As `prometheus_client.start_http_server`, which answers before it can be told of an app: all
    that asked meanwhile would hear that the process is ready.
    """

    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return make_server(host, port, app, Server, _Silent)


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # its name there
        """Nothing."""
