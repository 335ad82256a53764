"""Each kind of receiver: what it must say, what it must not, and the words for that."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from pulse.config import Config, ConfigError
from pulse.config.loading import read
from pulse.notifier.kinds import make_receiver, receiver_settings
from pulse.testing.webhooks import EXAMPLE_SECRET

if TYPE_CHECKING:
    from pathlib import Path

MAIL = "name: a, kind: email, host: smtp.example.com, from: a@b.example, to: [c@d.example]"


def mistakes_in(text: str) -> list[str]:
    try:
        read(Config, dedent(text).lstrip("\n"), "x")
    except ConfigError as error:
        return str(error).splitlines()
    return []


@pytest.mark.parametrize(
    ("receiver", "said"),
    [
        ("name: a", ["{name: a | .kind: is missing"]),
        (
            "name: a, kind: slak",
            [
                "slak | .kind: must be webhook, alertmanager, slack, teams, pagerduty, email or "
                'apprise, not "slak"; did you mean "slack"?'
            ],
        ),
        ("name: a, kind: 7", ["7 | .kind: must be a text"]),
        (
            "name: a, kind: slack",
            ["{name: a | : where to post is missing; set url_env or url_file"],
        ),
        (
            "name: a, kind: slack, url: https://hooks.slack.com/services/T0/B0/x",
            [
                "{name: a | : where to post is missing; set url_env or url_file",
                "url: https://hooks.slack.com/services/T0/B0/x | .url: unknown key; "
                'did you mean "url_env"?',
            ],
        ),
        (
            "name: a, kind: teams, url_env: A, url_file: /b",
            ["/b | .url_file: url_env is set too; leave one of them out"],
        ),
        (
            "name: a, kind: pagerduty, routing_key: R0UTINGKEY",
            [
                "{name: a | : the routing key is missing; set routing_key_env or routing_key_file",
                "routing_key: R0UTINGKEY | .routing_key: unknown key; "
                'did you mean "routing_key_env"?',
            ],
        ),
        (
            "name: a, kind: alertmanager, url: http://localhost:9093, labels: [mrr]",
            [
                "http://localhost:9093 | .url: localhost is not on the internet (loopback); "
                "allow_private: true permits it",
                'mrr] | .labels[0]: must be segment, plan or owner, not "mrr"',
            ],
        ),
        (
            "name: a, kind: email, host: 10.0.0.1, from: nobody, to: []",
            [
                "10.0.0.1 | .host: 10.0.0.1 is not on the internet (private); "
                "allow_private: true permits it",
                "nobody | .from: must be an address like kim@example.com or Kim <kim@example.com>",
                "[] | .to: must not be an empty list",
            ],
        ),
        (
            MAIL + ", username: pulse",
            ["pulse | .username: a username without a password; set password_env or password_file"],
        ),
        (
            MAIL + ", username: pulse, password_env: P, security: none",
            ["none | .security: the password would go in clear; starttls or tls"],
        ),
        (
            "name: a, kind: apprise, url_env: A",
            [
                "apprise | .kind: apprise connects by itself, and pulse cannot check where to; "
                "allow_unchecked: true says that its address is trusted"
            ],
        ),
        (
            "name: a, kind: apprise, url_env: A, allow_unchecked: false",
            [
                "false | .allow_unchecked: apprise connects by itself, and pulse cannot check "
                "where to; allow_unchecked: true says that its address is trusted"
            ],
        ),
    ],
)
def test_a_mistake_is_said_where_it_is(receiver: str, said: list[str]) -> None:
    """Each with what stands at its place."""
    text = f"receivers: [{{{receiver}}}]"
    found = []
    for each in mistakes_in(text):
        _, line, column, words = each.split(":", 3)
        assert line == "1"
        at = text[int(column) - 1 :].split(",")[0].split("}")[0]
        found.append(f"{at} |{words.replace('receivers[0]', '')}")
    assert found == said


@pytest.mark.parametrize(
    "address",
    ["a@b.example\\nBcc: x@y.example", "a@b.example, c@d.example", "@b.example", "a@", "a b"],
)
def test_no_mail_address_brings_another(address: str) -> None:
    said = mistakes_in(f"receivers: [{{{MAIL.replace('c@d.example', '')}}}]")
    assert said  # an empty list
    text = "receivers: [{" + MAIL.replace("c@d.example", f'"{address}"') + "}]"

    assert ["must be an address like" in each for each in mistakes_in(text)] == [True]


ALL = """
timezone: Europe/Berlin
receivers:
  - {name: w, kind: webhook, url: https://a.example, secret_env: SECRET, format: alertmanager}
  - {name: am, kind: alertmanager, url: https://am.example, token_env: TOKEN, ends_after: 90d}
  - {name: s, kind: slack, url_env: URL, template: own.j2, timezone: Asia/Tokyo}
  - {name: t, kind: teams, url_env: URL}
  - {name: p, kind: pagerduty, routing_key_env: TOKEN}
  - {name: m, kind: email, host: smtp.example.com, from: a@b.example, to: [c@d.example],
     username: pulse, password_env: TOKEN, text_template: own.j2}
  - {name: x, kind: apprise, url_env: APPRISE, allow_unchecked: true}
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("SECRET", EXAMPLE_SECRET)
    monkeypatch.setenv("TOKEN", "hunter2hunter2")
    monkeypatch.setenv("URL", "https://hooks.example.com/hunter2hunter2")
    monkeypatch.setenv("APPRISE", "json://apprise.example/hunter2hunter2")
    (tmp_path / "own.j2").write_text("{% block title %}own{% endblock %}")
    (tmp_path / "pulse.yaml").write_text(ALL)
    monkeypatch.chdir("/")  # templates are found beside the file, wherever pulse is started
    return Config.load(tmp_path / "pulse.yaml")


async def test_every_kind_is_made_of_its_section(config: Config) -> None:
    settings = receiver_settings(config)
    receivers = [make_receiver(each) for each in settings.values()]

    assert [type(each).__name__ for each in receivers] == [
        "Webhook",
        "Alertmanager",
        "Slack",
        "Teams",
        "PagerDuty",
        "Email",
        "Apprise",
    ]
    assert settings["s"].timezone == "Asia/Tokyo"
    assert settings["t"].timezone == "Europe/Berlin"
    assert settings["p"].url == "https://events.pagerduty.com/v2/enqueue"
    assert settings["s"].concurrency == 1
    for each in receivers:
        await each.close()


def test_no_secret_shows(config: Config) -> None:
    shown = repr(receiver_settings(config)) + repr(config) + config.model_dump_json()

    assert "hunter2" not in shown


def test_missing_secrets_are_all_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET", raising=False)
    config = read(
        Config, ALL.replace("SECRET", "NOT_A").replace("url: https://a", "url: https://b")
    )
    missing = [each for receiver in config.receivers for each in receiver.missing_secrets()]

    assert any("NOT_A is not set (secret_env of receiver" in each for each in missing)
    assert any("APPRISE is not set" in each for each in missing)
