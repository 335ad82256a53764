import asyncio
import socket
from typing import Any

import pytest

from pulse.config import Config, SecretError
from pulse.errors import PulseError
from pulse.notifier import app
from pulse.notifier.kinds import receiver_settings
from pulse.notifier.receivers.signature import decode_secret
from pulse.testing.webhooks import EXAMPLE_SECRET


def config(*receivers: dict[str, Any], **sections: Any) -> Config:
    default = {"kind": "webhook", "url": "https://hooks.example.com/x", "secret_env": "SECRET"}
    each = [default | {"name": f"r{number}"} | given for number, given in enumerate(receivers)]
    return Config.model_validate({"receivers": each} | sections)


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", EXAMPLE_SECRET)


def test_receivers_are_read_with_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", "whsec_" + "b2xk" * 8)
    monkeypatch.setenv("WHERE", "https://hooks.example.com/secret-path")
    given = config({"url": None, "url_env": "WHERE", "previous_secret_env": "OLD"}, {})

    settings = receiver_settings(given)

    assert list(settings) == ["r0", "r1"]
    assert settings["r0"].url == "https://hooks.example.com/secret-path"
    assert settings["r0"].keys == (decode_secret(EXAMPLE_SECRET), b"old" * 8)
    assert settings["r0"].schedule_s[:3] == (0, 5, 300)
    assert "secret-path" not in repr(settings)
    assert "old" not in repr(settings)


def test_the_requests_at_once_are_shared_out() -> None:
    given = config({}, {}, {}, notifier={"concurrency": 32})

    assert {each.concurrency for each in receiver_settings(given).values()} == {10}


@pytest.mark.parametrize("url", ["http://10.0.0.1/secret-path", "ftp://example.com/secret-path"])
def test_an_address_from_the_environment_is_checked_too(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE", url)

    with pytest.raises(PulseError, match='receiver "r0"') as caught:
        receiver_settings(config({"url": None, "url_env": "WHERE"}))
    assert "secret-path" not in str(caught.value)


def test_a_secret_that_is_none_is_refused_without_repeating_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SECRET", "hunter2")

    with pytest.raises(PulseError, match='receiver "r0": a webhook secret begins') as caught:
        receiver_settings(config({}))
    assert "hunter2" not in str(caught.value)


def test_a_secret_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SECRET")

    with pytest.raises(SecretError, match="SECRET"):
        receiver_settings(config({}))


async def test_a_port_in_use_is_said_clearly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PulseError, match=rf"127\.0\.0\.1:{port}.*notifier\.metrics_port"):
            await app.run(config({}, notifier={"metrics_port": port}), asyncio.Event())


def test_a_receiver_may_say_how_much_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "https://hooks.slack.example.com/x")
    given = config({"rate": 5, "concurrency": 3}, {}, notifier={"concurrency": 32})
    others = [
        {"name": "team", "kind": "slack", "url_env": "WHERE"},
        {"name": "pager", "kind": "pagerduty", "routing_key_env": "WHERE"},
    ]
    settings = receiver_settings(given)
    settings |= receiver_settings(Config.model_validate({"receivers": others}))

    assert (settings["r0"].rate, settings["r0"].concurrency) == (5, 3)
    assert (settings["r1"].rate, settings["r1"].concurrency) == (None, 16)
    assert (settings["team"].rate, settings["team"].concurrency) == (1, 1)
    assert [name for name, each in settings.items() if each.per_alert] == ["pager"]


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ({"kind": "pagerduty", "routing_key_env": "OLD"}, {"routing_key_env": "NEW"}),
        ({"kind": "email", "host": "mail.example.com", "from": "p@example.com",
          "to": ["kim@example.com"]}, {"to": ["lee@example.com"]}),
        ({"kind": "webhook", "secret_env": "SECRET", "url": "https://a.example.com"},
         {"url": "https://b.example.com"}),
    ],
)  # fmt: skip
def test_what_is_mended_is_another_endpoint(
    said: dict[str, Any], changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLD", "a" * 32)
    monkeypatch.setenv("NEW", "b" * 32)

    def endpoint(**said: Any) -> str:
        given = Config.model_validate({"receivers": [{"name": "cs", **said}]})
        return receiver_settings(given)["cs"].endpoint

    assert endpoint(**said) == endpoint(**said)
    assert endpoint(**said) != endpoint(**said | changed)
