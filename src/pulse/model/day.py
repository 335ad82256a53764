"""A day of an account as others see it: a record of the history topic."""

from pydantic import Field

from pulse.model.account import Lifecycle, Outbound, Zone
from pulse.model.fields import Number, PlainText, Timestamp


class DayMeasures(Outbound):
    """The measures of 28 days."""

    events: Number = Field(description="Weighted events.")
    value: Number = Field(description="Sum of the events' values.")
    active_users: Number = Field(description="Distinct users: depth.")
    features: Number = Field(description="Distinct features: breadth.")
    active_days: Number = Field(description="Days with meaningful use: frequency.")


class AccountDay(Outbound):
    """How an account stood at the start of one of its days."""

    account_id: PlainText
    day: str = Field(description="The account's own day, YYYY-MM-DD.")
    at: Timestamp = Field(description="Its start.")
    score: Number | None = Field(description="0 to 100; null where nothing could be measured.")
    zone: Zone
    lifecycle: Lifecycle
    line: Number = Field(description="The score below which it is in danger, on that day.")
    approach: Number = Field(description="The score below which it approaches danger.")
    segment: str = Field(description="Of its profile; empty where it is not known.")
    mrr: Number = Field(description="Of its profile; 0 where it is not known.")
    measures: DayMeasures


class AccountMoved(Outbound):
    """Says that an account goes on under another id, with the days that it had."""

    account_id: PlainText
    renamed_to: PlainText
