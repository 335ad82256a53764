"""How the page and its links are configured."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.cli.check import missing_secrets
from pulse.config import Config, ConfigError, SecretError
from pulse.config.loading import read

if TYPE_CHECKING:
    from pathlib import Path

KEY = "k" * 32


def web(text: str) -> Config:
    return read(Config, "web:\n" + "".join(f"  {line}\n" for line in text.splitlines()))


def mistake(text: str) -> tuple[int, int, str]:
    with pytest.raises(ConfigError) as caught:
        web(text)
    (found,) = caught.value.mistakes
    return found.line, found.column, str(found)


def test_without_a_key_there_are_no_links() -> None:
    assert Config().web.links() is None
    assert web("public_url: https://pulse.example.com").web.links() is None


def test_links_are_made_with_the_new_key_and_opened_with_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.write_text("o" * 40)
    monkeypatch.setenv("PULSE_TEST_LINKS", KEY)
    found = web(
        "public_url: https://pulse.example.com/\nlink_secret_env: PULSE_TEST_LINKS\n"
        f"previous_link_secret_file: {old}\nlink_lifetime: 2d"
    ).web.links()

    assert found is not None
    assert found.base_url == "https://pulse.example.com"
    assert (found.key, found.old_keys) == (KEY.encode(), (b"o" * 40,))
    assert found.lifetime == 2 * 86_400_000
    assert KEY not in repr(web("public_url: http://pulse").web)


def test_a_key_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_TEST_LINKS", "secret")
    config = web("public_url: https://pulse.example.com\nlink_secret_env: PULSE_TEST_LINKS")

    with pytest.raises(SecretError, match="fewer than 32 characters"):
        config.web.links()
    assert missing_secrets(config) == [
        "environment variable PULSE_TEST_LINKS has fewer than 32 characters"
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("public_url: pulse.example.com", 2, "must begin with https:// or http://"),
        ("public_url: https://pulse.example.com/pulse", 2, "a scheme and a host alone"),
        ("public_url: https://u:p@pulse.example.com", 2, "has a password in it"),
        ("link_secret_env: PULSE_TEST_LINKS", 2, "without an address that they lead to"),
        ("link_secret_file: /run/key", 2, "without an address that they lead to"),
        (
            "public_url: https://p.example.com\nlink_secret_env: A\nlink_secret_file: /b",
            4,
            "link_secret_env is set too",
        ),
        (
            "public_url: https://p.example.com\nprevious_link_secret_env: A",
            3,
            "there is no new key",
        ),
        ("link_lifetime: 30s", 2, "must be at least"),
        ("link_secret_env: whsec_abc=", 2, "the name of an environment variable"),
    ],
)
def test_a_mistake_is_told_where_it_is(text: str, line: int, says: str) -> None:
    found = mistake(text)

    assert found[0] == line
    assert says in found[2]


# -- a proxy that lets people in -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{}", "proxy_auth.trusted"),
        ("{trusted: []}", "must not be an empty list"),
        ("{trusted: [proxy.example.com]}", "is no network"),
        ("{trusted: [10.0.0.1/8]}", "has host bits set"),
        ("{trusted: [10.0.0.1], header: 'X Forwarded'}", "must match"),
        ("{trusted: [10.0.0.1], roles: {cs: member}}", "nobody says the groups"),
        ("{trusted: [10.0.0.1], groups_header: G, roles: {cs: owner}}", "admin"),
        ("{trusted: [10.0.0.1], default_role: none}", "nobody would come in"),
    ],
)
def test_a_proxy_that_is_not_said_as_it_must_be(said: str, message: str) -> None:
    line, _, found = mistake(f"proxy_auth: {said}")

    assert line == 2
    assert message in found


def test_a_proxy() -> None:
    said = "{trusted: [10.0.0.0/8, ::1], groups_header: G, roles: {cs: member}, default_role: none}"
    auth = web(f"proxy_auth: {said}").web.proxy_auth

    assert auth is not None
    assert (auth.header, auth.trusted) == ("X-Forwarded-User", ("10.0.0.0/8", "::1/128"))
