"""Dashboards are what their Python makes, keep to the linter's rules, and ask of what there is."""

from __future__ import annotations

import copy
import doctest
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from deploy.dashboards import parts
from deploy.dashboards.__main__ import FOLDER, dashboards
from pulse.processes import MissingProgramError
from pulse.testing.prometheus import promtool

from .asking import PANELS, expressions_of, families, names_in, samples
from .linting import mistakes, panels

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules"
MADE = dict(dashboards())
BOARDS = {file: json.loads(content) for file, content in MADE.items()}

NOWHERE: dict[str, str] = {}
"""Metrics that are on no dashboard and in no rule, and why."""


def test_the_files_are_what_the_python_makes() -> None:
    kept = {file.name: file.read_text() for file in FOLDER.glob("*.json")}

    assert kept == MADE, "run `make dashboards`"


def test_its_examples_are_right() -> None:
    assert doctest.testmod(parts) == (0, 1)


@pytest.mark.parametrize("file", BOARDS)
def test_the_linter_finds_nothing(file: str) -> None:
    assert mistakes(BOARDS[file]) == []


def broken(change: Callable[[dict[str, Any], dict[str, Any]], None]) -> list[str]:
    """The rules that a changed dashboard breaks; it is changed, or its second panel is."""
    board = copy.deepcopy(BOARDS["pipeline.json"])
    change(board, panels(board)[6])
    return sorted({each.split(":")[0] for each in mistakes(board)})


def set_expression(text: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda _, panel: panel["targets"][0].update(expr=text)


CHOSEN = 'job=~"$job", instance=~"$instance"'


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda board, _: board.update(editable=True), "uneditable-dashboard"),
        (lambda board, _: board["templating"]["list"].pop(0), "template-datasource-rule"),
        (lambda board, _: board["templating"]["list"].pop(1), "template-job-rule"),
        (lambda board, _: board["templating"]["list"].pop(2), "template-instance-rule"),
        (
            lambda board, _: board["templating"]["list"][1].update(refresh=1),
            "template-on-time-change-reload-rule",
        ),
        (
            lambda board, _: board["templating"]["list"][1].update(query="label_values(job"),
            "template-label-promql-rule",
        ),
        (lambda _, panel: panel.update(datasource={"uid": "P1"}), "panel-datasource-rule"),
        (lambda _, panel: panel.update(description=""), "panel-title-description-rule"),
        (
            lambda _, panel: panel["fieldConfig"]["defaults"].update(unit="parsecs"),
            "panel-units-rule",
        ),
        (lambda _, panel: panel.update(targets=[]), "panel-no-targets-rule"),
        (lambda _, panel: panel["gridPos"].update(x=20), "grid"),
        (lambda _, panel: panel["targets"][0].update(legendFormat=""), "legend"),
        (set_expression('sum(pulse_lag_records{instance=~"$instance"})'), "target-job-rule"),
        (set_expression('sum(pulse_lag_records{job=~"$job"})'), "target-instance-rule"),
        (
            set_expression(f"rate(pulse_events_total{{{CHOSEN}}}[5m])"),
            "target-rate-interval-rule",
        ),
        (set_expression(f"sum(pulse_events_total{{{CHOSEN}}})"), "target-counter-agg-rule"),
    ],
)
def test_the_linter_finds_what_is_wrong(
    change: Callable[[dict[str, Any], dict[str, Any]], None], rule: str
) -> None:
    assert broken(change) == [rule]


def test_prometheus_can_read_every_query(
    tmp_path: Path, without: Callable[[str], NoReturn]
) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": text}
        for number, text in enumerate(each for b in BOARDS.values() for each in expressions_of(b))
    ]
    file = tmp_path / "panels.yml"
    with file.open("w") as out:
        YAML(typ="safe").dump({"groups": [{"name": "panels", "rules": rules}]}, out)
    try:
        said = promtool("check", "rules", file)
    except MissingProgramError as error:
        without(str(error))

    assert f"{len(rules)} rules found" in said


def test_panels_and_rules_ask_of_metrics_that_there_are() -> None:
    known = samples() | {"up"}
    asked = {name for board in BOARDS.values() for each in expressions_of(board)
             for name in names_in(each)}  # fmt: skip

    assert {name for name in asked if not name.startswith("process_")} <= known


def test_what_a_panel_says_of_now_looks_at_the_time_that_is_chosen() -> None:
    # In the last minute there is often nothing of which a quantile could be.
    now = [each for each in PANELS if each.target.get("instant")]
    quantiles = [each for each in now if "quantile" in each.target["expr"]]

    assert quantiles
    assert [each.id for each in quantiles if "[$__range]" not in each.target["expr"]] == []


def test_every_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    text = "\n".join([*MADE.values(), *(file.read_text() for file in RULES.glob("*.yml"))])
    nowhere = {name for name in families() if not re.search(rf"\b{name}(_total|_bucket)?\b", text)}

    assert nowhere == set(NOWHERE)
