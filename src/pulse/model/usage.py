"""What comes in: usage events and account profiles, as the pydantic models of the edges.

These models say what the language is (documentation, `schemas/`, HTTP). The stream reads the same
language through the typed decoder in `model.wire`; a test holds the two equal.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Raw
from pydantic import BaseModel, ConfigDict, Field, field_validator

from pulse.model.fields import (
    MAX_AMOUNT,
    MAX_TEXT,
    MAX_VALUE,
    PlainText,
    Timestamp,
    is_bounded,
)
from pulse.model.shape import MAX_LINE_BYTES
from pulse.model.time import is_time_zone
from pulse.model.wire import is_too_deep, own_fields


class _Inbound(BaseModel):
    """Strict on types (no "5" for 5), tolerant of fields pulse does not know."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class UsageEvent(_Inbound):
    """One fact from a product app: an account's user did something at an instant.

    `user_id` may be absent or null (the account itself acted). `ts` is milliseconds UTC once read.
    Where the configuration says nothing else, `properties.feature` is a name (or a number that is
    one) and `properties.value` a finite number within ±10⁹; both may be absent or null.

    >>> event = UsageEvent.model_validate(
    ...     {"id": "e1", "account_id": "acme", "event": "report.run", "ts": "2024-10-24T19:33:01Z"}
    ... )
    >>> event.ts, event.source, event.user_id
    (1729798381000, 'default', None)
    """

    id: PlainText = Field(description="Unique for its account and source; a repeat is a duplicate.")
    account_id: PlainText = Field(description="The customer this usage belongs to.")
    user_id: PlainText | None = Field(
        default=None, description="The person; absent or null where the account itself acted."
    )
    event: PlainText = Field(description="What happened, like report.run.")
    ts: Timestamp = Field(
        description="When it happened: RFC 3339 with seconds and offset, or milliseconds."
    )
    source: PlainText = Field(
        default="default", description="Where it comes from: a product, a write key, an SDK."
    )
    properties: dict[str, Any] = Field(
        default_factory=dict,
        description="Anything else; unless configured otherwise, feature and value are read.",
        json_schema_extra={
            "properties": {
                "feature": {"type": ["string", "number", "boolean", "null"], "maxLength": MAX_TEXT},
                "value": {"type": ["number", "null"], "minimum": -MAX_VALUE, "maximum": MAX_VALUE},
            }
        },
    )

    @field_validator("properties")
    @classmethod
    def _can_be_counted(cls, properties: dict[str, Any]) -> dict[str, Any]:
        feature, value = properties.get("feature"), properties.get("value")
        if isinstance(feature, (dict, list)):
            raise ValueError("feature must be a name")
        name = str(feature)
        if not (len(name) <= MAX_TEXT and name.isprintable()):
            raise ValueError(f"feature must have at most {MAX_TEXT} characters, all printable")
        if value is not None:
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise ValueError("value must be a number")
            if not is_bounded(value):
                raise ValueError(f"value must be finite and within ±{MAX_VALUE:,}")
        return properties


class AccountProfile(_Inbound):
    """What is known of an account besides its usage. Every field may be absent.

    An absent field leaves what is known as it is; null deletes it. `changes()` tells the two apart.
    """

    name: PlainText | None = Field(default=None, description="The account's name for people.")
    segment: PlainText | None = Field(
        default=None, description="Decides which line and scorecard of the configuration hold."
    )
    plan: PlainText | None = Field(default=None, description="What was bought.")
    mrr: Annotated[float, Field(ge=0, le=MAX_AMOUNT, allow_inf_nan=False)] | None = Field(
        default=None, description="Monthly recurring revenue."
    )
    seats: Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None = Field(
        default=None, description="Seats bought."
    )
    owner: PlainText | None = Field(default=None, description="Who looks after the account.")
    started_at: Timestamp | None = Field(default=None, description="When it became a customer.")
    renewal_at: Timestamp | None = Field(default=None, description="When the contract renews.")
    country: PlainText | None = Field(
        default=None, description="Its country, as the configured holidays name it: DE."
    )
    timezone: PlainText | None = Field(
        default=None, description="IANA time zone of the account's days, like Europe/Berlin."
    )

    def changes(self) -> dict[str, Any]:
        """The fields this profile sets, null where it deletes one; absent ones are not in it.

        >>> AccountProfile(plan="pro", owner=None).changes()
        {'plan': 'pro', 'owner': None}
        """
        return self.model_dump(exclude_unset=True)


class ProfileRecord(_Inbound):
    """A profile on its way in. Profiles merge field by field; the latest `(ts, id)` wins."""

    id: PlainText
    type: Literal["profile"]
    account_id: PlainText
    ts: Timestamp = Field(description="When this was true.")
    source: PlainText = Field(
        default="default", description="Where it comes from; its ids are its own."
    )
    profile: AccountProfile

    @field_validator("profile")
    @classmethod
    def _has_days(cls, profile: AccountProfile) -> AccountProfile:
        if profile.timezone is not None and not is_time_zone(profile.timezone):
            raise ValueError(f"there is no time zone {profile.timezone!r}")
        return profile


def read_record(data: bytes) -> UsageEvent | ProfileRecord:
    """The one JSON object in `data`: a profile where `type` is "profile", else a usage event.

    The slow and plain reader, what the fast one is compared with. Of an event's properties it
    keeps the two that are read by default. Raises `ValueError` (pydantic's `ValidationError` is
    one) for anything else.
    """
    if len(data) > MAX_LINE_BYTES or is_too_deep(data):
        raise ValueError("too large or nested too deeply")
    try:
        data.decode()  # also what is skipped below
        fields: dict[str, Any] = dict(own_fields(data))
        for name, known in (("properties", _PROPERTIES), ("profile", AccountProfile.model_fields)):
            if name in fields:
                inner = msgspec.json.decode(fields[name], type=dict[str, Raw])
                fields[name] = {n: inner[n] for n in known if n in inner}
        fields = msgspec.json.decode(msgspec.json.encode(fields))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"not JSON, or no object: {error}") from None
    if "type" in fields:
        return ProfileRecord.model_validate(fields)
    return UsageEvent.model_validate(fields)


_PROPERTIES = ("feature", "value")
