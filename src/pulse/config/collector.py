"""How the collector runs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from pulse.config.fields import EnvName, Pattern, Port, Positive, Section, Text
from pulse.config.mistakes import refuse
from pulse.config.secret import Secret, find_secret
from pulse.config.webhooks import Webhooks


def _dotted(pattern: str) -> str:
    if "" in pattern.split("."):
        raise refuse("must be names with a dot between them, like email or address.*")
    return pattern


PropertyPattern = Annotated[Pattern, StringConstraints(max_length=200), AfterValidator(_dotted)]
"""Names with dots between them, of which the last matter; with `*`, `?`, `[abc]`."""


class Collector(Section):
    """How `pulse collect` runs: events in over HTTP."""

    host: Text = "127.0.0.1"
    """0.0.0.0 to be reached from other machines; TLS is a proxy's."""
    port: Port = 8080
    """Where product apps send their events."""
    metrics_port: Port = 9466
    """Where Prometheus finds the collector's metrics."""
    metrics_host: Text = "127.0.0.1"
    """0.0.0.0 to be reached from other machines."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 << 20)] = 20 << 20
    """A request's body, after it is decompressed too."""
    body_timeout_s: Positive = 20.0
    """A request's head must have come in within this time, and so must its body."""
    events_per_second: Positive = 10_000
    """Of a source, with all of its keys, on average; ten times as many may come at once."""
    buffer_bytes: Annotated[int, Field(ge=1 << 20)] = 64 << 20
    """What may wait for Kafka, and as much may be on its way in; beyond it clients are told to come
    again (503)."""
    ack_timeout_s: Positive = 10.0
    """For how long Kafka's word is waited for before a client is told to come again."""
    spool: Text | None = None
    """A folder where what comes in waits while Kafka is away, instead of being told to come again.
    Each collector has its own."""
    spool_bytes: Annotated[int, Field(ge=1 << 20)] = 1 << 30
    """What may wait there; beyond it clients are told to come again (503)."""
    webhooks: Webhooks = Webhooks()
    """The billing and support services that may send webhooks."""
    posthog_group: Text = "company"
    """The type of PostHog's groups that are accounts."""
    user_ids: Literal["plain", "hashed"] = "plain"
    """hashed: Kafka has users by a keyed hash, another one in each account."""
    user_key_env: EnvName | None = None
    """The environment variable that has the key of the hashes."""
    user_key_file: Text | None = Field(default=None, validate_default=True)
    """Or the file that has it."""
    deny_properties: Annotated[tuple[PropertyPattern, ...], Field(strict=False)] = ()
    """Properties that never reach Kafka, by their names, however deep they are; patterns."""

    @field_validator("user_key_file")
    @classmethod
    def _one_key(cls, file: str | None, info: ValidationInfo) -> str | None:
        said = info.data
        if "user_ids" not in said or "user_key_env" not in said:  # it is a mistake itself
            return file
        if file is not None and said["user_key_env"] is not None:
            raise refuse("user_key_env is set too", suggestion="leave one of them out")
        if said["user_ids"] == "hashed" and file is None and said["user_key_env"] is None:
            raise refuse(
                "the key of the hashes is missing",
                suggestion="name an environment variable in user_key_env, or set user_key_file",
                at=("user_ids",),
            )
        return file

    def user_key(self) -> Secret | None:
        """The key of the hashes, None without one. Raises `SecretError` where it is missing."""
        return find_secret(self.user_key_env, self.user_key_file, setting="collector.user_key")
