"""A real Prometheus scrapes a small pulse: what dashboards and rules ask of it, it can answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pulse.processes import MissingProgramError
from pulse.testing.prometheus import program
from pulse.testing.webhooks import EXAMPLE_SECRET
from tests.deploy.asking import BOARDS, PANELS, Asked, expanded, names_in
from tests.integration.scraped import SECRET_VARIABLE, Scraped, scraped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

MAY_BE_EMPTY: dict[str, str] = {}
"""Panels that have nothing to show in this scene, and why."""

FIRES = {"PulseDeadLetters", "PulseNotificationsLost"}
"""The alerts without a wait that this scene gives a reason for."""

AT_REST = {"PulseSourceQuiet", "PulseReceiverDisabled", "PulseFleetFalls"}
"""Those that it gives none for."""


@pytest.fixture(scope="module")
def scene(
    kafka: KafkaServer,
    valkey: ValkeyServer,
    tmp_path_factory: pytest.TempPathFactory,
    without: Callable[[str], NoReturn],
) -> Iterator[Scraped]:
    try:
        program("prometheus")
    except MissingProgramError as error:
        without(str(error))
    folder = tmp_path_factory.mktemp("scraped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SECRET_VARIABLE, EXAMPLE_SECRET)
        with scraped(kafka.bootstrap, valkey, folder, folder.name) as found:
            yield found


@pytest.mark.parametrize("query", PANELS, ids=lambda each: each.id)
def test_a_panel_gets_what_it_shows(scene: Scraped, query: Asked) -> None:
    # Also what is of one instant: there may be nothing of a process whose last scrape failed.
    series = scene.prometheus.ask_over(query.expression, scene.seconds)
    if query.name in MAY_BE_EMPTY:
        return

    query.assert_gets(series)


@pytest.mark.parametrize(
    "query",
    [
        each
        for each in PANELS
        if each.name in {"alerts: Delivered", "alerts: Lost", "fleet: Alerts begun"}
    ],
    ids=lambda each: each.id,
)
def test_what_came_is_counted_in_a_panel_that_shows_0_else(scene: Scraped, query: Asked) -> None:
    (series,) = scene.prometheus.ask_over(query.expression, scene.seconds)

    assert max(series.values) > 0


def test_what_may_be_empty_is_there() -> None:
    assert set(MAY_BE_EMPTY) <= {each.name for each in PANELS}


@pytest.mark.parametrize("name", BOARDS)
def test_a_variable_has_something_to_choose(scene: Scraped, name: str) -> None:
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            metric, _, label = variable["query"][len("label_values(") : -1].rpartition(", ")
            series = scene.prometheus.ask_over(expanded(metric), scene.seconds)
            found = {each.labels.get(label) for each in series}
            assert found - {None}, variable["query"]


def test_every_rule_can_be_evaluated(scene: Scraped) -> None:
    rules = scene.prometheus.rules()

    assert rules
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}


def test_what_rules_are_made_of_is_there(scene: Scraped) -> None:
    rules = scene.prometheus.rules()
    recorded = {rule["name"] for rule in rules if rule["type"] == "recording"}
    metrics = {name for rule in rules for name in names_in(rule["query"])}

    asked = {each: scene.prometheus.ask_over(each, scene.seconds) for each in recorded | metrics}
    assert {each for each, series in asked.items() if not series} == set()


def test_alerts_fire_of_what_goes_wrong_here_and_of_nothing_else(scene: Scraped) -> None:
    rules = {each["name"]: each for each in scene.prometheus.rules() if each["type"] == "alerting"}
    fired = {
        each.labels["alertname"]
        for each in scene.prometheus.ask_over('ALERTS{alertstate="firing"}', scene.seconds)
    }

    # How long the scene lasts, the machine says: those that wait for minutes may have their reason.
    assert {name for name in fired if not rules[name]["duration"]} == FIRES
    assert {rules[name]["state"] for name in AT_REST} == {"inactive"}
    # A scrape may have failed.
    assert not {"PulseProcessDown", "PulseNoWorker", "PulseServiceGone"} & fired
