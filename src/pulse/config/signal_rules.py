"""From the configuration's signals to those that the engine runs."""

from pulse.config.signals import Signals
from pulse.engagement.days import DAY_MS, HOUR_MS
from pulse.engagement.holidays import HolidayBook
from pulse.engagement.measures import MICRO
from pulse.signals.billing.cancelled import SubscriptionCancelled
from pulse.signals.billing.card import CardExpiring
from pulse.signals.billing.payment import PaymentFailed
from pulse.signals.signal import Signal
from pulse.signals.success.check_in import CheckInOverdue
from pulse.signals.success.onboarding import StalledOnboarding, Step
from pulse.signals.success.ready_to_ask import ReadyToAsk
from pulse.signals.success.renewal import RenewalAtRisk
from pulse.signals.success.seats import OutgrowsSeats, UnusedSeats
from pulse.signals.usage.champion import ChampionGone
from pulse.signals.usage.drop import UsageDrop
from pulse.signals.usage.feature import FeatureAbandoned
from pulse.signals.voice.detractor import Detractor
from pulse.signals.voice.threads import BugOpen, SupportWaiting


def signals(config: Signals, holidays: HolidayBook) -> tuple[Signal, ...]:
    """The signals that are enabled, but silence."""
    drop, champion, feature = config.usage_drop, config.champion_gone, config.feature_abandoned
    unused, outgrows, onboarding = (
        config.unused_seats,
        config.outgrows_seats,
        config.stalled_onboarding,
    )
    ask, survey, support = config.ready_to_ask, config.detractor, config.support_waiting
    steps = tuple(Step(each.event, each.within_days * DAY_MS) for each in onboarding.steps)
    by_age = tuple((each.from_days, each.below) for each in unused.by_age)
    found: list[tuple[bool, Signal]] = [
        (config.subscription_cancelled.enabled, SubscriptionCancelled()),
        (config.payment_failed.enabled, PaymentFailed()),
        (config.card_expiring.enabled, CardExpiring(config.card_expiring.days)),
        (
            support.enabled,
            SupportWaiting(support.hours * HOUR_MS, holidays if support.working_days else None),
        ),
        (config.bug_open.enabled, BugOpen(config.bug_open.days * DAY_MS)),
        (survey.enabled, Detractor(survey.nps, survey.csat, survey.days * DAY_MS)),
        (
            config.check_in_overdue.enabled,
            CheckInOverdue(config.check_in_overdue.days * DAY_MS),
        ),
        (config.renewal_at_risk.enabled, RenewalAtRisk(config.renewal_at_risk.days * DAY_MS)),
        (onboarding.enabled and bool(steps), StalledOnboarding(steps)),
        (
            drop.enabled,
            UsageDrop(drop.share, drop.deviations, round(drop.min_events * MICRO)),
        ),
        (champion.enabled, ChampionGone(champion.days, champion.min_events)),
        (feature.enabled, FeatureAbandoned(feature.days, feature.share, feature.min_events)),
        (unused.enabled and bool(by_age), UnusedSeats(by_age, unused.min_seats)),
        (outgrows.enabled, OutgrowsSeats(outgrows.share, outgrows.min_seats)),
        (ask.enabled, ReadyToAsk(ask.score, ask.days, ask.min_users)),
    ]
    return tuple(signal for is_enabled, signal in found if is_enabled)
