"""Every endpoint, with whatever its own description allows and with much that it does not: what is
answered is described, and is never an error of ours.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import time
from functools import partial
from typing import TYPE_CHECKING

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis.errors import Unsatisfiable
from requests.auth import AuthBase
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pulse.testing.system import System
from tests.integration.collecting import Collecting, bearer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from schemathesis import APIOperation, Case

    from pulse.testing.kafka import KafkaServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(3600)]

EXAMPLES = int(os.environ.get("PULSE_EXAMPLES", "10"))
"""For each endpoint, with and without a key, of what is described and of what is not."""

SECRET = "user:password"
SERVICES = ("stripe", "chargebee", "recurly", "paddle", "zendesk", "jira")
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


class Signed(AuthBase):
    """Signs a webhook as every service does, each of which looks at its own headers alone."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        said = request.body or b""
        body = said.encode() if isinstance(said, str) else said
        now_ms = time.time_ns() // 1_000_000
        seconds = str(now_ms // 1_000)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now_ms // 1_000))

        def mac(before: str) -> bytes:
            return hmac.digest(SECRET.encode(), before.encode() + body, hashlib.sha256)

        request.headers.update(
            {
                "Authorization": f"Basic {base64.b64encode(SECRET.encode()).decode()}",
                "Stripe-Signature": f"t={seconds},v1={mac(f'{seconds}.').hex()}",
                "Recurly-Signature": f"{now_ms},{mac(f'{now_ms}.').hex()}",
                "Paddle-Signature": f"ts={seconds};h1={mac(f'{seconds}:').hex()}",
                "X-Zendesk-Webhook-Signature": base64.b64encode(mac(stamp)).decode(),
                "X-Zendesk-Webhook-Signature-Timestamp": stamp,
                "X-Hub-Signature": f"sha256={mac('').hex()}",
            }
        )
        return request


@pytest.fixture
def collecting(
    kafka: KafkaServer, tmp_path: Path, unique: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Collecting]:
    monkeypatch.setenv("PULSE_TEST_WEBHOOKS_SECRET", SECRET)
    services = {name: {"secret_env": "PULSE_TEST_WEBHOOKS_SECRET"} for name in SERVICES}
    services["jira"] |= {"account": ["issue.key"]}
    collector = {"webhooks": services, "ack_timeout_s": 20.0}  # a Kafka that is slow is not away
    settings = {"clock": "wall", "collector": collector}
    system = System(kafka.bootstrap, tmp_path, prefix=unique, partitions=2, settings=settings)
    system.create_topics()
    try:
        yield Collecting(system)
    finally:
        system.stop()


def test_every_endpoint_answers_as_it_says(collecting: Collecting) -> None:
    schema = schemathesis.openapi.from_url(f"{collecting.url}/openapi.json")
    with requests.Session() as session:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                send_all(operation, mode, session, collecting.key)
    # It is unharmed. Few of the ids that were made up can be printed.
    good = {"id": "good", "account_id": "acme", "event": "run", "ts": 1_729_798_381_000}
    assert collecting.http.post("/v1/events", json=good).json()["accepted"] == 1
    assert "good" in {line["id"] for line in collecting.lines()}
    assert collecting.http.get("/healthz").status_code == 200


def send_all(
    operation: APIOperation, mode: GenerationMode, session: requests.Session, key: str
) -> None:
    """Examples of one endpoint, each as it comes, and again by who may send it."""

    @hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize="PULSE_EXAMPLES" not in os.environ,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def send(case: Case) -> None:
        validate = partial(case.call_and_validate, session=session, checks=CHECKS, timeout=60)
        validate()
        if "webhooks" in operation.path:
            validate(auth=Signed())
        elif "{key}" in operation.path:
            case.path_parameters["key"] = key
            validate()
        else:
            validate(headers=bearer(key))

    with contextlib.suppress(Unsatisfiable):  # where nothing is described nothing can be wrong
        send()
