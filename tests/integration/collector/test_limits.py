"""What a collector holds against those who send too much or too slowly, and what it remembers."""

from __future__ import annotations

import asyncio
import random
import select
import socket
import string
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from pulse.collector.spool import Spool
from pulse.processes import free_port
from tests.integration.collecting import bearer, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.collecting import Collecting

pytestmark = pytest.mark.kafka


def another(collecting: Collecting, **settings: Any) -> httpx.Client:
    """Another collector of the same system, that knows the key."""
    port = free_port()
    collecting.system.process("collect", port=port, **settings).start()
    url, headers = f"http://127.0.0.1:{port}", bearer(collecting.key)
    http = httpx.Client(base_url=url, headers=headers, timeout=30)
    wait_for(lambda: is_up(http))
    return http


def is_up(http: httpx.Client) -> bool:
    try:
        return http.get("/healthz").status_code == 200
    except httpx.ConnectError:
        return False


def event(number: int) -> dict[str, Any]:
    ts = time.time_ns() // 1_000_000
    return {"id": f"e{number}", "account_id": "acme", "event": "report.run", "ts": ts}


def test_a_source_that_sends_too_fast_comes_again(collecting: Collecting) -> None:
    http = another(collecting, events_per_second=10)

    # So many that also who asks again only after seconds has come too soon.
    assert http.post("/v1/events", json=[event(n) for n in range(200)]).status_code == 200
    refused = http.post("/v1/events", json=event(200))
    assert (refused.status_code, refused.json()["error"]["reason"]) == (429, "too_fast")
    assert 1 <= int(refused.headers["retry-after"]) <= 11

    time.sleep(int(refused.headers["retry-after"]))
    assert http.post("/v1/events", json=event(200)).status_code == 200
    assert len(collecting.lines()) == 201


def test_a_slow_sender_is_not_waited_for(collecting: Collecting) -> None:
    # Three requests of others take less than that on a busy machine too.
    http = another(collecting, body_timeout_s=12.0)
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: pulse\r\nContent-Length: 1000\r\n{key(collecting)}\r\n"
    )
    with socket.create_connection((http.base_url.host, http.base_url.port), timeout=60) as slow:
        slow.sendall(head.encode())
        for _ in range(3):
            slow.sendall(b"[")
            assert http.post("/v1/events", json=event(1)).status_code == 200
        answer = slow.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert http.post("/v1/events", json=event(2)).status_code == 200


def test_who_says_nothing_is_not_waited_for(collecting: Collecting) -> None:
    http = another(collecting, body_timeout_s=1.0)
    address = (http.base_url.host, http.base_url.port)
    for said in (b"", b"POST /v1/events HTTP/1.1\r\nHost: pul"):
        with socket.create_connection(address, timeout=60) as silent:
            silent.sendall(said)
            assert silent.recv(4096) == b""
    # A connection that is used waits for its next request.
    assert http.post("/v1/events", json=event(1)).status_code == 200
    time.sleep(2)
    assert http.post("/v1/events", json=event(2)).status_code == 200


def test_what_kafka_refuses_costs_the_others_nothing(
    collecting: Collecting, tmp_path: Path
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=collecting.system.bootstrap)
    topic = ConfigResource(
        ConfigResourceType.TOPIC,
        collecting.system.config.kafka.topics.deadletter,
        {"max.message.bytes": "2000"},
    )
    admin.alter_configs([topic])
    admin.close()
    poison = {"event": "run", "userId": "nobody", "properties": {"text": random_text(9_000)}}

    def post(number: int) -> int:
        path, said = ("/v1/track", poison) if number % 10 == 0 else ("/v1/events", event(number))
        return collecting.http.post(path, json=said).status_code

    # A broker heeds it a moment after it has answered.
    wait_for(lambda: post(0) == 503)
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(post, range(100)))
    assert statuses == [503 if n % 10 == 0 else 200 for n in range(100)]
    assert len({line["id"] for line in collecting.lines()}) == 90

    # The same when it comes out of a spool.
    spool = tmp_path / "spool"
    fill(spool, poison, event(1_000))
    another(collecting, spool=str(spool))
    wait_for(lambda: any(line["id"] == "e1000" for line in collecting.lines()))
    wait_for(lambda: not list(spool.glob("*.spool")))
    assert b"nobody" in next(spool.glob("*.refused")).read_bytes()


def fill(folder: Path, letter: dict[str, Any], line: dict[str, Any]) -> None:
    """A spool as a collector leaves it, with a dead letter and then an event."""

    async def write() -> None:
        spool = Spool(folder, 1 << 20)
        letters = [(msgspec.json.encode(letter), "unlinked", "")]
        await spool.add(msgspec.msgpack.encode(([], letters, [])))
        lines = [(line["account_id"], msgspec.json.encode(line))]
        await spool.add(msgspec.msgpack.encode((lines, [], [])))
        await spool.close()

    asyncio.run(write())


def random_text(size: int) -> str:
    """No compression makes it fit."""
    return "".join(random.Random(0).choices(string.ascii_letters, k=size))


def test_many_that_come_slowly_do_not_fill_the_memory(collecting: Collecting) -> None:
    http = another(collecting, buffer_bytes=1 << 20, max_body_bytes=1 << 20)
    address = (http.base_url.host, http.base_url.port)
    head = b"POST /v1/track HTTP/1.1\r\nHost: pulse\r\nContent-Length: 1000000\r\n\r\n"
    with (
        socket.create_connection(address, timeout=60) as one,
        socket.create_connection(address, timeout=60) as another_one,
    ):
        for slow in (one, another_one):  # whether they have a key stands in the body
            slow.sendall(head + b" " * 600_000)
        refused, _, _ = select.select([one, another_one], [], [], 60)
        answer = refused[0].recv(4096)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in answer
    assert http.post("/v1/events", json=event(1)).status_code == 200


def key(collecting: Collecting) -> str:
    return f"Authorization: Bearer {collecting.key}\r\n"


def test_whose_a_user_is_all_collectors_know_and_after_a_restart(collecting: Collecting) -> None:
    def track(http: httpx.Client, unique: str) -> None:
        call = {"event": "run", "userId": "ada", "messageId": unique}
        assert http.post("/v1/track", json=call).status_code == 200

    before = another(collecting)
    group = {"groupId": "acme", "userId": "ada"}
    assert collecting.http.post("/v1/group", json=group).status_code == 200
    wait_for(lambda: any(each.value == b"acme" for each in collecting.system.read("links")))
    track(another(collecting), "later")
    # It runs since before, and follows.
    wait_for(lambda: linked(before, collecting))

    assert [line["account_id"] for line in collecting.lines()][:1] == ["acme"]
    assert [each.value for each in collecting.system.read("links")].count(b"acme") == 1


def linked(http: httpx.Client, collecting: Collecting) -> bool:
    """Whether an event of the user comes to the account."""
    unique = f"n{time.monotonic_ns()}"
    http.post("/v1/track", json={"event": "run", "userId": "ada", "messageId": unique})
    return any(line["id"] == unique for line in collecting.lines())


def test_what_is_too_large_for_a_letter_is_cut(collecting: Collecting) -> None:
    call = {"event": "run", "userId": "nobody", "properties": {"text": "x" * (3 << 20)}}

    assert collecting.http.post("/v1/track", content=msgspec.json.encode(call)).status_code == 200
    (letter,) = collecting.system.read("deadletter")
    assert len(letter.value) == 512 << 10
    assert collecting.http.post("/v1/events", json=event(1)).status_code == 200
