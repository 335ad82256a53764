"""Which alerts go to whom, together with which others, and when."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pulse.alerting.brief import WITHOUT_END
from pulse.config.fields import DAY_MS, Count, Duration, NotNegative, Pattern, Section, Text
from pulse.config.mistakes import Place, refuse
from pulse.config.suggestions import did_you_mean

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Label = Literal["alert", "account", "owner", "segment", "plan", "reason", "severity"]

_SPAN: Final = re.compile(r"([0-9:]{5})-([0-9:]{5})")
_MINUTE: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def minute_of(text: str) -> int:
    """The minute of the day of a time like `09:00`; `24:00` is the day's end.

    >>> minute_of("09:30"), minute_of("24:00")
    (570, 1440)
    """
    if text == "24:00":
        return 24 * 60
    found = _MINUTE.fullmatch(text)
    if found is None:
        raise refuse("must be a time like 09:00")
    return 60 * int(found[1]) + int(found[2])


def span_of(text: str) -> tuple[int, int]:
    """The minutes of the day, from and to, of a span like `09:00-17:00`."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise refuse("must be two times like 09:00-17:00")
    start, end = minute_of(found[1]), minute_of(found[2])
    if start >= end:
        hint = f"a night is two: {found[1]}-24:00 and 00:00-{found[2]}"
        raise refuse("must end after it begins", suggestion=hint)
    return start, end


def _time(text: str) -> str:
    if minute_of(text) == 24 * 60:
        raise refuse(
            "must be a time like 09:00", suggestion="the day's end is the next one's 00:00"
        )
    return text


def _span(text: str) -> str:
    span_of(text)
    return text


TimeOfDay = Annotated[str, AfterValidator(_time)]
Span = Annotated[str, AfterValidator(_span)]
Patterns = Annotated[tuple[Pattern, ...], Field(strict=False)]
Names = Annotated[tuple[Text, ...], Field(strict=False)]
Labels = Annotated[tuple[Label, ...], Field(strict=False)]
Weekdays = Annotated[tuple[Weekday, ...], Field(strict=False)]


class TimeInterval(Section):
    """Some hours of some days, in the time zone of the receiver. What is not said is every one."""

    name: Text
    """How routes call it."""
    weekdays: Weekdays = ()
    """On these days of the week."""
    times: Annotated[tuple[Span, ...], Field(strict=False)] = ()
    """At these times of the day, up to the second one exclusively; 24:00 is the day's end."""
    dates: Annotated[tuple[Annotated[date, Field(strict=False)], ...], Field(strict=False)] = ()
    """On these dates."""


class Match(Section):
    """Which alerts: shell patterns. All that is said must fit; a list fits where one of it does."""

    segments: Patterns = ()
    """Of the account's profile."""
    plans: Patterns = ()
    """Of the account's profile."""
    owners: Patterns = ()
    """Whose account it is, by its profile or by `owners`."""
    reasons: Patterns = ()
    """Of the alert."""
    severities: Patterns = ()
    """critical, warning, info."""
    mrr_from: NotNegative | None = None
    """Only accounts that pay so much a month, or more."""
    mrr_below: NotNegative | None = Field(default=None, validate_default=True)
    """Only accounts that pay less a month."""

    @field_validator("mrr_below")
    @classmethod
    def _somebody_pays_that(cls, below: float | None, info: ValidationInfo) -> float | None:
        least = info.data.get("mrr_from")
        if below is not None and least is not None and below <= least:
            raise refuse(f"mrr_below ({below:g}) must be more than mrr_from ({least:g})")
        return below


class Subject(Match):
    """Which alerts, also by account and by its stage of life."""

    accounts: Patterns = ()
    """The accounts' ids."""
    lifecycles: Patterns = ()
    """new, current, resurrected, dormant, churned."""


class Route(Section):
    """Where some alerts go. What is not said is as in the route above it."""

    match: Match = Match()
    """Which of the alerts that come here; all where nothing is said."""
    goes_on: bool = Field(default=False, alias="continue")
    """The next route is tried too; else the first that matches has the alert."""
    receivers: Names | None = None
    """Their names; an empty list: nobody."""
    group_by: Labels | None = None
    """As in the route above."""
    group_wait_ms: Duration | None = Field(default=None, alias="group_wait")
    """As in the route above."""
    group_interval_ms: Duration | None = Field(default=None, alias="group_interval")
    """As in the route above."""
    repeat_interval_ms: Duration | None = Field(default=None, alias="repeat_interval", ge=60_000)
    """As in the route above."""
    only_in: Names | None = None
    """As in the route above."""
    not_in: Names | None = None
    """As in the route above."""
    budget: bool | None = None
    """As in the route above."""
    routes: Annotated[tuple["Route", ...], Field(strict=False)] = ()
    """The first of these that matches has the alert, instead of this one."""


