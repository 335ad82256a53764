import secrets
import time
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from pulse.notifier.receivers.signature import SignatureMismatch, decode_secret, sign, verify

BODY = '{"type":"alert.firing","data":{"name":"Müller"}}'.encode()


def new_secret(length: int = 32) -> str:
    return "whsec_" + b64encode(secrets.token_bytes(length)).decode()


def headers(message_id: str, timestamp_s: int, signature: str) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signature,
    }


def test_the_standards_own_package_accepts_what_is_signed() -> None:
    secret, now_s = new_secret(), int(time.time())
    signature = sign("al_x_cs_firing", now_s, BODY, [decode_secret(secret)])

    Webhook(secret).verify(BODY, headers("al_x_cs_firing", now_s, signature))


def test_while_a_secret_is_changed_both_the_new_and_the_old_one_verify() -> None:
    new, old, now_s = new_secret(), new_secret(64), int(time.time())
    signature = sign("m", now_s, BODY, [decode_secret(new), decode_secret(old)])

    assert signature.count("v1,") == 2
    for secret in (new, old):
        Webhook(secret).verify(BODY, headers("m", now_s, signature))
        verify(BODY, headers("m", now_s, signature), [decode_secret(secret)], now_s=now_s)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers("m", now_s, signature))


def test_what_the_package_signs_is_verified() -> None:
    secret, now_s = new_secret(24), int(time.time())
    signature = Webhook(secret).sign("m", datetime.fromtimestamp(now_s, UTC), BODY.decode())

    given = {name.title(): value for name, value in headers("m", now_s, signature).items()}
    verify(BODY, given, [decode_secret(secret)], now_s=now_s)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"webhook-id": "other"}, "no signature matches"),
        ({"webhook-timestamp": "999"}, "no signature matches"),
        ({"webhook-timestamp": "soon"}, "not a number"),
        ({"webhook-timestamp": ""}, "missing"),
        ({"webhook-signature": "v1,AAAA"}, "no signature matches"),
        ({"webhook-signature": "v1,ä"}, "no signature matches"),
        ({"webhook-signature": ""}, "missing"),
    ],
)
def test_a_changed_request_is_refused(change: dict[str, str], why: str) -> None:
    key = decode_secret(new_secret())
    given = headers("m", 1_000, sign("m", 1_000, BODY, [key])) | change

    with pytest.raises(SignatureMismatch, match=why):
        verify(BODY, given, [key], now_s=1_000)


def test_a_changed_body_and_an_old_request_are_refused() -> None:
    key = decode_secret(new_secret())
    given = headers("m", 1_000, sign("m", 1_000, BODY, [key]))

    verify(BODY, given, [key], now_s=1_300)
    with pytest.raises(SignatureMismatch, match="no signature matches"):
        verify(BODY + b" ", given, [key], now_s=1_000)
    for now_s in (1_301, 699):
        with pytest.raises(SignatureMismatch, match="too far"):
            verify(BODY, given, [key], now_s=now_s)


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "hunter2",
        "whsec_",
        "whsec_!!!",
        pytest.param(new_secret(23), id="too short"),
        pytest.param(new_secret(65), id="too long"),
        "whsec_abc def",
    ],
)
def test_a_bad_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError, match="webhook secret") as caught:
        decode_secret(secret)
    if len(secret) > 6:
        assert secret.removeprefix("whsec_") not in str(caught.value)


def test_padding_may_be_missing() -> None:
    secret = new_secret(25)

    assert decode_secret(secret.rstrip("=")) == decode_secret(secret)
