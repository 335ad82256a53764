"""The kinds of panels, and a dashboard that holds them.

Every query keeps to the jobs and instances that are chosen at the top, by way of `of`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as options
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from grafana_foundation_sdk.cog.builder import Builder

    AnyPanel = Builder[model.Panel]

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
_CHOSEN: Final = ('job=~"$job"', 'instance=~"$instance"')

COLOURS: Final = {
    "healthy": "green",
    "approaching": "orange",
    "danger": "red",
    "unknown": "text",
    "churned": "purple",
}
"""Zones look the same on every panel."""

Panel = TypeVar("Panel", timeseries.Panel, stat.Panel, bargauge.Panel, table.Panel, heatmap.Panel)


class Query(NamedTuple):
    """What is asked of Prometheus, and how its series are called."""

    expression: str
    legend: str = "__auto"


class Text(NamedTuple):
    """What a panel says of itself; `unit` is one of Grafana's."""

    title: str
    description: str
    unit: str = "short"


def of(metric: str, *matchers: str) -> str:
    """A metric of the chosen processes.

    >>> of("pulse_accounts", 'zone="danger"')
    'pulse_accounts{job=~"$job", instance=~"$instance", zone="danger"}'
    """
    return f"{metric}{{{', '.join((*_CHOSEN, *matchers))}}}"


def rate(metric: str, *matchers: str) -> str:
    """How much a counter grows in a second."""
    return f"rate({of(metric, *matchers)}[$__rate_interval])"


def growth(metric: str, *matchers: str) -> str:
    """How much a counter grew in the whole time that is shown."""
    return f"increase({of(metric, *matchers)}[$__range])"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """What so large a share of the observations of a histogram is below, as it goes along."""
    labels = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({share}, sum by ({labels}) ({rate(histogram + '_bucket')}))"


def overall_quantile(share: float, histogram: str) -> str:
    """As `quantile`, of all observations in the time that is shown, however long ago."""
    return f"histogram_quantile({share}, sum by (le) ({growth(histogram + '_bucket')}))"


def number(
    text: Text,
    expression: str,
    *,
    steps: Sequence[tuple[float, str]] = (),
    trend: bool = False,
) -> stat.Panel:
    """One number, as of now; `steps` colour it from a value on, `trend` draws how it came to it."""
    graph = options.BigValueGraphMode.AREA if trend else options.BigValueGraphMode.NONE
    panel = (
        _dressed(stat.Panel(), text, [Query(expression)], (4, 4), instant=not trend)
        .graph_mode(graph)
        .color_mode(options.BigValueColorMode.VALUE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return panel.thresholds(_thresholds("text", steps))


def state(text: Text, expression: str, words: Mapping[int, tuple[str, str]]) -> stat.Panel:
    """A word with its colour for each value that a number can have."""
    mapped = {
        str(value): model.ValueMappingResult(text=word, color=colour, index=index)
        for index, (value, (word, colour)) in enumerate(words.items())
    }
    return number(text, expression).mappings([model.ValueMap(options=mapped)])


def lines(
    text: Text, *queries: Query, stacked: bool = False, bars: bool = False, width: int = 12
) -> timeseries.Panel:
    """Lines over time; stacked where they are parts of a whole, bars where each stands alone."""
    legend = common.VizLegendOptions().display_mode(options.LegendDisplayMode.TABLE)
    panel = (
        _dressed(timeseries.Panel(), text, queries, (width, 8))
        .legend(
            legend.placement(options.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(options.TooltipDisplayMode.MULTI)
            .sort(options.SortOrder.DESCENDING)
        )
        .show_points(options.VisibilityMode.NEVER)
        .fill_opacity(60 if stacked or bars else 8)
        .line_width(1)
        .axis_soft_min(0)
    )
    if bars:
        panel = panel.draw_style(options.GraphDrawStyle.BARS)
    if stacked or bars:
        panel = panel.stacking(common.StackingConfig().mode(options.StackingMode.NORMAL))
    by_zone = any(query.legend == "{{zone}}" for query in queries)
    for name, colour in COLOURS.items() if by_zone else ():
        fixed = {"mode": "fixed", "fixedColor": colour}
        panel = panel.override_by_name(name, [model.DynamicConfigValue("color", fixed)])
    return panel


def ranking(text: Text, query: Query, *, most: float | None = None) -> bargauge.Panel:
    """A bar for each series, as of now, the longest first."""
    sorted_query = Query(f"sort_desc({query.expression})", query.legend)
    panel = (
        _dressed(bargauge.Panel(), text, [sorted_query], (12, 8), instant=True)
        .orientation(options.VizOrientation.HORIZONTAL)
        .display_mode(options.BarGaugeDisplayMode.BASIC)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds("blue", ()))
        .min(0)
    )
    return panel if most is None else panel.max(most)


def listing(
    text: Text, queries: Mapping[str, str], names: Mapping[str, str], *, width: int = 12
) -> table.Panel:
    """A table as of now: a row for what has the same labels, a column for each query.

    `queries` are expressions by their column; `names` are the columns of the labels.
    """
    columns = [Query(expression) for expression in queries.values()]
    values = [f"Value #{letter}" for letter, _ in zip(_letters(), queries, strict=False)]
    shown = [*names, *(values if len(values) > 1 else ["Value"])]
    called = dict(zip(shown, [*names.values(), *queries], strict=True))
    return (
        _dressed(table.Panel(), text, columns, (width, 8), instant=True, as_table=True)
        .with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True},
                    "indexByName": {name: index for index, name in enumerate(shown)},
                    "renameByName": called,
                },
            )
        )
    )


