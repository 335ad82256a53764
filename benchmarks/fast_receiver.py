"""A webhook receiver that costs little: it notes when each notification came, and answers 204.

Usage: python -m benchmarks.fast_receiver PORT FILE

Each request becomes a line of the file when it has come to its end: the `webhook-id`, and the time
(ms UTC). The lines are written when the process ends, and whenever it is told to (SIGUSR1).
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from pathlib import Path
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class _Connection(asyncio.Protocol):
    def __init__(self, came: list[tuple[bytes, int]]) -> None:
        self._came = came
        self._got = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        while True:
            head, end, rest = self._got.partition(b"\r\n\r\n")
            if not end:
                return
            length = int(_header(head, b"content-length"))
            if len(rest) < length:
                return
            self._got = rest[length:]
            self._came.append((_header(head, b"webhook-id"), time.time_ns() // 1_000_000))
            assert self._transport is not None
            self._transport.write(_ANSWER)


def _header(head: bytes, name: bytes) -> bytes:
    """The value of a header; `0` where it is missing."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return b"0"


async def _serve(port: int, path: Path) -> None:
    came: list[tuple[bytes, int]] = []
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def write() -> None:
        with path.open("ab") as file:
            file.writelines(b"%b %d\n" % each for each in came)
        came.clear()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, write)
    server = await loop.create_server(lambda: _Connection(came), "127.0.0.1", port)
    await stop.wait()
    server.close()
    write()


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1]), Path(sys.argv[2])))


if __name__ == "__main__":
    main()
