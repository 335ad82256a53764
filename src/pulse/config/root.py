"""The whole configuration: one `pulse.yaml`."""

import hashlib
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, ValidatorFunctionWrapHandler, field_validator
from pydantic_core import PydanticCustomError

from pulse.config.collector import Collector
from pulse.config.connections import History, Kafka, Notifier, Redis, Worker
from pulse.config.document import dotted
from pulse.config.fields import Section, SomeDays, Text, TimeZone
from pulse.config.line import LineSettings, Segment, order_mistakes, segment_mistakes
from pulse.config.line_file import read_line_file
from pulse.config.loading import load
from pulse.config.mistakes import ConfigError, Mistake, check_also, refuse
from pulse.config.plays import Plays
from pulse.config.receivers import Receiver
from pulse.config.routes import (
    BudgetRules,
    InhibitRule,
    OwnerRules,
    Root,
    Subject,
    TimeInterval,
    route_mistakes,
)
from pulse.config.scoring import (
    DEFAULT_SCORECARD,
    Scorecard,
    ScoreRule,
    Usage,
    check_scorecard,
    doubled,
    key_feature_mistakes,
)
from pulse.config.signals import DEFAULT_FACTS, Fact, Signals, doubled_facts
from pulse.config.web import HoldoutRule, Web


class Lifecycle(Section):
    """The lengths of time that separate an account's stages of life."""

    new_days: SomeDays = 28
    """An account is `new` for so long after its first use."""
    dormant_after_days: SomeDays = 28
    """Without use for so long it is `dormant`; with use again, `resurrected`."""
    churned_after_days: SomeDays = Field(default=180, validate_default=True)
    """Without use for so long it is `churned`; also one that never used the product, since its
    start, or since pulse met it if that was later."""

    @field_validator("churned_after_days")
    @classmethod
    def _dormant_comes_first(cls, churned: int, info: ValidationInfo) -> int:
        dormant = info.data.get("dormant_after_days")
        if dormant is not None and churned <= dormant:
            raise refuse(
                f"churned_after_days ({churned}) must be more than dormant_after_days ({dormant})",
                or_at=("dormant_after_days",),
            )
        return churned


class HolidayRule(Section):
    """Days on which the accounts of some countries or segments do not work, or all."""

    days: Annotated[tuple[Annotated[date, Field(strict=False)], ...], Field(strict=False)]
    """The dates, in the accounts' own time zones."""
    countries: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """Only accounts whose profile has one of these countries."""
    segments: Annotated[tuple[Text, ...], Field(strict=False)] = ()
    """Only accounts of these segments."""


