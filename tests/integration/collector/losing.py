"""A proxy that loses an answer, after which a client sends again."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADERS = ("authorization", "content-type", "content-encoding", "user-agent")


class Losing:
    """What went through the proxy."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.url = ""
        self.taken: list[str] = []
        """The path of every request that the collector has taken, the one whose answer was lost
        too.
        """


@contextmanager
def losing_the_first_answer(behind: str) -> Iterator[Losing]:
    """A proxy before `behind`: what is posted first comes there, and its client hears nothing."""
    losing = Losing(behind)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: self.headers[name] for name in _HEADERS if name in self.headers}
            answer = httpx.post(behind + self.path, content=body, headers=headers, timeout=30)
            losing.taken += [self.path] if answer.is_success else []
            # As a gateway says that waited in vain.
            lost = answer.is_success and len(losing.taken) == 1
            self.send_response(504 if lost else answer.status_code)
            said = b"" if lost else answer.content
            self.send_header("content-length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        losing.url = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield losing
        finally:
            server.shutdown()
