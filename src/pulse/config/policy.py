"""From the configuration to the rules that the engine runs on."""

from pulse.alerting.people.outcomes import EVENT
from pulse.config.line import LineSettings
from pulse.config.root import Config
from pulse.config.scoring import Minimum, OfBaseline, PerSeat, ScoreRule, Usage
from pulse.config.signal_rules import signals
from pulse.engagement import scorecard as rules
from pulse.engagement.account import Activity
from pulse.engagement.days import DAY_MS
from pulse.engagement.holidays import HolidayBook, HolidayRule
from pulse.engagement.lifecycle import LifecycleRule
from pulse.engagement.line import Line
from pulse.engagement.measures import MICRO, WINDOW_NAMES
from pulse.engagement.usage import FactRule, IgnoreRule, UsageRules, WeightRule
from pulse.engine import Policy, SegmentPolicy
from pulse.signals.usage.silence import Silence


def policy(config: Config) -> Policy:
    """The engine's rules of a configuration."""
    usage, life, silence = config.usage, config.lifecycle, config.signals.silence
    holidays = _holidays(config)
    windows = [usage.active.window.get(name) for name in WINDOW_NAMES]  # type: ignore[call-overload]  # keys are Literals
    return Policy(
        version=config.version,
        timezone=config.timezone,
        usage=UsageRules(
            feature=usage.feature,
            value=usage.value,
            # First, whatever else is configured: to close an alert is no use of the product.
            weights=(
                WeightRule(EVENT, 0),
                *(WeightRule(w.event, _micro(w.weight)) for w in usage.weights),
            ),
            ignore=tuple(
                IgnoreRule(i.account, i.user, i.event, i.source, i.property, i.equals)
                for i in usage.ignore
            ),
            facts=tuple(FactRule(f.event, f.means, f.property) for f in config.facts),
            steps=_steps(config),
        ),
        activity=Activity(
            *_least(usage.active.day), tuple(None if w is None else _least(w) for w in windows)
        ),
        default=SegmentPolicy(_scorecard(config.scorecard, usage), engine_line(config.line)),
        lifecycle=LifecycleRule(
            life.new_days * DAY_MS,
            life.dormant_after_days * DAY_MS,
            life.churned_after_days * DAY_MS,
        ),
        silence=Silence(silence.days * DAY_MS, silence.min_active_days)
        if silence.enabled
        else None,
        segments={
            name: SegmentPolicy(
                _scorecard(config.scorecard_for(name), usage), engine_line(config.line_for(name))
            )
            for name in config.segments
        },
        plays=dict(config.plays),
        signals=signals(config.signals, holidays),
        holidays=holidays,
    )


def _holidays(config: Config) -> HolidayBook:
    return HolidayBook(
        tuple(
            HolidayRule(
                tuple(day.toordinal() for day in each.days),
                frozenset(each.countries),
                frozenset(each.segments),
            )
            for each in config.holidays
        )
    )


def _steps(config: Config) -> frozenset[str]:
    onboarding = config.signals.stalled_onboarding
    return frozenset(each.event for each in onboarding.steps if onboarding.enabled)


def engine_line(line: LineSettings) -> Line:
    return Line(
        line.enter,
        line.exit,
        line.approach,
        line.dwell_ms,
        line.min_history_days * DAY_MS,
        line.min_active_days,
        line.forecast_days,
        line.quantile if line.source == "fleet" else None,
    )


def _scorecard(score_rules: tuple[ScoreRule, ...], usage: Usage) -> rules.Scorecard:
    return rules.Scorecard(
        tuple(
            rules.MeasureRule(
                name=rule.called,
                measure=rule.measure,
                window=0 if rule.window is None else WINDOW_NAMES.index(rule.window),
                weight=rule.weight,
                floor=rule.floor,
                target=_target(rule.target),
            )
            for rule in score_rules
        ),
        usage.key_features or (),
    )


def _target(target: float | PerSeat | OfBaseline) -> rules.Target:
    if isinstance(target, PerSeat):
        return rules.Target("per_seat", target.per_seat)
    if isinstance(target, OfBaseline):
        return rules.Target("of_baseline", target.of_baseline)
    return rules.Target("absolute", target)


def _least(minimum: Minimum) -> tuple[int, int]:
    return _micro(minimum.events), _micro(minimum.value)


def _micro(amount: float) -> int:
    return round(amount * MICRO)
