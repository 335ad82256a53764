from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.config import Config, Secret, SecretError, find_secret
from pulse.config.loading import read
from pulse.config.secret import secret_from_env, secret_from_file

if TYPE_CHECKING:
    from pathlib import Path


def test_a_secret_does_not_show_itself() -> None:
    secret = Secret("hunter2", origin="file x")

    assert secret.reveal() == "hunter2"
    for text in (repr(secret), str(secret), f"{secret}", repr([secret])):
        assert "hunter2" not in text
        assert "file x" in text


def test_a_secret_comes_from_the_environment() -> None:
    secret = secret_from_env("PW", setting="kafka.password_env", environ={"PW": " hunter2\n"})

    assert secret.reveal() == "hunter2"


@pytest.mark.parametrize("environ", [{}, {"PW": ""}, {"PW": " \n"}])
def test_an_unset_variable_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(SecretError) as caught:
        secret_from_env("PW", setting="kafka.security.password_env", environ=environ)

    assert str(caught.value) == (
        "the environment variable PW is not set (kafka.security.password_env names it): "
        "export PW=… before starting pulse"
    )


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")

    assert secret_from_file(str(file), setting="x").reveal() == "hunter2"


def test_a_file_without_a_secret_is_named(tmp_path: Path) -> None:
    def said(path: Path) -> str:
        with pytest.raises(SecretError) as caught:
            secret_from_file(str(path), setting="x.secret_file")
        return str(caught.value).replace(str(path), "FILE")

    file = tmp_path / "secret"
    assert said(file) == (
        "cannot read FILE: no such file or directory (x.secret_file names it): "
        "put the secret there, readable by the user pulse runs as"
    )
    file.write_bytes(b" \n")
    assert said(file) == "FILE is empty (x.secret_file names it): put the secret there"
    file.write_bytes(b"\xff\xfe")
    assert said(file) == "FILE is not a text file (x.secret_file names it)"
    assert said(tmp_path) == "FILE is a directory (x.secret_file names it): name a file"


def test_no_secret_is_named() -> None:
    assert find_secret(None, None, setting="x") is None


def test_a_receiver_finds_its_address_and_secrets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    old.write_text("whsec_old")
    monkeypatch.setenv("NEW", "whsec_new")
    monkeypatch.setenv("URL", "https://hooks.example.com/T0/B1")
    (receiver,) = read(
        Config,
        f"""
        receivers:
          - name: a
            kind: webhook
            url_env: URL
            secret_env: NEW
            previous_secret_file: {old}
        """,
    ).receivers

    assert receiver.address().reveal() == "https://hooks.example.com/T0/B1"
    assert [secret.reveal() for secret in receiver.secrets()] == ["whsec_new", "whsec_old"]

    monkeypatch.delenv("NEW")
    with pytest.raises(SecretError, match=r'NEW is not set \(secret_env of receiver "a" names it'):
        receiver.secrets()


def test_kafka_and_redis_find_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "hunter2")
    config = read(
        Config,
        """
        kafka:
          security:
            {protocol: SASL_SSL, mechanism: PLAIN, username: u, password_env: PW}
        redis: {url_env: PW}
        """,
    )

    password = config.kafka.security.password()
    assert password is not None
    assert password.reveal() == "hunter2"
    assert config.kafka.security.key_password() is None
    assert config.redis.address().reveal() == "hunter2"
    assert Config().redis.address().reveal() == "redis://localhost:6379/0"
    assert "hunter2" not in repr(config) + config.model_dump_json()
