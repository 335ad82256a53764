"""What Grafana's dashboard linter checks, and what else a dashboard of pulse must have.

The rules have the linter's names, with what they find as the text. Where it takes a query apart,
this looks at its text: `test_dashboards` has Prometheus parse it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS = {"short", "s", "bytes", "Bps", "percentunit", "ops", "reqps"}
"""Units of Grafana's that are in use here."""

_SOURCE = "${datasource}"
_METRIC = re.compile(r"(?<![\w\"~=])(?:pulse_\w+|process_\w+|up)\b(?!\s*\()(\{[^}]*\})?")
_RANGE = re.compile(r"(\w+)\(([a-z_:]+)\{[^}]*\}\[([^\]]*)\]")


def mistakes(board: dict[str, Any]) -> list[str]:
    """Everything that is wrong with a dashboard, each with the rule's name."""
    return [*_of_board(board), *_of_variables(board), *_of_panels(board)]


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Its panels, without the headings of rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def _of_board(board: dict[str, Any]) -> Iterator[str]:
    if board["editable"]:
        yield "uneditable-dashboard: what is edited in Grafana is lost with the next version"
    if not board.get("description"):
        yield "description: there is none"
    ids = [panel["id"] for panel in board["panels"]]
    if len({*ids}) < len(ids):
        yield "ids: two panels have the same"
    titles = [panel["title"] for panel in panels(board)]
    if len({*titles}) < len(titles):
        yield f"titles: two panels have the same: {sorted(titles)}"
    taken: dict[tuple[int, int], str] = {}
    for panel in board["panels"]:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if x >= 24 or (x, y) in taken:
                    yield f"grid: {panel['title']} lies upon {taken.get((x, y), 'the edge')}"
                    return
                taken[x, y] = panel["title"]


def _of_variables(board: dict[str, Any]) -> Iterator[str]:
    variables = {each["name"]: each for each in board["templating"]["list"]}
    source = variables.get("datasource")
    if source is None or source["type"] != "datasource":
        yield "template-datasource-rule: there is none"
    elif (source["label"], source["query"]) != ("Data source", "prometheus"):
        yield "template-datasource-rule: it is called otherwise, or of another kind"
    for name in ("job", "instance"):
        if name not in variables:
            yield f"template-{name}-rule: there is none"
    for name, each in variables.items():
        if each["type"] != "query":
            continue
        if each["datasource"]["uid"] != _SOURCE:
            yield f"template-{name}-rule: it is of another source"
        if each["label"] != name.title():
            yield f"template-{name}-rule: it is called {each['label']}"
        if not (each["multi"] and each["includeAll"]) or each["allValue"] != ".+":
            yield f"template-{name}-rule: not several can be chosen, or not all"
        if each["refresh"] != 2:
            yield f"template-on-time-change-reload-rule: {name} stays when the time changes"
        if not re.fullmatch(r"label_values\((\w+|\w*\{.+\}), \w+\)", each["query"]):
            yield f"template-label-promql-rule: {each['query']}"


def _of_panels(board: dict[str, Any]) -> Iterator[str]:
    for panel in panels(board):
        where = panel.get("title")
        if not where or not panel.get("description"):
            yield f"panel-title-description-rule: {where}"
        if panel.get("datasource", {}).get("uid") != _SOURCE:
            yield f"panel-datasource-rule: {where}"
        unit = panel["fieldConfig"]["defaults"].get("unit")
        if unit not in UNITS:
            yield f"panel-units-rule: {where} has {unit}"
        if not panel.get("targets"):
            yield f"panel-no-targets-rule: {where}"
        for target in panel.get("targets", ()):
            yield from (f"{found}: {where}" for found in _of_target(panel, target))


def _of_target(panel: dict[str, Any], target: dict[str, Any]) -> Iterator[str]:
    if target["datasource"]["uid"] != _SOURCE:
        yield "panel-datasource-rule"
    expression = target["expr"]
    for found in _METRIC.finditer(expression):
        for name in ("job", "instance"):
            if f'{name}=~"${name}"' not in (found[1] or ""):
                yield f"target-{name}-rule"
    ranges = _RANGE.findall(expression)
    for function, _, span in ranges:
        allowed = {"$__rate_interval"} if function != "increase" else {"$__range"}
        if span not in allowed:
            yield "target-rate-interval-rule"
    counted = {metric for function, metric, _ in ranges if function in ("rate", "increase")}
    for metric in re.findall(r"pulse_\w+_total\b|process_\w+_total\b", expression):
        if metric not in counted:
            yield "target-counter-agg-rule"
    if panel["type"] == "timeseries" and target["legendFormat"] in ("", "__auto"):
        yield "legend"
