from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from pulse.config import Kafka, SecretError
from pulse.config.kafka_clients import for_aiokafka, for_kafka_python
from pulse.errors import PulseError

# A self-signed certificate and its key, once in the clear and once with the password open-sesame.
TLS = Path(__file__).parent / "tls"
CERT, KEY, LOCKED_KEY = (str(TLS / name) for name in ("cert.pem", "key.pem", "locked-key.pem"))


def kafka(**security: Any) -> Kafka:
    return Kafka.model_validate(
        {"brokers": ["a:9092", "b:9093"], "client_id": "pulse-3", "security": security}
    )


def sasl(**security: Any) -> Kafka:
    return kafka(
        **{
            "protocol": "SASL_PLAINTEXT",
            "mechanism": "SCRAM-SHA-512",
            "username": "pulse",
            "password_env": "PULSE_TEST_PASSWORD",
        }
        | security
    )


@pytest.mark.parametrize("arguments_for", [for_aiokafka, for_kafka_python])
class TestBothLibraries:
    def test_the_brokers_and_the_name_are_handed_on(self, arguments_for: Any) -> None:
        assert arguments_for(kafka()) == {
            "bootstrap_servers": ["a:9092", "b:9093"],
            "client_id": "pulse-3",
            "security_protocol": "PLAINTEXT",
        }

    def test_a_password_comes_from_the_environment(
        self, arguments_for: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PULSE_TEST_PASSWORD", "hunter2")

        arguments = arguments_for(sasl())

        assert arguments["security_protocol"] == "SASL_PLAINTEXT"
        assert arguments["sasl_mechanism"] == "SCRAM-SHA-512"
        assert arguments["sasl_plain_username"] == "pulse"
        assert arguments["sasl_plain_password"] == "hunter2"
        assert "ssl_context" not in arguments

    def test_a_missing_password_is_named(
        self, arguments_for: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PULSE_TEST_PASSWORD", raising=False)

        with pytest.raises(SecretError, match="PULSE_TEST_PASSWORD is not set"):
            arguments_for(sasl())

    def test_tls_checks_the_broker(self, arguments_for: Any) -> None:
        context = arguments_for(kafka(protocol="SSL"))["ssl_context"]

        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname

    def test_tls_and_a_password_go_together(
        self, arguments_for: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PULSE_TEST_PASSWORD", "hunter2")

        arguments = arguments_for(sasl(protocol="SASL_SSL", mechanism="PLAIN", ca_file=CERT))

        assert arguments["security_protocol"] == "SASL_SSL"
        assert arguments["sasl_mechanism"] == "PLAIN"
        assert len(arguments["ssl_context"].get_ca_certs()) == 1


def test_a_client_certificate_is_loaded() -> None:
    for_aiokafka(kafka(protocol="SSL", cert_file=CERT, key_file=KEY))


def test_a_key_with_a_password_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_TEST_KEY", "open-sesame")
    settings = {"protocol": "SSL", "cert_file": CERT, "key_file": LOCKED_KEY}

    for_aiokafka(kafka(**settings, key_password_env="PULSE_TEST_KEY"))

    with pytest.raises(PulseError, match="key_password_env"):
        for_aiokafka(kafka(**settings))
    monkeypatch.setenv("PULSE_TEST_KEY", "wrong")
    with pytest.raises(PulseError, match="no certificate with its key"):
        for_aiokafka(kafka(**settings, key_password_env="PULSE_TEST_KEY"))


@pytest.mark.parametrize("setting", ["ca_file", "cert_file", "key_file"])
def test_a_file_that_is_not_there_is_named(setting: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    files = {"ca_file": CERT, "cert_file": CERT, "key_file": KEY, setting: missing}

    with pytest.raises(PulseError) as caught:
        for_aiokafka(kafka(protocol="SSL", **files))

    assert f"cannot read {missing}" in str(caught.value)
    assert f"kafka.security.{setting}" in str(caught.value)


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("hello")

    with pytest.raises(PulseError, match=r"ca\.pem has no certificate in it"):
        for_aiokafka(kafka(protocol="SSL", ca_file=str(tmp_path / "ca.pem")))


def test_every_argument_is_one_the_clients_know(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULSE_TEST_PASSWORD", "hunter2")
    settings = sasl(protocol="SASL_SSL")

    assert for_kafka_python(settings).keys() <= KafkaProducer.DEFAULT_CONFIG.keys()
    known = AIOKafkaProducer.__init__.__code__.co_varnames
    assert for_aiokafka(settings).keys() <= set(known)
