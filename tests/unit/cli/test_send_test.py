"""`pulse send-test`: what is sent, what is said of the answer, what to do about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from standardwebhooks.webhooks import Webhook as Standard
from typer.testing import CliRunner

from pulse.cli import app
from pulse.cli.send_test import hint_of, in_words
from pulse.errors import PulseError
from pulse.notifier.receiver import Outcome, ReceiverSettings, Verdict
from pulse.testing.webhooks import (
    EXAMPLE_SECRET,
    Answer,
    ReceiverThread,
    WebhookReceiver,
    in_turn,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookReceiver]:
    monkeypatch.setenv("SECRET", EXAMPLE_SECRET)
    with ReceiverThread(WebhookReceiver()) as receiver:
        yield receiver


def run(tmp_path: Path, receiver: WebhookReceiver, *arguments: str, extra: str = "") -> Any:
    file = tmp_path / "pulse.yaml"
    file.write_text(
        "receivers:\n"
        f"  - {{name: cs, kind: webhook, url: '{receiver.url}', secret_env: SECRET{extra}}}\n"
        "  - {name: other, kind: slack, url_env: NOT_SET_HERE}\n"
    )
    return CliRunner().invoke(app, ["send-test", *arguments, "--config", str(file)])


def test_a_test_is_sent_as_real_alerts_are(tmp_path: Path, receiver: WebhookReceiver) -> None:
    done = run(tmp_path, receiver, "cs", extra=", allow_private: true")

    assert done.exit_code == 0, done.output
    assert re.match(r"cs \(webhook\): delivered \(HTTP 204\), after \d+\.\d+ s", done.output)
    (request,) = receiver.delivered
    Standard(EXAMPLE_SECRET).verify(request.raw, dict(request.headers))
    assert request.body["type"] == "alert.firing"
    assert "This is a test of pulse, and about no customer" in request.body["data"]["summary"]
    assert request.body["data"]["account_id"] == "pulse-test"


def test_its_end_is_that_of_the_same_alert(tmp_path: Path, receiver: WebhookReceiver) -> None:
    for more in ((), ("--resolved",)):
        assert run(tmp_path, receiver, "cs", *more, extra=", allow_private: true").exit_code == 0

    first, second = (each.body for each in receiver.delivered)
    assert second["type"] == "alert.resolved"
    assert first["data"]["id"] == second["data"]["id"]
    assert len(receiver.delivered_ids) == 2


def test_a_failure_says_what_was_answered_and_what_to_do(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    receiver.behaviour = in_turn(Answer(404))
    done = run(tmp_path, receiver, "cs", extra=", allow_private: true")

    assert done.output.startswith("cs (webhook): not delivered (HTTP 404), after ")
    assert isinstance(done.exception, PulseError)
    assert done.exception.exit_code == 1
    assert "is the whole of it in the setting?" in str(done.exception)


def test_an_inner_address_is_refused_and_how_to_allow_it_is_said(
    tmp_path: Path, receiver: WebhookReceiver
) -> None:
    done = run(tmp_path, receiver, "cs")

    assert "is not on the internet (loopback); allow_private: true" in str(done.exception)
    assert receiver.requests == []


def test_a_receiver_there_is_not_is_said(tmp_path: Path, receiver: WebhookReceiver) -> None:
    done = run(tmp_path, receiver, "sc", extra=", allow_private: true")

    assert 'no receiver "sc"' in str(done.exception)


def test_a_missing_secret_is_named(tmp_path: Path, receiver: WebhookReceiver) -> None:
    done = run(tmp_path, receiver, "other", extra=", allow_private: true")

    assert "NOT_SET_HERE is not set (url_env" in str(done.exception)


def test_what_was_answered_is_said_in_one_line() -> None:
    settings = ReceiverSettings(name="s", kind="slack")
    throttled = Outcome(Verdict.THROTTLED, "http_429", 429, "slow", retry_after_s=30)

    assert in_words(settings, throttled, 0.5) == (
        "s (slack): not delivered (HTTP 429, slow, come again in 30 s), after 0.50 s"
    )
    assert hint_of(throttled) == "it has too much to do: try again later"
    assert "own log" in hint_of(Outcome(Verdict.RETRY, "http_418", 418))
