"""Receivers of every kind behind one notifier on Apache Kafka."""

from __future__ import annotations

import asyncio
from email import message_from_bytes, policy
from typing import TYPE_CHECKING, Any

import pytest
from aiosmtpd.controller import Controller

from pulse.config import Config
from pulse.processes import MissingProgramError, free_port
from pulse.testing.alertmanager import AlertmanagerServer
from pulse.testing.alerts import sample_alert
from pulse.testing.endpoint import Endpoint
from pulse.testing.webhooks import EXAMPLE_SECRET, Answer, WebhookReceiver
from tests.integration.notifier.notifying import QUICK_S, Place, notifying, until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import NoReturn

    from aiosmtpd.smtp import SMTP, Envelope, Session

    from pulse.testing.kafka import KafkaServer

pytestmark = pytest.mark.kafka


class Mails:
    """The subjects of what an SMTP server took."""

    def __init__(self) -> None:
        self.subjects: list[str] = []

    async def handle_DATA(  # aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        self.subjects.append(message_from_bytes(envelope.content, policy=policy.default)["Subject"])
        return "250 queued"


@pytest.fixture
def mails() -> Iterator[tuple[Mails, int]]:
    taken, port = Mails(), free_port()
    controller = Controller(taken, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    yield taken, port
    controller.stop()


async def test_every_kind_is_told_that_an_alert_fires_and_that_it_has_ended(
    kafka: KafkaServer,
    unique: str,
    tmp_path: Path,
    mails: tuple[Mails, int],
    without: Callable[[str], NoReturn],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = Place(kafka.bootstrap, unique)
    place.make_topics()
    # The first answers of Slack and Teams are failures: they are tried again, the others are not.
    slack = Endpoint(Answer(500), Answer(200, body=b"ok"))
    teams = Endpoint(Answer(429, {"retry-after": "1"}), Answer(202))
    async with (
        slack, teams, Endpoint(Answer(202)) as pager, Endpoint() as told, Endpoint() as library,
        WebhookReceiver() as hook,
    ):  # fmt: skip
        alertmanager = AlertmanagerServer(tmp_path, told.url)
        try:
            await asyncio.to_thread(alertmanager.start)
        except MissingProgramError as error:
            without(str(error))
        for name, secret in (
            ("PULSE_TEST_SECRET", EXAMPLE_SECRET),
            ("SLACK", slack.url),
            ("TEAMS", teams.url),
            ("PAGER", "R0UTINGKEY"),
            ("APPRISE", library.base.replace("http://", "json://")),
        ):
            monkeypatch.setenv(name, secret)
        mail = {
            "host": "localhost",
            "port": mails[1],
            "security": "none",
            "from": "pulse@example.com",
            "to": ["kim@example.com"],
        }
        inside = {"allow_private": True}
        kinds: list[dict[str, Any]] = [
            {"kind": "webhook", "url": hook.url, "secret_env": "PULSE_TEST_SECRET"} | inside,
            {"kind": "slack", "url_env": "SLACK"} | inside,
            {"kind": "teams", "url_env": "TEAMS"} | inside,
            {"kind": "pagerduty", "url": f"{pager.base}/v2", "routing_key_env": "PAGER"} | inside,
            {"kind": "alertmanager", "url": alertmanager.url} | inside,
            {"kind": "email", **mail} | inside,
            {"kind": "apprise", "url_env": "APPRISE", "allow_unchecked": True},
        ]
        receivers = [
            {"name": each["kind"], "retry": {"schedule_s": QUICK_S}} | each for each in kinds
        ]
        config = Config.model_validate(place.settings("") | {"receivers": receivers})
        async with notifying(config):
            await place.produce([sample_alert("acme")])
            await until(lambda: _told(hook, slack, teams, pager, library, mails[0], 1))
            await until(lambda: len(told.posts) == 1)
            firing = await asyncio.to_thread(alertmanager.alerts)
            await place.produce([sample_alert("acme", "resolved")])
            await until(lambda: _told(hook, slack, teams, pager, library, mails[0], 2))
            await until(lambda: len(told.posts) == 2)
        resolved = await asyncio.to_thread(alertmanager.alerts)
        await asyncio.to_thread(alertmanager.stop)

    assert [each["labels"]["account"] for each in firing] == ["acme"]
    assert resolved == []
    assert [each.body["status"] for each in told.posts] == ["firing", "resolved"]
    assert [each.body["type"] for each in hook.delivered] == ["alert.firing", "alert.resolved"]
    titles = [
        "[critical] Acme: below the danger line",
        "[resolved] Acme: below the danger line",
    ]
    assert mails[0].subjects == titles
    assert [each.body["title"] for each in library.posts] == titles
    assert [each.body["event_action"] for each in pager.posts] == ["trigger", "resolve"]
    assert [each.body["text"].strip("*") for each in slack.posts] == [titles[0], *titles]
    assert len(teams.posts) == 3


def _told(
    hook: WebhookReceiver,
    slack: Endpoint,
    teams: Endpoint,
    pager: Endpoint,
    library: Endpoint,
    mails: Mails,
    times: int,
) -> bool:
    """Whether each has heard so many times, the failures of Slack and Teams besides."""
    heard = {len(hook.delivered), len(pager.posts), len(library.posts), len(mails.subjects)}
    return heard == {times} and {len(slack.posts), len(teams.posts)} == {times + 1}
