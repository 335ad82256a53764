"""Every endpoint of the API, with whatever its description allows and with much that it does not:
what is answered is described, and is never an error of ours.
"""

from __future__ import annotations

import contextlib
import os
from functools import partial
from typing import TYPE_CHECKING

import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from pulse.readmodel import ReadModel
from tests.integration.collecting import bearer
from tests.integration.web.webbing import document

if TYPE_CHECKING:
    from schemathesis import APIOperation, Case

    from tests.integration.web.process import Webbing


pytestmark = [pytest.mark.kafka, pytest.mark.timeout(3600)]

EXAMPLES = int(os.environ.get("PULSE_EXAMPLES", "10"))
"""For each endpoint, with and without a token, of what is described and of what is not."""

WITHIN_S = 60
"""More than Kafka may take to acknowledge what is changed."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


async def test_every_endpoint_answers_as_it_says(webbing: Webbing) -> None:
    async with ReadModel(webbing.redis["url"], webbing.redis["prefix"]) as accounts:
        await accounts.write([document("acme"), document("globex", score=None, then=None)])
    alert = webbing.raises("acme")
    admin = webbing.pulse("tokens", "make", "lee", "--role", "admin").strip()
    schema = schemathesis.openapi.from_url(f"{webbing.url}/api/v1/openapi.json")
    with requests.Session() as session:
        for result in schema.get_all_operations():
            operation = result.ok()
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                send_all(operation, mode, session, admin, alert.id)
    # It is unharmed.
    assert webbing.http.get(f"/api/v1/alerts/{alert.id}").status_code == 200
    assert webbing.http.get("/api/v1/accounts/acme").json()["account_id"] == "acme"


def send_all(
    operation: APIOperation, mode: GenerationMode, session: requests.Session, token: str, alert: str
) -> None:
    """Examples of one endpoint, each without a token, with one, and of what there is."""

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
        ask = partial(case.call_and_validate, session=session, checks=CHECKS, timeout=WITHIN_S)
        ask(headers={"Authorization": ""})
        ask(headers=bearer(token))
        if "{alert_id}" in operation.path:
            case.path_parameters["alert_id"] = alert
            ask(headers=bearer(token))

    with contextlib.suppress(Unsatisfiable):  # where nothing is described nothing can be wrong
        send()
