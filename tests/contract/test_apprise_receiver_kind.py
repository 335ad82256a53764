"""The receiver kind `apprise`: the real library, to a real HTTP server."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from pulse.errors import PulseError
from pulse.notifier.kinds import make_receiver
from pulse.notifier.messages.templates import Style, Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.apprise import AppriseOptions
from pulse.testing.alerts import sample_alert
from pulse.testing.endpoint import Endpoint
from pulse.testing.webhooks import HANG, Answer


async def send(url: str, notification: Notification, **changes: Any) -> Outcome:
    options = AppriseOptions(url=url, templates=Templates(Style.TEXT))
    given = {"name": "phones", "kind": "apprise", "timeout_s": 30, "options": options}
    receiver = make_receiver(ReceiverSettings(**given | changes))
    try:
        return await receiver.send(notification, Attempt(1, time.time_ns() // 1_000_000))
    finally:
        await receiver.close()


def at(endpoint: Endpoint) -> str:
    """The endpoint as apprise writes addresses."""
    return endpoint.base.replace("http://", "json://") + "/secret"


async def test_the_library_posts_the_message() -> None:
    alert = sample_alert("acme")
    async with Endpoint() as endpoint:
        outcome = await send(at(endpoint), Notification(id="n", alerts=(alert,)))
        ended = Notification(id="m", alerts=(sample_alert("acme", "resolved"),))
        await send(at(endpoint), ended)

    assert outcome == Outcome(Verdict.DELIVERED, "ok")
    first, second = (each.body for each in endpoint.posts)
    assert first["title"] == "[critical] Acme: below the danger line"
    assert "Acme is in danger: its score fell to 31." in first["message"]
    assert (first["type"], second["type"]) == ("failure", "success")


async def test_a_failure_is_tried_again() -> None:
    async with Endpoint(Answer(500)) as endpoint:
        outcome = await send(at(endpoint), Notification(id="n", alerts=(sample_alert(),)))

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "apprise")
    assert "secret" not in outcome.detail


async def test_it_is_not_waited_for_longer_than_the_time_out() -> None:
    async with Endpoint(HANG) as endpoint:
        began_s = time.monotonic()
        notice = Notification(id="n", alerts=(sample_alert(),))
        outcome = await send(at(endpoint) + "?rto=100&cto=100", notice, timeout_s=0.3)
        took_s = time.monotonic() - began_s

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "timeout")
    assert took_s < 60


async def test_one_that_hangs_takes_nothing_from_another() -> None:
    notice = Notification(id="n", alerts=(sample_alert(),))
    async with Endpoint() as well:
        async with Endpoint(HANG) as hanging:
            url = at(hanging) + "?rto=100&cto=100"
            many = [asyncio.create_task(send(url, notice, timeout_s=100)) for _ in range(12)]
            await hanging.wait_for(lambda: len(hanging.posts) >= 6)
            outcome = await send(at(well), notice)
            await asyncio.to_thread(len, "so that names are resolved")
            still_hang = not any(each.done() for each in many)
        await asyncio.gather(*many)  # whom nobody answers any more

    assert outcome.verdict is Verdict.DELIVERED
    assert still_hang


async def test_what_no_thread_has_begun_in_time_is_never_sent() -> None:
    notice = Notification(id="n", alerts=(sample_alert(),))
    options = AppriseOptions(url="", templates=Templates(Style.TEXT))
    # The second is given up after two seconds, and the thread is free after five.
    async with Endpoint(Answer(after_s=5)) as endpoint:
        settings = ReceiverSettings(
            name="phones",
            kind="apprise",
            timeout_s=1,
            concurrency=1,
            options=replace(options, url=at(endpoint) + "?rto=60&cto=60"),
        )
        receiver = make_receiver(settings)
        outcomes = [await receiver.send(notice, Attempt(number, 0)) for number in (1, 2)]
        # What comes after both in its one thread.
        await asyncio.get_running_loop().run_in_executor(receiver._threads, len, "")
        await receiver.close()

    assert [each.reason for each in outcomes] == ["timeout"] * 2
    assert len(endpoint.posts) == 1


def test_an_address_that_it_does_not_know_is_refused_without_repeating_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    options = AppriseOptions(url="nonsense://secret-token", templates=Templates(Style.TEXT))

    with pytest.raises(PulseError, match="does not know") as caught:
        make_receiver(ReceiverSettings(name="phones", kind="apprise", options=options))
    assert "secret" not in str(caught.value)
    assert "secret" not in "".join(capfd.readouterr())
