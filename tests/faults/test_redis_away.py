"""Redis goes away and comes back empty: the workers go on, and it is filled from their state."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import redis

from pulse.readmodel import ReadModel, ReadModelError
from pulse.testing.valkey import ValkeyServer

from .scenes import metric, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pulse.testing.truth import Truth

    from .scenes import Scene

pytestmark = pytest.mark.timeout(480)


def test_away_in_the_middle_and_back(make_scene: Callable[..., Scene], tmp_path: Path) -> None:
    with ValkeyServer(tmp_path / "valkey") as valkey:
        scene = make_scene(redis={"url": valkey.url, "prefix": "pulse:"})
        scene.play(injuries=1)
        workers = [scene.worker().start() for _ in range(2)]
        wait_for(lambda: all(metric(each, "pulse_read_model_up") == 1 for each in workers))
        wait_for(lambda: len(shown(valkey)) > 10)
        with redis.Redis.from_url(valkey.url) as client:
            client.set("before", "1")
        valkey.kill()
        wait_for(lambda: all(metric(each, "pulse_read_model_up") == 0 for each in workers))
        applied = scene.system.applied()
        wait_for(lambda: scene.system.applied() > applied + 200)
        valkey.start()
        with redis.Redis.from_url(valkey.url) as client:
            assert not client.exists("before")  # it has lost all it had
        wait_for(lambda: all(metric(each, "pulse_read_model_up") == 1 for each in workers))
        scene.finish()
        right, found = lasting(known(scene.assert_exact())), dict[str, Any]()

        def is_shown() -> bool:
            found.clear()
            found.update(lasting(shown(valkey)))
            return found == right

        with contextlib.suppress(AssertionError):
            wait_for(is_shown)
        assert found == right
        scene.system.stop()


def shown(valkey: ValkeyServer) -> dict[str, Any]:
    """What people would see, by account: nothing where Redis is slow to answer."""

    async def walk() -> dict[str, Any]:
        async with ReadModel(valkey.url, "pulse:", config_version="") as model:
            return {each["account_id"]: each async for each in model.walk()}

    try:
        return asyncio.run(walk())
    except ReadModelError:
        return {}


def known(truth: Truth) -> dict[str, Any]:
    """What they should see."""
    return {each["account_id"]: each for each in map(msgspec.json.decode, truth.accounts)}


def lasting(accounts: dict[str, Any]) -> dict[str, Any]:
    """Of each account what a document and a status have in common and does not age.

    The lifecycle does: an account becomes dormant by the hour of its last event, and a document is
    of the last time that anything was decided about the account, at the latest its day start.
    """
    names = ("account_id", "last_active_at", "zone", "line")
    return {key: {name: each[name] for name in names} for key, each in accounts.items()}
