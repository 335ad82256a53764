"""An alert as it is written to the alerts topic (key: the account id) and to `--alerts-out`."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from pulse.model.account import Lifecycle, Line, Measures, Outbound, Zone
from pulse.model.fields import Number, PlainText, Timestamp
from pulse.model.usage import AccountProfile

Status = Literal["firing", "resolved"]
Severity = Literal["critical", "warning", "info"]
Resolution = Literal[
    "recovered",
    "crossed",
    "active_again",
    "churned",
    "rule_removed",
    "escalated",
    "settled",
    "passed",
    "no_longer",
    "forgotten",
    "renamed",
]
"""`crossed`: an approaching account did. `escalated`: a new alert says more. `settled`: what was
unusual has become usual. `passed`: its time is over. `no_longer`: it does not hold any more.
`forgotten`: the account, or the user that it is about, was erased. `renamed`: the account goes on
under another id; what still holds is told under that one."""

Cause = Literal["configuration", "load"]

AlertId = Annotated[str, Field(pattern=r"^al_[0-9A-Za-z]{26}$")]
"""A function of account, reason and the instant the alert began: a repeat has the same id."""


class ThenAndNow(Outbound):
    """The account's measures at the alert and before it."""

    now: Measures
    then: Measures | None = Field(description="null where there is no such past.")
    then_at: Timestamp | None


class Alert(Outbound):
    """One state of one alert. firing → resolved, for one account and one reason.

    Three instants: `since` ≤ `started_at` ≤ `at`. `since` is when the condition began, `started_at`
    when the alert began (part of its id), `at` when this state was due.
    """

    id: AlertId
    account_id: PlainText = Field(
        description="Whom it is about; `*` where it is about no single account."
    )
    reason: str = Field(description="danger, approaching, or a signal; more may come.")
    status: Status
    resolution: Resolution | None = Field(description="Why it ended; null while it fires.")
    started_at: Timestamp
    at: Timestamp
    since: Timestamp
    severity: Severity
    zone: Zone
    previous_zone: Zone | None = None
    lifecycle: Lifecycle
    score: Number | None
    line: Line
    contributions: dict[str, Number]
    measures: ThenAndNow
    profile: AccountProfile = Field(description="What is known; unknown fields are absent.")
    summary: str = Field(description="One sentence that is understood without opening anything.")
    evidence: dict[str, JsonValue] = Field(description="The facts of this reason.")
    play: str = Field(description="What to do next.")
    historical: bool = Field(description="From played history: recorded, never sent.")
    config_version: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    scores: tuple[int | None, ...] = Field(
        default=(),
        description="The scores at the starts of the 28 days before this one, in whole points, the "
        "oldest first; `score` comes after the last. null for a day without one. Begins with the "
        "first day that had one; absent where none had.",
    )
    caused_by: Cause | None = Field(
        default=None,
        description="`configuration`: other rules or another line, not the account. It is told of "
        "in one alert for the whole fleet, reason `configuration`, and not sent alone. `load`: it "
        "began, or ended, while events of the past were loaded; then the reason is `digest`.",
    )

    def to_json(self) -> bytes:
        """The bytes of the alerts topic and of a line of `--alerts-out`, without a line break.

        What was not set (unknown parts of the profile) is absent; `model_validate_json` reads it.
        """
        return self.model_dump_json(exclude_unset=True).encode()
