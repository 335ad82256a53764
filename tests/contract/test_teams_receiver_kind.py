"""The receiver kind `teams`: the schema of Adaptive Cards, and a real HTTP server."""

import json
import time
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft6Validator

from pulse.notifier.kinds import make_receiver
from pulse.notifier.messages.templates import Style, Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.testing.alerts import sample_alert
from pulse.testing.endpoint import Endpoint
from pulse.testing.webhooks import Answer, throttle

ACCEPTED = Answer(202)
SCHEMA = Draft6Validator(
    json.loads(files("adaptive_cards").joinpath("schemas/schema-1.4.json").read_text("utf-8-sig"))
)


async def post(endpoint: Endpoint, notification: Notification) -> Outcome:
    settings = ReceiverSettings(
        name="teams",
        kind="teams",
        url=endpoint.url,
        allow_private=True,
        timeout_s=30,
        options=Templates(Style.TEXT),
    )
    receiver = make_receiver(settings)
    try:
        return await receiver.send(notification, Attempt(1, time.time_ns() // 1_000_000))
    finally:
        await receiver.close()


def card_of(endpoint: Endpoint) -> dict[str, Any]:
    """The card that was posted, valid by its schema, within what Teams takes."""
    post = endpoint.posts[-1]
    assert len(post.raw) <= 28 * 1024
    assert post.body["type"] == "message"
    (attachment,) = post.body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card: dict[str, Any] = attachment["content"]
    # Teams' own, beside the schema.
    SCHEMA.validate({name: value for name, value in card.items() if name != "msteams"})
    return card


def runs_in(value: Any) -> list[dict[str, Any]]:
    """Every run of text in a card; asserts that there is no other text, which would be Markdown."""
    if isinstance(value, list):
        return [run for each in value for run in runs_in(each)]
    if not isinstance(value, dict):
        return []
    assert value.get("type") != "TextBlock"
    if value.get("type") == "TextRun":
        return [value]
    return [run for each in value.values() for run in runs_in(each)]


async def test_a_card_says_who_why_and_what_to_do() -> None:
    alert = sample_alert("acme")
    links = {alert.id: {"alert": "https://pulse.example/a", "snooze": "https://pulse.example/s"}}
    async with Endpoint(ACCEPTED) as endpoint:
        outcome = await post(endpoint, Notification(id="n", alerts=(alert,), links=links))

    assert outcome == Outcome(Verdict.DELIVERED, "ok", 202)
    runs = runs_in(card_of(endpoint))
    said = "".join(each["text"] for each in runs)
    assert runs[0]["text"] == "[critical] Acme: below the danger line"
    assert runs[0]["weight"] == "Bolder"
    assert "Acme is in danger: its score fell to 31." in said
    assert "██████░░┃" in said
    assert "What to do: Call the account's owner today." in said
    opened = {each["text"]: each["selectAction"]["url"] for each in runs if "selectAction" in each}
    assert opened == {"Open": "https://pulse.example/a", "Snooze": "https://pulse.example/s"}


async def test_a_name_stays_a_name() -> None:
    evil = "[pay here](https://evil.example) # **x** <at>all</at>"
    alert = sample_alert("acme", profile={"name": evil}, summary=evil)
    async with Endpoint(ACCEPTED) as endpoint:
        await post(endpoint, Notification(id="n", alerts=(alert,)))

    runs = runs_in(card_of(endpoint))
    assert any(evil in each["text"] for each in runs)
    assert not any("selectAction" in each for each in runs)


async def test_several_alerts_fit_however_much_they_say() -> None:
    alerts = tuple(
        sample_alert(f"a{number}", summary=f"{number} " + "ü" * 590, play="p" * 590)
        for number in range(25)
    )
    links = {each.id: {"alert": "https://pulse.example/" + "a" * 400} for each in alerts}
    async with Endpoint(ACCEPTED) as endpoint:
        await post(endpoint, Notification(id="n", alerts=alerts, links=links, also_firing=3))

    said = "\n".join(each["text"] for each in runs_in(card_of(endpoint)))
    assert "25 alerts: A0, A1, A2 and 22 more" in said
    assert "Besides, 3 alerts of the same group fire." in said
    assert "[critical] A0: below the danger line" in said


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (Answer(200), Verdict.DELIVERED, "ok"),
        (Answer(400, body=b'{"error":{"code":"x"}}'), Verdict.RETRY, "http_400"),
        (Answer(401), Verdict.RETRY, "http_401"),
        (Answer(410), Verdict.GONE, "http_410"),
        (Answer(502), Verdict.THROTTLED, "http_502"),
        (throttle(9), Verdict.THROTTLED, "http_429"),
    ],
)
async def test_what_its_answers_mean(answer: Answer, verdict: Verdict, reason: str) -> None:
    async with Endpoint(answer) as endpoint:
        outcome = await post(endpoint, Notification(id="n", alerts=(sample_alert(),)))

    assert (outcome.verdict, outcome.reason) == (verdict, reason)
