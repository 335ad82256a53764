"""The receiver kind `slack`: Slack's own models of blocks, and a real HTTP server."""

import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from slack_sdk.models.blocks import Block
from slack_sdk.webhook import WebhookClient

from pulse.alerting.people.links import Links
from pulse.model import Alert
from pulse.notifier.kinds import make_receiver
from pulse.notifier.messages.templates import Style, Templates
from pulse.notifier.receiver import Attempt, Notification, Outcome, ReceiverSettings, Verdict
from pulse.notifier.receivers.slack import MAX_BLOCKS
from pulse.testing.alerts import sample_alert
from pulse.testing.endpoint import PATH, Endpoint
from pulse.testing.webhooks import Answer, throttle

OK = Answer(200, body=b"ok")
LINKS = {"alert": "https://pulse.example/a?x=1&y=<2>|3", "close": "https://pulse.example/close"}


def notice(*alerts: Alert, **changes: Any) -> Notification:
    alerts = alerts or (sample_alert("acme"),)
    links = {each.id: LINKS for each in alerts}
    return Notification(id="n1", alerts=alerts, **{"links": links, **changes})


async def post(endpoint: Endpoint, notification: Notification, own: str = "") -> Outcome:
    settings = ReceiverSettings(
        name="slack",
        kind="slack",
        url=endpoint.url,
        allow_private=True,
        timeout_s=30,
        options=Templates(Style.SLACK, own),
    )
    receiver = make_receiver(settings)
    try:
        return await receiver.send(notification, Attempt(1, time.time_ns() // 1_000_000))
    finally:
        await receiver.close()


def check_limits(body: dict[str, Any]) -> None:
    """By Slack's own models, which raise where a block is not within Slack's limits."""
    blocks = Block.parse_all(body["blocks"])
    assert len(blocks) == len(body["blocks"]) <= 50
    for each, said in zip(blocks, body["blocks"], strict=True):
        assert each.to_dict() == said
    for said in body["blocks"]:
        texts = [said["text"]] if said["type"] == "section" else said["elements"]
        assert all(0 < len(text["text"]) <= 2000 for text in texts)
    assert 0 < len(body["text"]) <= 2000
    assert len(json.dumps(body["blocks"], ensure_ascii=False)) <= MAX_BLOCKS


async def test_a_message_says_who_how_bad_since_when_why_and_what_to_do() -> None:
    async with Endpoint(OK) as endpoint:
        outcome = await post(endpoint, notice())

    assert outcome == Outcome(Verdict.DELIVERED, "ok", 200)
    body = endpoint.posts[0].body
    check_limits(body)
    assert body["text"] == "*[critical] Acme: below the danger line*"
    text = body["blocks"][1]["text"]["text"]
    assert "Acme is in danger: its score fell to 31." in text
    assert "`██████░░┃" in text
    assert "score 31.2, danger below 40" in text
    assert "active users 12.5" in text
    assert "Since 2023-11-13 22:13 UTC (24 h)" in text
    assert "*What to do:* Call the account's owner today." in text
    assert "<https://pulse.example/close|Close with an outcome>" in text
    assert "<https://pulse.example/a?x=1&amp;y=%3C2%3E%7C3|Open>" in text


async def test_the_same_message_goes_through_slacks_own_client() -> None:
    async with Endpoint(OK) as endpoint:
        await post(endpoint, notice())
        body = endpoint.posts[0].body
        client = WebhookClient(endpoint.url)
        answer = await asyncio.to_thread(client.send_dict, body)

    assert answer.status_code == 200
    assert [each.path for each in endpoint.posts] == [PATH, PATH]
    assert endpoint.posts[1].body == body


async def test_a_name_cannot_call_everybody_or_make_a_link() -> None:
    evil = "<!channel> <https://evil.example|bill> & *x*\n>quote"
    alert = sample_alert("acme", profile={"name": "A"}, summary=evil)
    alert = alert.model_copy(update={"profile": alert.profile.model_copy(update={"name": evil})})
    async with Endpoint(OK) as endpoint:
        await post(endpoint, notice(alert, links={}))

    body = endpoint.posts[0].body
    check_limits(body)
    everything = body["text"] + "".join(each["text"]["text"] for each in body["blocks"])
    assert "<" not in everything
    assert "&lt;!channel&gt; &lt;https://evil.example|bill&gt; &amp; *x* &gt;quote" in everything
    assert all(each["text"]["verbatim"] for each in body["blocks"])


async def test_several_alerts_are_listed_the_worst_first_with_how_many_more_fire() -> None:
    alerts = tuple(sample_alert(f"a{number}", summary="&" * 600) for number in range(25))
    full = notice(
        *alerts,
        group=(("owner", "kim"),),
        also_firing=40,
        is_digest=True,
        is_late=True,
        again=True,
    )
    async with Endpoint(OK) as endpoint:
        await post(endpoint, full)

    body = endpoint.posts[0].body
    check_limits(body)
    assert body["text"] == "*Digest of 25 alerts for owner kim: A0, A1, A2 and 22 more*"
    assert [block["text"]["text"].splitlines()[0] for block in body["blocks"][1:26]] == [
        f"*[critical] A{number}: below the danger line*" for number in range(25)
    ]
    footer = body["blocks"][-1]["elements"][0]["text"]
    assert "A digest" in footer
    assert "This comes late: it is of 2023-11-14 22:13 UTC." in footer
    assert "You were told of this before" in footer
    assert "Besides, 40 alerts of the same group fire." in footer


async def test_what_does_not_fit_is_told_by_its_first_line_and_where_to_open_it() -> None:
    links = Links("https://pulse.example.com", b"k" * 32, 30 * 86_400_000)
    alerts = tuple(sample_alert(f"account-{number}") for number in range(25))
    found = {each.id: links.of(each.id, each.account_id, 0) for each in alerts}
    async with Endpoint(OK) as endpoint:
        await post(endpoint, notice(*alerts, links=found))

    body = endpoint.posts[0].body
    check_limits(body)
    texts = [block["text"]["text"] for block in body["blocks"][1:]]
    assert len(texts) == 25
    assert "*What to do:*" in texts[0]
    for text, alert in zip(texts, alerts, strict=True):
        assert f"<{found[alert.id]['alert']}|Open>" in text
    assert texts[24].splitlines() == [
        "*[critical] Account-24: below the danger line*",
        f"<{found[alerts[24].id]['alert']}|Open>",
    ]


async def test_what_does_not_fit_with_one_line_either_is_counted() -> None:
    alerts = tuple(sample_alert(f"a{number}") for number in range(25))
    far = {each.id: {"alert": "https://pulse.example/" + "x" * 900} for each in alerts}
    async with Endpoint(OK) as endpoint:
        await post(endpoint, notice(*alerts, links=far))

    body = endpoint.posts[0].body
    check_limits(body)
    told, more = body["blocks"][1:-1], body["blocks"][-1]
    assert more["text"]["text"] == f"… and {25 - len(told)} more"
    assert 5 < len(told) < 25


async def test_an_end_is_said() -> None:
    async with Endpoint(OK) as endpoint:
        await post(endpoint, notice(sample_alert("acme", "resolved")))

    body = endpoint.posts[0].body
    assert body["text"] == "*[resolved] Acme: below the danger line*"
    assert "ended: recovered" in body["blocks"][1]["text"]["text"]
    assert "What to do" not in body["blocks"][1]["text"]["text"]


async def test_a_block_of_ones_own_takes_the_place_of_the_shipped_one() -> None:
    own = "{% block title %}:fire: {{ super() }} for {{ message.alerts[0].mrr }}{% endblock %}"
    async with Endpoint(OK) as endpoint:
        await post(endpoint, notice(), own)

    assert endpoint.posts[0].body["text"] == (
        ":fire: *[critical] Acme: below the danger line* for 1,200"
    )


@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        (Answer(400, body=b"invalid_payload"), Verdict.RETRY, "http_400"),
        (Answer(403, body=b"action_prohibited"), Verdict.RETRY, "http_403"),
        (Answer(403, body=b"invalid_token"), Verdict.GONE, "invalid_token"),
        (Answer(404, body=b"no_active_hooks"), Verdict.GONE, "no_active_hooks"),
        (Answer(404, body=b"no_service"), Verdict.GONE, "no_service"),
        (Answer(404, body=b"channel_not_found"), Verdict.RETRY, "http_404"),
        (Answer(410, body=b"channel_is_archived"), Verdict.GONE, "channel_is_archived"),
        (Answer(500, body=b"rollup_error"), Verdict.RETRY, "http_500"),
        (throttle(30), Verdict.THROTTLED, "http_429"),
        (Answer(302, {"location": "https://evil.example"}), Verdict.RETRY, "http_302"),
    ],
)
async def test_what_slacks_answers_mean(answer: Answer, verdict: Verdict, reason: str) -> None:
    async with Endpoint(answer) as endpoint:
        outcome = await post(endpoint, notice())

    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert outcome.retry_after_s == (30 if verdict is Verdict.THROTTLED else None)
    if answer.body:
        assert outcome.detail == answer.body.decode()


async def test_an_answer_that_repeats_the_secret_is_not_repeated() -> None:
    said = f"no such hook: {PATH} (key 0123456789abcdef0123456789)".encode()
    async with Endpoint(Answer(400, body=said)) as endpoint:
        outcome = await post(endpoint, notice())

    assert outcome.detail == "no such hook: … (key …)"


def test_settings_do_not_show_the_address() -> None:
    settings = ReceiverSettings(name="slack", url="https://hooks.slack.com" + PATH)

    assert "secret" not in repr(replace(settings, kind="slack"))
