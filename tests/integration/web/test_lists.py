"""Lists of very much, while others are answered: nobody waits until all was gone through."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from pulse.alerting.people.outcomes import Outcome, encode_outcome
from pulse.alerting.records.delivery import Delivery, State
from pulse.alerting.records.envelope import wrap
from pulse.web.tokens import Role
from tests.integration.web.webbing import NOW_MS, Scene, alert

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

MANY = 100_000


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    scene = Scene(None, settings={"web": {"public_url": "https://pulse.example.com",
                                          "most_alerts": MANY}})  # fmt: skip
    like = alert()
    scene.knows(like)
    books, said = scene.books, like.to_json()
    delivery = Delivery(
        id="n", group="gr_1", receiver="cs", alerts=((like.id, "firing"),), labels=(),
        state=State.SUCCEEDED, at_ms=NOW_MS, created_ms=NOW_MS, due_ms=NOW_MS,
    )  # fmt: skip
    outcome = Outcome(
        alert_id="", account_id="acme", reason="danger", outcome="saved", author="kim",
        at_ms=NOW_MS, started_ms=NOW_MS,
    )  # fmt: skip
    for n in range(MANY - 1):
        name = f"al_{n:026}"
        books.alerts.take(b"acme", said.replace(like.id.encode(), name.encode()))
        closed = msgspec.structs.replace(outcome, alert_id=name, at_ms=NOW_MS + n)
        books.outcomes.take(name.encode(), encode_outcome(closed)[1])
        sent = msgspec.structs.replace(delivery, id=f"n{n}", at_ms=NOW_MS + n)
        books.deliveries.take(b"notification/n%d" % n, wrap(1, msgspec.json.encode(sent)))
    # A collection of garbage stops all, whoever answers.
    gc.collect()
    gc.disable()
    yield scene
    gc.enable()


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/alerts",
        "/api/v1/alerts?owner=nobody",
        "/api/v1/outcomes",
        "/api/v1/outcomes?reason=none",
        "/api/v1/outcomes/precision",
        "/api/v1/deliveries",
        "/api/v1/deliveries?alert=none",
    ],
)
async def test_others_are_answered_while_a_list_is_gone_through(scene: Scene, path: str) -> None:
    client = scene.client(scene.token(Role.viewer))
    assert (await client.get(path)).status_code == 200  # what is made once is made

    shares = [await longest_pause(client.get(path)) for _ in range(10)]

    # Of one that stands still it is nearly all each time; what others on the machine do is not.
    assert min(shares) < 0.5


async def longest_pause(work: Awaitable[object]) -> float:
    """The longest time for which nothing else was done, as a share of what the work took."""
    pauses: list[float] = []

    async def others() -> None:
        while True:
            began_s = time.perf_counter()
            await asyncio.sleep(0.001)
            pauses.append(time.perf_counter() - began_s)

    going_on = asyncio.create_task(others())
    await asyncio.sleep(0.01)
    pauses.clear()
    began_s = time.perf_counter()
    await work
    took_s = time.perf_counter() - began_s
    await asyncio.sleep(0.01)
    going_on.cancel()
    return max(pauses) / took_s
