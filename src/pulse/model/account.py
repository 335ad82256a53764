"""An account's state as others see it: measures, line, zone, score."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pulse.model.fields import Number, PlainText, Timestamp

Zone = Literal["unknown", "healthy", "approaching", "danger"]
Lifecycle = Literal["new", "current", "resurrected", "dormant", "churned"]


class Outbound(BaseModel):
    """What pulse writes: frozen; a reader ignores the fields a newer pulse may add."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, serialize_by_alias=True
    )


class Windows(Outbound):
    """One measure over the three windows, each W of the account's own days."""

    days_7: Number = Field(alias="7d")
    days_28: Number = Field(alias="28d")
    days_84: Number = Field(alias="84d")


class Measures(Outbound):
    """Every measure of an account at one instant."""

    events: Windows = Field(description="Weighted events.")
    value: Windows = Field(description="Sum of the events' values.")
    active_users: Windows = Field(description="Distinct users: depth.")
    features: Windows = Field(description="Distinct features: breadth.")
    active_days: Windows = Field(description="Days with meaningful use: frequency.")
    recency_days: Number | None = Field(
        description="Days since the last meaningful use; null where there was none."
    )
    trend: Number | None = Field(
        default=None,
        description="The last week over the average of the four weeks before, 1: as usual; null "
        "where its past is too short. Absent where the scorecard has no such measure.",
    )
    key_features: Windows | None = Field(
        default=None,
        description="Key features that were used. Absent where the scorecard has no such measure, "
        "and in `then`, of which it is not known.",
    )


class Line(Outbound):
    """The scores of the danger line that holds for the account."""

    enter: Number = Field(description="Below it the account is in danger.")
    exit: Number = Field(description="Above it the account has left danger.")
    approach: Number = Field(description="Below it the account approaches danger.")
    version: str | None = Field(
        default=None,
        description="Which line it is: `fleet-` and the UTC day whose scores made it, or the "
        "version of the configuration that says it.",
    )


class AccountStatus(Outbound):
    """One account as of one instant: one line of `pulse replay --accounts-out`."""

    account_id: PlainText
    as_of: Timestamp
    last_active_at: Timestamp | None
    lifecycle: Lifecycle
    zone: Zone
    score: Number | None = Field(description="0 to 100; null where nothing could be measured.")
    contributions: dict[str, Number] = Field(description="Points of the score by measure.")
    measures: Measures
    line: Line
