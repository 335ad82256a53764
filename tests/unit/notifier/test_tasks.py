"""What runs in the background ends seen, or not at all."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from aiokafka.errors import KafkaError

from pulse.following import raise_ended
from pulse.notifier.outbox import Outbox
from pulse.testing.alerts import sample_alert

from .test_dispatch import Stage

if TYPE_CHECKING:
    from pulse.notifier.dispatch import Notifier


def broken(*_: object) -> None:
    raise KeyError("a bug")


async def test_who_takes_turns_does_not_die_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()
    async with stage.running() as notifier:
        assert not notifier.tasks.failed.is_set()
        monkeypatch.setattr(Outbox, "next_ms", broken)
        await stage.take(notifier, sample_alert("acme"))
        _is_seen(notifier)
        monkeypatch.undo()


async def test_an_outcome_that_cannot_be_noted_is_not_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage = Stage()
    async with stage.running() as notifier:
        monkeypatch.setattr(Outbox, "end", broken)
        await stage.take(notifier, sample_alert("acme"))
        _is_seen(notifier)
        monkeypatch.undo()
    async with stage.running():
        assert stage.states() == {"cs firing": "succeeded"}, "who comes next tries again"


def _is_seen(notifier: Notifier) -> None:
    assert notifier.tasks.failed.is_set()
    with pytest.raises(KeyError, match="a bug"):
        notifier.tasks.raise_failed()


async def test_a_reader_that_fetches_no_more_says_so() -> None:
    ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    consumer = SimpleNamespace(_fetcher=SimpleNamespace(error_future=ended))
    raise_ended(consumer)
    ended.set_result(None)
    with pytest.raises(KafkaError):
        raise_ended(consumer)
