"""What crosses a boundary of pulse, in and out: usage events, profiles, accounts, alerts, webhooks.

Pydantic models that say what each message looks like (the JSON Schemas in `schemas/` are made from
them), the instants and field types they share, and the typed decoder of the stream (`wire`).
Nothing here reads a file, a clock or the environment, or logs. Every other room may import it.
"""

from pulse.model.account import AccountStatus, Lifecycle, Line, Measures, Windows, Zone
from pulse.model.alert import Alert, Resolution, Severity, Status, ThenAndNow
from pulse.model.audit import AuditEntry, Change, Way
from pulse.model.day import AccountDay, AccountMoved
from pulse.model.notification import AlertNotice, WebhookBody, notification_id, webhook_body
from pulse.model.notification_of_several import GroupBody, group_body
from pulse.model.time import format_ms, parse_ts
from pulse.model.usage import AccountProfile, ProfileRecord, UsageEvent, read_record

__all__ = [
    "AccountDay",
    "AccountMoved",
    "AccountProfile",
    "AccountStatus",
    "Alert",
    "AlertNotice",
    "AuditEntry",
    "Change",
    "GroupBody",
    "Lifecycle",
    "Line",
    "Measures",
    "ProfileRecord",
    "Resolution",
    "Severity",
    "Status",
    "ThenAndNow",
    "UsageEvent",
    "Way",
    "WebhookBody",
    "Windows",
    "Zone",
    "format_ms",
    "group_body",
    "notification_id",
    "parse_ts",
    "read_record",
    "webhook_body",
]
