"""Whether a process lives, and whether it is ready: `/healthz` and `/readyz` beside its metrics.

`python -m pulse.health [PORT...]` asks from within the same machine or container, and ends with 0
where the answer is yes: an image needs no other client for its health check.
"""

from __future__ import annotations

import asyncio
import http.client
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

STANDS_STILL_S: Final = 60.0
"""An event loop that has not turned for so long does not any more."""
PORTS: Final = (9464, 9465, 9466, 9467)
"""Where the processes have their metrics, if nothing else is configured."""
_ASK_WITHIN_S: Final = 4.0


class Health:
    """What a process says of itself. Written in its event loop, read by the server's thread.

    It lives while its event loop turns (`beating`). It is ready where nothing is `waits_for` and
    the work that `went_on` tells of did so in the last `progress_within_s` seconds, if that is
    given.

    >>> clock = iter([0.0, 1.0, 2.0, 9.0, 9.0]).__next__
    >>> health = Health("topics", progress_within_s=5.0, now_s=clock)
    >>> health.not_ready()
    'waits for topics'
    >>> health.waits_for = None
    >>> health.went_on(), health.not_ready(), health.not_ready(), health.not_alive()
    (None, None, 'nothing was committed for 8 s', None)
    """

    def __init__(
        self,
        waits_for: str | None = None,
        *,
        progress_within_s: float | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.waits_for = waits_for
        """What has to come before it is ready."""
        self._progress_within_s = progress_within_s
        self._now_s = now_s
        self._turned_at_s = self._went_on_at_s = now_s()

    def beat(self) -> None:
        """The event loop turns; to be called every second or so."""
        self._turned_at_s = self._now_s()

    async def beating(self) -> None:
        """Beat until it is cancelled."""
        while True:
            self.beat()
            await asyncio.sleep(1)

    def went_on(self) -> None:
        """The work that counts has gone on, or there is none."""
        self._went_on_at_s = self._now_s()

    def not_alive(self) -> str | None:
        """Why it is to be started again; None while it lives."""
        still_s = self._now_s() - self._turned_at_s
        return f"it stands still for {still_s:.0f} s" if still_s > STANDS_STILL_S else None

    def not_ready(self) -> str | None:
        """Why it is not ready; None where it is."""
        if (waits_for := self.waits_for) is not None:
            return f"waits for {waits_for}"
        if self._progress_within_s is None:
            return None
        idle_s = self._now_s() - self._went_on_at_s
        return (
            f"nothing was committed for {idle_s:.0f} s"
            if idle_s > self._progress_within_s
            else None
        )


def beside(page: WSGIApplication, health: Health) -> WSGIApplication:
    """`page`, with `/healthz` and `/readyz` beside it: 200, or 503 and the reason in a line."""
    asked: dict[str, Callable[[], str | None]] = {
        "/healthz": health.not_alive,
        "/readyz": lambda: health.not_alive() or health.not_ready(),
    }

    def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        ask = asked.get(environ.get("PATH_INFO", ""))
        if ask is None:
            return page(environ, start)
        reason = ask()
        body = f"{reason or 'ok'}\n".encode()
        start(
            "503 Service Unavailable" if reason else "200 OK",
            [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))],
        )
        return [body]

    return answer


def ask(port: int) -> tuple[int, str] | None:
    """What the process at this port of this machine says: status and reason; None if none is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ASK_WITHIN_S)
    try:
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace").strip()
    except ConnectionRefusedError:
        return None
    except (OSError, http.client.HTTPException) as error:
        return 0, f"no answer: {error!r}"
    finally:
        connection.close()


def main(arguments: list[str]) -> int:
    """Ask the process whose metrics are at one of these ports; 0 if it lives."""
    ports = [int(each) for each in arguments] or PORTS
    for port in ports:
        if (said := ask(port)) is not None:
            status, reason = said
            print(f"port {port}: {reason}")
            return int(status != 200)
    print(f"no process of pulse has its metrics at {', '.join(map(str, ports))}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