class Config(Section):
    """Everything that can be set. Everything has a default: an empty file is valid."""

    DECIDES_RESULTS: ClassVar = (
        "timezone",
        "usage",
        "facts",
        "scorecard",
        "line",
        "segments",
        "holidays",
        "lifecycle",
        "signals",
        "plays",
    )
    """The sections `version` is made from: what changes scores, zones and alerts."""

    clock: Literal["wall", "events"] = "wall"
    """`wall`: the worker ticks by the clock; `events`: who plays the events writes the ticks."""
    timezone: TimeZone = "UTC"
    """The account's day where its profile names no time zone."""
    kafka: Kafka = Kafka()
    """The brokers and the topics."""
    redis: Redis = Redis()
    """The read model."""
    history: History = History()
    """The year behind each account."""
    collector: Collector = Collector()
    """How `pulse collect` runs."""
    worker: Worker = Worker()
    """How `pulse work` runs."""
    usage: Usage = Usage()
    """Which events count, how much, and where their feature and value are found."""
    facts: Annotated[tuple[Fact, ...], Field(strict=False)] = DEFAULT_FACTS
    """Which events say something of an account besides use: billing, support, surveys."""
    scorecard: Scorecard = DEFAULT_SCORECARD
    """The measures that make the score, weighted."""
    line: LineSettings = LineSettings()
    """Where danger begins and ends."""
    line_file: Text | None = None
    """A file of `pulse calibrate`, relative to this one; its scores go before those of `line`."""
    segments: dict[Text, Segment] = Field(default_factory=dict)
    """What differs for the accounts of a segment."""
    holidays: Annotated[tuple[HolidayRule, ...], Field(strict=False)] = ()
    """Days on which nobody works: they neither lower a score nor count as silence."""
    lifecycle: Lifecycle = Lifecycle()
    """When an account is new, dormant, churned."""
    signals: Signals = Signals()
    """Reasons to alert that are not the score."""
    plays: Plays = Plays()
    """What an alert suggests to do."""
    receivers: Annotated[tuple[Receiver, ...], Field(strict=False)] = ()
    """Where alerts are sent."""
    time_intervals: Annotated[tuple[TimeInterval, ...], Field(strict=False)] = ()
    """Hours and days by name, for routes."""
    owners: OwnerRules = OwnerRules()
    """Who looks after accounts whose profile names no owner."""
    route: Root = Field(default=Root(), validate_default=True)
    """Which alerts go to which receivers, together with which others, and when."""
    inhibit: Annotated[tuple[InhibitRule, ...], Field(strict=False)] = (
        InhibitRule(
            by=Subject(reasons=("payment_failed",)), mutes=Subject(reasons=("usage_drop",))
        ),
    )
    """Which alerts are held while others fire. By default a failed payment holds a drop of the same
    account's use; []: none are held.
    """
    budget: BudgetRules = BudgetRules()
    """How many alerts an owner is told of in a week."""
    holdout: HoldoutRule = HoldoutRule()
    """Accounts whose alerts are recorded and not sent."""
    notifier: Notifier = Notifier()
    """How `pulse notify` runs."""
    web: Web = Web()
    """How `pulse web` runs: the API and the account page."""

    @field_validator("scorecard", mode="wrap")
    @classmethod
    def _scorecard_holds_together(
        cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        rules = check_scorecard(value, check)
        if "usage" in info.data:
            found = key_feature_mistakes(rules, info.data["usage"], ("scorecard",))
            check_also(rules, lambda each: each, found)
        return rules

    @field_validator("facts")
    @classmethod
    def _no_event_says_two_things(cls, facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
        return doubled_facts(facts)

    @field_validator("segments")
    @classmethod
    def _segments_fit_the_line(
        cls, segments: dict[str, Segment], info: ValidationInfo
    ) -> dict[str, Segment]:
        found: list[PydanticCustomError] = []
        if "line" in info.data:
            found += segment_mistakes(segments, info.data["line"])
        if "usage" in info.data:
            for name, segment in segments.items():
                place = ("segments", name, "scorecard")
                found += key_feature_mistakes(segment.scorecard or (), info.data["usage"], place)
        check_also(segments, lambda each: each, found)
        return segments

    @field_validator("receivers", mode="wrap")
    @classmethod
    def _receivers_have_names_of_their_own(
        cls, value: Any, check: ValidatorFunctionWrapHandler
    ) -> Any:
        return check_also(value, check, _doubled(value, "receivers", "receiver"))

    @field_validator("time_intervals", mode="wrap")
    @classmethod
    def _intervals_have_names_of_their_own(
        cls, value: Any, check: ValidatorFunctionWrapHandler
    ) -> Any:
        return check_also(value, check, _doubled(value, "time_intervals", "time interval"))

    @field_validator("route")
    @classmethod
    def _routes_lead_somewhere(cls, route: Root, info: ValidationInfo) -> Root:
        if "receivers" not in info.data or "time_intervals" not in info.data:
            return route
        receivers = tuple(each.name for each in info.data["receivers"])
        intervals = tuple(each.name for each in info.data["time_intervals"])
        check_also(route, lambda each: each, route_mistakes(route, receivers, intervals))
        return route

    @classmethod
    def load(cls, path: Path | str | None = None) -> Self:
        """The configuration in a file; the defaults without one.

        Raises `ConfigError` with every mistake of the file, each with its line and column.
        """
        if path is None:
            return cls()
        config = load(cls, Path(path))._with_templates_beside(Path(path))
        return config if config.line_file is None else config._with_line_of(Path(path))

    def _with_templates_beside(self, path: Path) -> Self:
        """The configuration with the templates of receivers found from its file; `path` is that."""
        if not self.receivers:
            return self
        receivers = tuple(each.with_templates_in(path.parent) for each in self.receivers)
        return self.model_copy(update={"receivers": receivers})

    def _with_line_of(self, path: Path) -> Self:
        """The configuration with the scores of its line file; `path` is its own."""
        found = read_line_file(str(self.line_file), path)
        line = found.line.applied_to(self.line)
        segments = dict(self.segments)
        for name, change in found.segments.items():
            segment = segments.get(name, Segment())
            said = {key: value for key, value in dict(change).items() if value is not None}
            merged = segment.line.model_copy(update=said)
            segments[name] = segment.model_copy(update={"line": merged})
        mistakes = [
            *order_mistakes(line.enter, line.exit, line.approach, ("line",)),
            *segment_mistakes(segments, line),
        ]
        if mistakes:
            file = path.parent / str(self.line_file)
            raise ConfigError([_beside(each, path) for each in mistakes], str(file))
        return self.model_copy(update={"line": line, "segments": segments})

    @property
    def version(self) -> str:
        """12 hex digits that change when, and only when, what decides results changes."""
        decisive = self.model_dump(
            mode="json", include=set(self.DECIDES_RESULTS), exclude_none=True
        )
        text = json.dumps(decisive, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def line_for(self, segment: str | None) -> LineSettings:
        """The line that holds for the accounts of a segment."""
        found = self.segments.get(segment) if segment is not None else None
        return found.line.applied_to(self.line) if found else self.line

    def scorecard_for(self, segment: str | None) -> tuple[ScoreRule, ...]:
        """The scorecard that holds for the accounts of a segment."""
        found = self.segments.get(segment) if segment is not None else None
        return (found.scorecard if found else None) or self.scorecard


def _beside(mistake: PydanticCustomError, config: Path) -> Mistake:
    """What is wrong with a line file together with the configuration that names it."""
    context: dict[str, Any] = mistake.context or {}
    message = f"{context['message']}, together with {config}"
    return Mistake(0, 0, dotted(context["at"] or ()), message, context["suggestion"])


def _doubled(value: Any, section: str, noun: str) -> Iterator[PydanticCustomError]:
    each_of = value if isinstance(value, (list, tuple)) else ()
    names = [
        each.get("name") if isinstance(each, dict) else getattr(each, "name", None)
        for each in each_of
    ]
    yield from doubled(
        names, (section, "name"), f"an earlier {noun} is called {{name}} too", "rename one"
    )
