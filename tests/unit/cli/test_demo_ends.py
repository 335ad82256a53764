"""A demo's tasks end, whatever loses a cancellation."""

from __future__ import annotations

import asyncio

from pulse.cli.demo import cancel


async def test_a_task_that_loses_a_cancellation_is_cancelled_again() -> None:
    lost = 0

    async def loses_one() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    task = asyncio.create_task(loses_one())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await cancel(task)
    assert lost == 1
    assert task.cancelled()


async def test_what_ended_badly_is_not_raised_again() -> None:
    async def fails() -> None:
        raise ValueError

    task = asyncio.create_task(fails())
    await asyncio.sleep(0)
    await cancel(task)
    assert task.done()
