"""The receiver kind `apprise`: the real library, to a real HTTP server."""

import time
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
    given = {"name": "phones", "kind": "apprise", "timeout_s": 5, "options": options}
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
        outcome = await send(at(endpoint) + "?rto=2&cto=2", notice, timeout_s=0.3)

    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, "timeout")
    assert time.monotonic() - began_s < 4


def test_an_address_that_it_does_not_know_is_refused_without_repeating_it(
    capfd: pytest.CaptureFixture[str],
) -> None:
    options = AppriseOptions(url="nonsense://secret-token", templates=Templates(Style.TEXT))

    with pytest.raises(PulseError, match="does not know") as caught:
        make_receiver(ReceiverSettings(name="phones", kind="apprise", options=options))
    assert "secret" not in str(caught.value)
    assert "secret" not in "".join(capfd.readouterr())
