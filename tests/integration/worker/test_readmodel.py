from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
import redis
import structlog

from pulse.processes import free_port
from pulse.readmodel import ReadModel, ReadModelError, Written
from pulse.testing.valkey import ValkeyServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ODD_IDS = (
    "a:b",
    "zone:danger",
    "Ünïcødé 東京",
    "50% \\ \"x\" 'y' {z} *?[a]",
    " ",
    "x" * 256,
    "meta",
)


def doc(account_id: str, zone: str = "danger", score: float | None = 30.0) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "as_of": "2024-10-24T00:00:00Z",
        "zone": zone,
        "lifecycle": "current",
        "score": score,
        "profile": {"segment": "pro"},
    }


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
async def model(valkey: ValkeyServer, unique: str) -> AsyncIterator[ReadModel]:
    async with ReadModel(valkey.url, f"{unique}:", config_version="0123456789ab") as model:
        yield model


async def ids(model: ReadModel, zone: str | None = None) -> list[str]:
    return [each["account_id"] async for each in model.walk(zone)]


async def test_what_is_written_is_read_back_and_a_zone_lists_the_lowest_score_first(
    model: ReadModel,
) -> None:
    documents = [
        doc("fine", "healthy", 90.0),
        doc("worst", "danger", 3.5),
        doc("new", "unknown", None),
        doc("bad", "danger", 20.0),
        doc("close", "approaching", 52.0),
        doc("young", "unknown", 80.0),
    ]
    assert await model.write(documents) is Written.DONE
    assert await model.account("worst") == documents[1]
    assert await model.account("nobody") is None
    assert await ids(model) == ["worst", "bad", "close", "fine", "young", "new"]
    assert await ids(model, "danger") == ["worst", "bad"]
    summary = await model.summary()
    assert summary.zones == {
        "danger": 2,
        "approaching": 1,
        "healthy": 1,
        "unknown": 2,
        "churned": 0,
    }
    assert summary.accounts == 6
    assert summary.as_of == "2024-10-24T00:00:00Z"
    assert summary.config_version == "0123456789ab"


async def test_an_account_that_moves_is_in_one_zone_only(model: ReadModel) -> None:
    for zone in ("danger", "approaching", "healthy", "unknown", "danger"):
        await model.write([doc("a", zone), doc("b", "healthy")])
        assert await ids(model, zone) == (["a", "b"] if zone == "healthy" else ["a"])
        assert (await model.summary()).accounts == 2


async def test_an_account_that_has_left_is_in_no_zone_and_comes_last(model: ReadModel) -> None:
    left = doc("left", "danger", 0.0) | {"lifecycle": "churned"}
    await model.write([left, doc("bad", "danger", 20.0), doc("new", "unknown", None)])
    assert await ids(model) == ["bad", "new", "left"]
    assert await ids(model, "danger") == ["bad"]
    assert await ids(model, "churned") == ["left"]
    await model.write([left | {"lifecycle": "resurrected"}])
    assert await ids(model, "danger") == ["left", "bad"]


async def test_the_last_of_two_writes_of_one_account_holds(model: ReadModel) -> None:
    await model.write([doc("a", "danger"), doc("a", "healthy")])
    assert await ids(model, "danger") == []
    assert await ids(model, "healthy") == ["a"]


async def test_odd_account_ids_are_accounts_like_others(model: ReadModel) -> None:
    await model.write([doc(account_id) for account_id in ODD_IDS])
    for account_id in ODD_IDS:
        found = await model.account(account_id)
        assert found is not None
        assert found["account_id"] == account_id
    assert set(await ids(model, "danger")) == set(ODD_IDS)
    assert {each async for some in model.names() for each in some} == set(ODD_IDS)
    await model.write([], removed=ODD_IDS[:-1])
    assert await ids(model) == ["meta"]
    assert [each async for some in model.names() for each in some] == ["meta"]
    assert (await model.summary()).as_of is not None


async def test_the_prefix_of_another_is_not_taken_for_a_pattern(
    valkey: ValkeyServer, unique: str
) -> None:
    names = [f"{unique}{each}:" for each in ("*", "[a]", "a", "\\a")]
    for prefix in names:
        async with ReadModel(valkey.url, prefix) as model:
            await model.write([doc(f"of {prefix}")])
    for prefix in names:
        async with ReadModel(valkey.url, prefix) as model:
            assert [each async for some in model.names() for each in some] == [f"of {prefix}"]


