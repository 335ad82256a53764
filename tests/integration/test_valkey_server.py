from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import redis

from pulse.testing.valkey import ValkeyServer

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_set_is_got(valkey: ValkeyServer, unique: str) -> None:
    with closing(redis.Redis.from_url(valkey.url)) as client:
        client.set(unique, "zone: danger")

        assert client.get(unique) == b"zone: danger"


def test_a_killed_server_comes_back_empty_on_the_same_port(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as own:
        url = own.url
        with closing(redis.Redis.from_url(url)) as client:
            client.set("a", "b")

        own.kill()
        own.restart()

        with closing(redis.Redis.from_url(url)) as client:
            assert own.url == url
            assert client.dbsize() == 0
