"""A real Prometheus scrapes a small pulse: what dashboards and rules ask of it, it can answer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pulse.processes import MissingProgramError
from pulse.testing.prometheus import program
from pulse.testing.webhooks import EXAMPLE_SECRET

from .scraped import SECRET_VARIABLE, Scraped, scraped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

    from pulse.testing.kafka import KafkaServer
    from pulse.testing.valkey import ValkeyServer

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(240)]

BOARDS = Path(__file__).parents[2] / "deploy" / "grafana" / "dashboards"

MAY_BE_EMPTY: dict[str, str] = {}
"""Panels that have nothing to show in this scene, and why."""


class Asked(NamedTuple):
    """One query of a panel."""

    name: str
    panel: dict[str, Any]
    target: dict[str, Any]

    @property
    def expression(self) -> str:
        """As Grafana would send it, with everything chosen."""
        text: str = self.target["expr"]
        text = text.replace("$__rate_interval", "8s").replace("$__range", "120s")
        return re.sub(r"\$\w+", ".+", text)


def asked() -> Iterator[Asked]:
    for file in sorted(BOARDS.glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", ()):
                name = f"{file.stem}: {panel['title']}"
                yield Asked(name, panel, target)


ALL = list(asked())


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


@pytest.mark.parametrize("query", ALL, ids=[f"{each.name}/{each.target['refId']}" for each in ALL])
def test_a_panel_gets_what_it_shows(scene: Scraped, query: Asked) -> None:
    if query.target["instant"]:
        series = scene.prometheus.ask(query.expression)
    else:
        series = scene.prometheus.ask_over(query.expression, scene.seconds)
    if query.name in MAY_BE_EMPTY:
        return

    assert any(each.has_numbers for each in series), query.expression
    for label in re.findall(r"\{\{(\w+)\}\}", query.target["legendFormat"]):
        assert all(label in each.labels for each in series)
    if query.panel["type"] == "stat":
        assert len(series) == 1


def test_what_may_be_empty_is_there() -> None:
    assert set(MAY_BE_EMPTY) <= {each.name for each in ALL}


def test_every_rule_can_be_evaluated(scene: Scraped) -> None:
    rules = scene.prometheus.rules()

    assert rules
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"} == {}