class Root(Section):
    """Where alerts go that no other route has, and what holds in routes that say nothing else."""

    receivers: Names | None = None
    """Their names; all receivers where nothing is said, and an empty list: nobody."""
    group_by: Labels = ("alert",)
    """What alerts have in common that are told together: owner, segment, plan, account, reason,
    severity. `alert`: each is told alone; an empty list: all are told together."""
    group_wait_ms: Duration = Field(default=0, alias="group_wait")
    """How long a group waits for others after an alert came."""
    group_interval_ms: Duration = Field(default=0, alias="group_interval")
    """The least time between two notifications of a group."""
    repeat_interval_ms: Duration | None = Field(default=None, alias="repeat_interval", ge=60_000)
    """After so long an alert that still fires is told again; never where nothing is said."""
    only_in: Names = ()
    """Names of `time_intervals`: outside of all of them alerts are held until one begins."""
    not_in: Names = ()
    """Names of `time_intervals` in which alerts are held, until they end."""
    budget: bool = True
    """Its alerts count for their owners' `budget`; false: they are told whatever was told."""
    routes: Annotated[tuple[Route, ...], Field(strict=False)] = ()
    """The first of these that matches has the alert."""


class InhibitRule(Section):
    """While some alerts fire, others are held; they are told after it, if they still fire."""

    mutes: Subject
    """Which alerts are held."""
    by: Subject | None = None
    """While which ones fire; where nothing is said, by what the held ones say themselves. What
    only begins, as a digest, holds nothing."""
    same_account: bool = True
    """Only alerts of the account that fires; false: of all accounts."""

    @field_validator("mutes", "by")
    @classmethod
    def _says_which(cls, subject: Subject | None) -> Subject | None:
        if subject == Subject():
            raise refuse("must say which alerts", suggestion="for example reasons: [usage_drop]")
        return subject

    @field_validator("by")
    @classmethod
    def _ends(cls, by: Subject | None) -> Subject | None:
        for reason in () if by is None else by.reasons:
            if reason in WITHOUT_END:
                raise refuse(f"alerts of {reason} have no end, so they would hold others for ever")
        return by


class Digest(Section):
    """When an owner is told of what was over the budget."""

    at: TimeOfDay = "09:00"
    """The time, in the time zone of the receiver."""
    weekdays: Weekdays = ()
    """On these days of the week; every day where nothing is said."""


class BudgetRules(Section):
    """How many alerts an owner is told of; the others are in a digest."""

    weekly: Count | None = None
    """At most so many in any seven days, the worst first: by MRR, risk and nearness of the renewal.
    As many as there are where nothing is said."""
    digest: Digest = Digest()
    """When the others are told."""


class OwnerRules(Section):
    """Who looks after accounts whose profile names no owner."""

    rule: Literal["none", "least_loaded", "round_robin"] = "none"
    """none: nobody. least_loaded: who has the fewest accounts with an alert. round_robin: one after
    the other. Who was chosen stays it while the account has an alert."""
    team: Names = Field(default=(), validate_default=True)
    """Who is chosen from, as profiles name owners."""

    @field_validator("team")
    @classmethod
    def _somebody_can_be_chosen(cls, team: tuple[str, ...], info: ValidationInfo) -> Any:
        rule = info.data.get("rule", "none")
        if rule != "none" and not team:
            raise refuse(f"{rule} needs somebody to choose from", at=("team",), or_at=("rule",))
        return team


MAX_WAIT_MS: Final = DAY_MS
"""Who waits longer than a day for others wants a digest."""


def route_mistakes(
    root: Root, receivers: tuple[str, ...], intervals: tuple[str, ...]
) -> Iterator[PydanticCustomError]:
    """Routes that name receivers or intervals there are not, or that nothing can reach."""
    yield from _names(root, ("route",), receivers, intervals)
    yield from _below(root.routes, ("route", "routes"), receivers, intervals)


def _below(
    routes: tuple[Route, ...], at: Place, receivers: tuple[str, ...], intervals: tuple[str, ...]
) -> Iterator[PydanticCustomError]:
    all_before: int | None = None
    for number, route in enumerate(routes):
        here = (*at, number)
        if all_before is not None:
            yield refuse(
                f"is never reached: route {all_before + 1} of this list takes every alert",
                suggestion="give that one a match, or put it last",
                at=here,
            )
        if route.match == Match() and not route.goes_on and all_before is None:
            all_before = number
        yield from _names(route, here, receivers, intervals)
        yield from _below(route.routes, (*here, "routes"), receivers, intervals)


def _names(
    route: Root | Route, at: Place, receivers: tuple[str, ...], intervals: tuple[str, ...]
) -> Iterator[PydanticCustomError]:
    for setting, said, known, what in (
        ("receivers", route.receivers, receivers, "receiver"),
        ("only_in", route.only_in, intervals, "time interval"),
        ("not_in", route.not_in, intervals, "time interval"),
    ):
        for number, name in enumerate(said or ()):
            if name not in known:
                yield refuse(
                    f'there is no {what} "{name}"',
                    suggestion=did_you_mean(name, known),
                    at=(*at, setting, number),
                )
    for setting, wait_ms in (
        ("group_wait", route.group_wait_ms),
        ("group_interval", route.group_interval_ms),
    ):
        if wait_ms is not None and wait_ms > MAX_WAIT_MS:
            yield refuse("must be at most 1d", at=(*at, setting))
