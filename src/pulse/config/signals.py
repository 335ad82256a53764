"""Reasons to alert that are not the score, and which events say what of an account."""

from typing import Annotated, Final

from pydantic import Field, ValidationInfo, field_validator

from pulse.config.fields import Days, NotNegative, PropertyPath, Section, SomeDays, Text
from pulse.config.mistakes import refuse
from pulse.config.suggestions import did_you_mean
from pulse.engagement.usage import MEANINGS

Share = Annotated[float, Field(gt=0, le=1)]


def whole_name(event: str) -> str:
    """The name of an event, which is no pattern."""
    if "*" in event:
        raise refuse("must be the whole name of an event, not a pattern")
    return event


class Fact(Section):
    """Events of this name say something of the account, and are no use of the product."""

    event: Text
    """The events' name."""
    means: str
    """What they say: payment_failed, payment_recovered, card_updated, subscription_cancelled,
    subscription_resumed, support_opened, support_answered, bug_reported, bug_closed, nps, csat,
    check_in."""
    property: PropertyPath | None = Field(default=None, validate_default=True)
    """Where it is found which ticket or bug it is, the answer to a survey, the instant at which a
    card expires; `properties.id`, `properties.score` and `properties.expires_at` if unsaid."""

    @field_validator("event")
    @classmethod
    def _is_a_name(cls, event: str) -> str:
        return whole_name(event)

    @field_validator("means")
    @classmethod
    def _is_known(cls, means: str) -> str:
        if means not in MEANINGS:
            hint = did_you_mean(means, MEANINGS) or f"one of {', '.join(MEANINGS)}"
            raise refuse(f'no fact is called "{means}"', suggestion=hint)
        return means

    @field_validator("property")
    @classmethod
    def _where_it_is_found(cls, where: str | None, info: ValidationInfo) -> str | None:
        return where or _WHERE.get(info.data.get("means", ""))


_WHERE: Final = {
    "card_updated": "properties.expires_at",
    "support_opened": "properties.id",
    "support_answered": "properties.id",
    "bug_reported": "properties.id",
    "bug_closed": "properties.id",
    "nps": "properties.score",
    "csat": "properties.score",
}
DEFAULT_FACTS: Final = tuple(Fact(event=means, means=means) for means in MEANINGS)


_ENDINGS: Final = {
    "payment_failed": "payment_recovered",
    "subscription_cancelled": "subscription_resumed",
    "support_opened": "support_answered",
    "bug_reported": "bug_closed",
}


def endless_facts(facts: tuple[Fact, ...]) -> list[str]:
    """What is said to begin and never to end: a word on each."""
    means = {fact.means for fact in facts}
    return [
        f"facts: an event means {begins} and none means {ends}: such alerts end only when the "
        "account leaves"
        for begins, ends in _ENDINGS.items()
        if begins in means and ends not in means
    ]


