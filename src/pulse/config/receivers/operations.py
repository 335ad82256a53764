"""What alerts people at night: Alertmanager, PagerDuty."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pulse.config.fields import DAY_MS, Duration, EnvName, Text
from pulse.config.receivers.common import AtPlainUrl
from pulse.config.secret import Secret

ProfileLabel = Literal["segment", "plan", "owner"]


class AlertmanagerReceiver(AtPlainUrl):
    """An Alertmanager, which is pushed to by its API v2."""

    EXACTLY_ONE: ClassVar = (("where it is is missing", ("url", "url_env", "url_file")),)
    AT_MOST_ONE: ClassVar = (("token_env", "token_file"),)

    kind: Literal["alertmanager"]
    """What stands at the other end."""
    token_env: EnvName | None = None
    """The environment variable that has a token, if a proxy before it asks for one (Bearer)."""
    token_file: Text | None = None
    """Or the file that has it."""
    labels: Annotated[tuple[ProfileLabel, ...], Field(strict=False)] = ()
    """Which fields of the profile are labels too: segment, plan, owner."""
    ends_after_ms: Annotated[Duration, Field(ge=60_000)] = Field(
        default=180 * DAY_MS, alias="ends_after"
    )
    """An alert of which nothing more is told is over after so long."""

    def token(self) -> Secret | None:
        """What a proxy asks for. Raises `SecretError` where it is missing."""
        found = self._find("token")
        return found[0] if found else None


class PagerDutyReceiver(AtPlainUrl):
    """A service of PagerDuty's, by its Events API v2."""

    EXACTLY_ONE: ClassVar = (
        ("the routing key is missing", ("routing_key_env", "routing_key_file")),
    )
    AT_MOST_ONE: ClassVar = (("url", "url_env", "url_file"),)

    kind: Literal["pagerduty"]
    """What stands at the other end."""
    routing_key_env: EnvName | None = None
    """The environment variable that has the integration's key."""
    routing_key_file: Text | None = None
    """Or the file that has it."""

    def routing_key(self) -> Secret:
        """The integration's key. Raises `SecretError` where it is missing."""
        return self._find("routing_key")[0]

    def _plain_url(self) -> str:
        return self.url or "https://events.pagerduty.com/v2/enqueue"