def heat(text: Text, histogram: str, *matchers: str) -> heatmap.Panel:
    """How many observations a gauge histogram has in each of its buckets, over time."""
    query = Query(f"sum by (le) ({of(histogram + '_bucket', *matchers)})", "{{le}}")
    panel = _dressed(heatmap.Panel(), text, [query], (12, 8), as_heatmap=True)
    return panel.calculate(False).color(
        heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    )


def board(
    uid: str,
    text: Text,
    since: str,
    variables: Sequence[Builder[model.VariableModel]],
    rows: Iterable[tuple[str, Sequence[AnyPanel]]],
    *annotations: Builder[model.AnnotationQuery],
) -> model.Dashboard:
    """A dashboard of rows of panels; `since` is how far back it shows at first."""
    built = (
        dashboard.Dashboard(text.title)
        .uid(uid)
        .description(text.description)
        .tags(["pulse"])
        .readonly()
        .timezone("browser")
        .time(since, "now")
        .refresh("30s")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables([_source_variable(), *variables])
        .annotations(list(annotations))
        .link(
            dashboard.DashboardLink("pulse")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["pulse"])
            .keep_time(True)
        )
    )
    for title, panels in rows:
        built = built.with_row(dashboard.Row(title))
        for panel in panels:
            built = built.with_panel(panel)
    made = built.build()
    for number_, each in enumerate(made.panels or [], start=1):
        each.id_val = number_
    return made


def chosen(name: str, label: str, query: str, *, hidden: bool = False) -> dashboard.QueryVariable:
    """A variable with the values that `label_values(…)` gives, all of them at first."""
    every = model.VariableOption(selected=True, text="All", value="$__all")
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query(query)
        .datasource(SOURCE)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(every)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_ASC)
        .hide(model.VariableHide.HIDE_VARIABLE if hidden else model.VariableHide.DONT_HIDE)
    )


def processes(metrics: str, *, hidden: bool = False) -> list[dashboard.QueryVariable]:
    """The variables `job` and `instance`: those of the processes that have these metrics."""
    return [
        chosen("job", "Job", f'label_values({{__name__=~"{metrics}"}}, job)', hidden=hidden),
        chosen(
            "instance",
            "Instance",
            f'label_values({{__name__=~"{metrics}", job=~"$job"}}, instance)',
            hidden=hidden,
        ),
    ]


def alerts_of_prometheus() -> dashboard.AnnotationQuery:
    """Marks where one of the alerts of `deploy/prometheus/rules` fired."""
    return (
        dashboard.AnnotationQuery()
        .name("Alerts of Prometheus")
        .datasource(SOURCE)
        .enable(True)
        .icon_color("red")
        .expr('ALERTS{alertname=~"Pulse.+", alertstate="firing"}')
    )


def _source_variable() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def _dressed(
    panel: Panel,
    text: Text,
    queries: Sequence[Query],
    size: tuple[int, int],
    *,
    instant: bool = False,
    as_table: bool = False,
    as_heatmap: bool = False,
) -> Panel:
    width, height = size
    format_ = PromQueryFormat.TIME_SERIES
    if as_table or as_heatmap:
        format_ = PromQueryFormat.TABLE if as_table else PromQueryFormat.HEATMAP
    panel = panel.title(text.title).description(text.description).unit(text.unit)
    panel = panel.datasource(SOURCE).span(width).height(height)
    for letter, query in zip(_letters(), queries, strict=False):
        target = (
            prometheus.Dataquery()
            .ref_id(letter)
            .datasource(SOURCE)
            .expr(query.expression)
            .legend_format(query.legend)
            .format(format_)
        )
        panel = panel.with_target(target.instant() if instant else target.range())
    return panel


def _letters() -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _thresholds(base: str, steps: Sequence[tuple[float, str]]) -> dashboard.ThresholdsConfig:
    marks: list[Any] = [model.Threshold(color=base)]
    marks += [model.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(marks)
