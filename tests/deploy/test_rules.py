"""The rules for Prometheus: promtool finds no mistake, and each alert fires when it must."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import generate_latest
from ruamel.yaml import YAML

from pulse.config import Config
from pulse.processes import MissingProgramError, ServerError
from pulse.testing.prometheus import program, promtool

from .asking import families, names_in, registries, samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
BOARDS = ROOT / "deploy" / "grafana" / "dashboards"
RUNBOOKS = ROOT / "docs" / "operations.md"


def read(file: Path) -> Any:
    return YAML(typ="safe").load(file)


RULES: list[dict[str, Any]] = [
    rule
    for file in sorted((FOLDER / "rules").glob("*.yml"))
    for group in read(file)["groups"]
    for rule in group["rules"]
]
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
CASES: list[dict[str, Any]] = [
    test for file in sorted((FOLDER / "tests").glob("*.yml")) for test in read(file)["tests"]
]


@pytest.fixture(scope="module", autouse=True)
def _promtool(without: Callable[[str], NoReturn]) -> None:
    try:
        program("promtool")
    except MissingProgramError as error:
        without(str(error))


def test_promtool_finds_no_mistake_in_the_configuration_and_the_rules() -> None:
    assert "SUCCESS" in promtool("check", "config", FOLDER / "prometheus.yml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", *(FOLDER / "rules").glob("*.yml"))


@pytest.mark.parametrize("process", registries())
def test_promtool_finds_no_mistake_in_what_a_process_shows(process: str) -> None:
    page = generate_latest(registries()[process]).decode()

    assert promtool("check", "metrics", reads=page) == ""


def test_alerts_fire_when_they_must_and_else_do_not() -> None:
    files = sorted((FOLDER / "tests").glob("*.yml"))

    assert promtool("test", "rules", *files).count("SUCCESS") == len(files)


def test_a_rule_that_is_wrong_fails_its_test(tmp_path: Path) -> None:
    for folder in ("rules", "tests"):
        (tmp_path / folder).mkdir()
        for file in (FOLDER / folder).glob("*.yml"):
            text = file.read_text().replace("pulse_tick_age_seconds) > 30", "pulse_ticks) > 30")
            (tmp_path / folder / file.name).write_text(text)

    with pytest.raises(ServerError, match="PulseNoTicks fires"):
        promtool("test", "rules", tmp_path / "tests" / "clock.yml")


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_has_a_case_that_fires_and_one_that_does_not(name: str) -> None:
    expected = [
        bool(each["exp_alerts"])
        for case in CASES
        for each in case["alert_rule_test"]
        if each["alertname"] == name
    ]

    assert {*expected} == {True, False}


def test_no_case_is_of_an_alert_that_is_gone() -> None:
    assert {each["alertname"] for case in CASES for each in case["alert_rule_test"]} <= {*ALERTS}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_it_means_and_where_its_runbook_is(name: str) -> None:
    notes = ALERTS[name]["annotations"]
    page, _, anchor = notes["runbook_url"].partition("#")

    assert notes["summary"].endswith(".")
    assert notes["description"].endswith(".")
    assert ALERTS[name]["labels"]["severity"] in ("critical", "warning", "info")
    assert ROOT / page == RUNBOOKS
    assert anchor == name.lower()
    assert f"### {name}" in RUNBOOKS.read_text().splitlines()


def test_no_runbook_is_of_an_alert_that_is_gone() -> None:
    assert {*re.findall(r"^### (Pulse\w+)$", RUNBOOKS.read_text(), re.MULTILINE)} == {*ALERTS}


def test_runbooks_speak_of_panels_and_metrics_that_there_are() -> None:
    text = RUNBOOKS.read_text()
    boards = [json.loads(file.read_text()) for file in BOARDS.glob("*.json")]
    titles = {panel["title"] for board in boards for panel in board["panels"]}

    assert {*re.findall(r"(?<!\*)\*(\w[^*]+)\*(?!\*)", text)} <= titles
    assert {*re.findall(r"`(pulse_\w+)`", text)} <= samples() | families()


def test_the_rules_ask_of_metrics_that_there_are() -> None:
    recorded = {rule["record"] for rule in RULES if "record" in rule}
    asked = {name for rule in RULES for name in names_in(rule["expr"])}

    assert asked <= samples()
    assert recorded >= {
        name for rule in RULES for name in re.findall(r"\bjob\w*:\w+:\w+", rule["expr"])
    }


def test_each_process_is_scraped_where_it_shows_its_metrics_by_default() -> None:
    config = Config()
    jobs = {
        each["job_name"]: each["dns_sd_configs"][0]["port"]
        for each in read(FOLDER / "prometheus.yml")["scrape_configs"]
    }

    assert jobs == {
        "pulse-worker": config.worker.metrics_port,
        "pulse-notifier": config.notifier.metrics_port,
        "pulse-collector": config.collector.metrics_port,
        "pulse-web": config.web.metrics_port,
    }


def test_the_jobs_of_the_rules_are_scraped() -> None:
    scraped = {each["job_name"] for each in read(FOLDER / "prometheus.yml")["scrape_configs"]}
    text = (FOLDER / "rules" / "alerts.yml").read_text()

    assert {*re.findall(r'job="([\w-]+)"', text)} <= scraped
    assert all(name.startswith("pulse-") for name in scraped)
