"""A record of the audit log as others see it: somebody changes something."""

from enum import StrEnum

from pydantic import Field

from pulse.model.account import Outbound
from pulse.model.fields import PlainText, Timestamp


class Way(StrEnum):
    """How somebody came who changes something."""

    user = "user"
    """Signed in with a name and a password."""
    token = "token"
    """With a token, by the API or signed in with it."""
    link = "link"
    """By a link of a message; the name is what they called themselves."""
    proxy = "proxy"
    """Let in by a trusted proxy."""
    command_line = "command_line"
    """With a command; the name is that of the machine's user, or what `--author` says."""


class Change(StrEnum):
    """What is changed."""

    silence_made = "silence_made"
    silence_ended = "silence_ended"
    alert_snoozed = "alert_snoozed"
    alert_acknowledged = "alert_acknowledged"
    alert_lifted = "alert_lifted"
    """Neither snoozed nor acknowledged any more."""
    alert_closed = "alert_closed"
    note_written = "note_written"
    note_erased = "note_erased"
    user_added = "user_added"
    user_role_set = "user_role_set"
    user_password_set = "user_password_set"
    user_removed = "user_removed"
    token_made = "token_made"
    token_revoked = "token_revoked"
    key_made = "key_made"
    """A write key of a collector."""
    key_revoked = "key_revoked"
    erased = "erased"
    """An account or a user was forgotten; which one, it does not say."""
    account_renamed = "account_renamed"
    source_stopped = "source_stopped"
    source_running = "source_running"
    configuration_activated = "configuration_activated"
    state_repartitioned = "state_repartitioned"
    deliveries_replayed = "deliveries_replayed"
    receiver_enabled = "receiver_enabled"
    """One that had answered 410 Gone gets alerts again."""


class AuditEntry(Outbound):
    """Somebody changes something. It is written before the change itself is."""

    id: str = Field(description="Of this entry; a repeat has the same.")
    at: Timestamp
    who: PlainText
    way: Way = Field(description="How they came, and so what the name is worth.")
    change: Change
    account_id: PlainText | None = Field(description="The account that it is about, if it is one.")
    subject: str | None = Field(
        description="What it is about: the id of an alert, a silence or a note, the name of a "
        "user, a source or a receiver, what a token or a key begins with."
    )
    details: dict[str, str] = Field(description="More of it: no secrets, and no text of people's.")