async def test_pages_follow_each_other_across_zones_without_gap_or_repeat(model: ReadModel) -> None:
    zones = ("danger", "approaching", "healthy", "unknown")
    await model.write([doc(f"a{n}", zones[n % 4], float(n)) for n in range(1203)])
    for limit in (1, 7, 301, 5000):
        seen: list[str] = []
        cursor: str | None = None
        while True:
            accounts, cursor = await model.accounts(limit=limit, cursor=cursor)
            assert len(accounts) <= limit
            seen += [each["account_id"] for each in accounts]
            if cursor is None or (limit == 1 and len(seen) > 20):
                break
        expected = await ids(model)
        assert seen == expected[: len(seen)]
        assert limit == 1 or len(seen) == 1203


@pytest.mark.parametrize("cursor", ["", "danger", "danger:-1", "nowhere:3", "danger:x"])
async def test_a_made_up_cursor_is_refused(model: ReadModel, cursor: str) -> None:
    with pytest.raises(ReadModelError, match="not a cursor"):
        await model.accounts(cursor=cursor)


async def test_a_redis_that_is_away_is_said_once_and_costs_no_time(tmp_path: Path) -> None:
    clock = Clock()
    server = ValkeyServer(tmp_path)
    server.start()
    async with ReadModel(server.url, monotonic_s=clock) as model:
        assert await model.write([doc("a"), doc("b")]) is Written.DONE
        assert model.is_up is True
        server.kill()
        with structlog.testing.capture_logs() as logs:
            began = time.monotonic()
            for _ in range(5):
                clock.now_s += 2.0
                assert await model.write([doc("a")]) is Written.AWAY
            assert time.monotonic() - began < 5.0
            assert model.is_up is False
            with pytest.raises(ReadModelError, match=rf"Redis at redis://127.0.0.1:{server.port}"):
                await model.account("a")
            assert len(logs) == 1
            assert logs[0]["log_level"] == "warning"

            server.start()
            clock.now_s += 10.0
            # Empty, since it keeps nothing: the caller hears that the others are missing.
            assert await model.write([doc("a")]) is Written.EMPTIED
            assert len(logs) == 2
        assert await model.write([doc("a"), doc("b")]) is Written.DONE
        assert await ids(model) == ["a", "b"]
    server.stop()


async def test_a_restart_that_no_write_noticed_is_told_to_every_worker(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path) as server:
        async with ReadModel(server.url) as one, ReadModel(server.url) as two:
            assert await one.write([doc("a")]) is Written.DONE
            assert await two.write([doc("b")]) is Written.DONE
            server.kill()
            server.start()
            assert await one.write([doc("a")]) is Written.EMPTIED
            assert await two.write([doc("b")]) is Written.EMPTIED
            assert await one.write([doc("a")]) is Written.DONE
            assert await ids(two) == ["a", "b"]


async def test_a_write_that_redis_refuses_counts_as_away(
    model: ReadModel, valkey: ValkeyServer, unique: str
) -> None:
    with closing(redis.Redis.from_url(valkey.url)) as client:
        client.set(f"{unique}:zone:danger", "not a sorted set")
    assert await model.write([doc("a")]) is Written.AWAY


async def test_what_was_lost_is_told_also_where_a_write_failed_halfway(tmp_path: Path) -> None:
    clock = Clock()
    with ValkeyServer(tmp_path) as server:
        async with ReadModel(server.url, monotonic_s=clock) as model:
            assert await model.write([doc("a")]) is Written.DONE
            server.kill()
            server.start()
            # More than go at once; Redis takes the first ones, and not the last one's score.
            many = [*(doc(f"a{n}") for n in range(600)), doc("b", score=float("nan"))]
            assert await model.write(many) is Written.AWAY
            clock.now_s += 10.0
            assert await model.write([doc("a")]) is Written.EMPTIED


async def test_a_password_is_never_shown() -> None:
    port = free_port()
    async with ReadModel(f"redis://user:hunter2@127.0.0.1:{port}/0") as model:
        with pytest.raises(ReadModelError) as caught:
            await model.summary()
    assert "hunter2" not in str(caught.value)
    assert f"127.0.0.1:{port}" in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost:port/0", "localhost"])
def test_an_address_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(ReadModelError, match="no address of a Redis"):
        ReadModel(url)