def doubled_facts(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    """The facts, if no event says two things."""
    seen = set[str]()
    for n, fact in enumerate(facts):
        if fact.event in seen:
            raise refuse(f'"{fact.event}" says something already', at=(n, "event"))
        seen.add(fact.event)
    return facts


class Switch(Section):
    """A signal that can be turned off."""

    enabled: bool = True
    """false: no such alerts."""


class Silence(Switch):
    """The alert for accounts that went quiet."""

    days: SomeDays = 21
    """Nothing meaningful for so many days."""
    min_active_days: Days = 5
    """Only accounts that were active on so many days before."""


class UsageDrop(Switch):
    """A week far below what the account's own weeks usually are."""

    share: Share = 0.5
    """So much less than the median of the eight weeks before, at least."""
    deviations: NotNegative = 3.0
    """And so many robust standard deviations (from the median absolute deviation, at least the
    square root of the median) below it."""
    min_events: NotNegative = 20.0
    """Only accounts with so many weighted events in a usual week."""


class ChampionGone(Switch):
    """A user with more than half of the events is not seen any more, and others go on."""

    days: SomeDays = 14
    """Not seen for so many days."""
    min_events: Annotated[int, Field(ge=2)] = 50
    """Only accounts with so many events lately."""


class FeatureAbandoned(Switch):
    """A feature that was a good part of the use is not used any more, and others are."""

    days: SomeDays = 28
    """Not used for so many days."""
    share: Share = 0.2
    """It had at least so much of the events."""
    min_events: Annotated[int, Field(ge=1)] = 20
    """And so many events."""


class SeatsByAge(Section):
    """What is asked of accounts of an age."""

    from_days: Days
    """From this age on."""
    below: Share
    """Users in 28 days over seats, below which seats are called unused."""


class UnusedSeats(Switch):
    """Users in 28 days over the seats paid for; asked of accounts that were watched for as long."""

    by_age: Annotated[tuple[SeatsByAge, ...], Field(strict=False)] = (
        SeatsByAge(from_days=60, below=0.1),
        SeatsByAge(from_days=180, below=0.5),
        SeatsByAge(from_days=270, below=0.75),
    )
    """By the account's age; younger ones than the first are still rolling it out."""
    min_seats: Annotated[int, Field(ge=1)] = 5
    """Only accounts with so many seats."""

    @field_validator("by_age")
    @classmethod
    def _ages_rise(cls, ages: tuple[SeatsByAge, ...]) -> tuple[SeatsByAge, ...]:
        days = [each.from_days for each in ages]
        if days != sorted(set(days)):
            raise refuse("from_days must rise from one to the next")
        return ages


class OutgrowsSeats(Switch):
    """Users in 28 days reach the seats paid for: more could be sold."""

    share: Share = 0.95
    """Users over seats, from which on it is told."""
    min_seats: Annotated[int, Field(ge=1)] = 5
    """Only accounts with so many seats."""


class OnboardingStep(Section):
    """A step that a new account should reach."""

    event: Text
    """The event that says that it was reached."""
    within_days: SomeDays
    """So long after the account's start."""

    @field_validator("event")
    @classmethod
    def _is_a_name(cls, event: str) -> str:
        return whole_name(event)


class StalledOnboarding(Switch):
    """A configured step was not reached in its time."""

    steps: Annotated[tuple[OnboardingStep, ...], Field(strict=False)] = ()
    """The steps of your product; without any there is no such alert."""


class CheckInOverdue(Switch):
    """No human touch for long, for accounts that had one."""

    days: SomeDays = 90
    """No `check_in` for so many days."""


class RenewalAtRisk(Switch):
    """In danger, and the profile's `renewal_at` is near."""

    days: SomeDays = 60
    """So many days before."""


class ReadyToAsk(Switch):
    """Doing well for weeks: worth asking for a reference."""

    score: Annotated[float, Field(ge=0, le=100)] = 90.0
    """The score, at least, at each of the last days' starts."""
    days: Annotated[int, Field(ge=1, le=84)] = 84
    """So many days."""
    min_users: Annotated[int, Field(ge=1)] = 5
    """Only accounts with so many users in 28 days."""


class PaymentFailed(Switch):
    """The latest payment failed."""


class CardExpiring(Switch):
    """The card on file ends soon."""

    days: Annotated[tuple[Days, ...], Field(strict=False, min_length=1)] = (60, 30, 7)
    """Told so many days before, each time as a new alert."""


class SubscriptionCancelled(Switch):
    """They have cancelled."""


class SupportWaiting(Switch):
    """A ticket without a first answer."""

    hours: Annotated[int, Field(ge=1, le=8_760)] = 24
    """After so many hours."""
    working_days: bool = True
    """Hours of Saturdays, Sundays and `holidays` do not count, by the account's own days; false:
    all hours do."""


class BugOpen(Switch):
    """A bug that they reported stays open."""

    days: SomeDays = 7
    """For so many days."""


class Detractor(Switch):
    """The latest answer to a survey is a bad one."""

    nps: float = 6
    """NPS up to this."""
    csat: float = 2
    """CSAT up to this."""
    days: SomeDays = 90
    """How long such an answer counts if no better one comes."""


class Signals(Section):
    """Reasons to alert that are not the score."""

    silence: Silence = Silence()
    """Accounts that went quiet."""
    usage_drop: UsageDrop = UsageDrop()
    """A week far below the account's own weeks."""
    champion_gone: ChampionGone = ChampionGone()
    """Who did most of the work is not seen any more."""
    feature_abandoned: FeatureAbandoned = FeatureAbandoned()
    """A feature that mattered is not used any more."""
    unused_seats: UnusedSeats = UnusedSeats()
    """More seats than users."""
    outgrows_seats: OutgrowsSeats = OutgrowsSeats()
    """As many users as seats."""
    stalled_onboarding: StalledOnboarding = StalledOnboarding()
    """A step that a new account should have reached."""
    check_in_overdue: CheckInOverdue = CheckInOverdue()
    """Nobody of yours has spoken with them for long."""
    renewal_at_risk: RenewalAtRisk = RenewalAtRisk()
    """In danger before the renewal."""
    ready_to_ask: ReadyToAsk = ReadyToAsk()
    """Doing well for weeks."""
    payment_failed: PaymentFailed = PaymentFailed()
    """A failed payment."""
    card_expiring: CardExpiring = CardExpiring()
    """A card that ends soon."""
    subscription_cancelled: SubscriptionCancelled = SubscriptionCancelled()
    """They have cancelled."""
    support_waiting: SupportWaiting = SupportWaiting()
    """A ticket without an answer."""
    bug_open: BugOpen = BugOpen()
    """A bug that stays open."""
    detractor: Detractor = Detractor()
    """A bad answer to a survey."""
