"""An endpoint of somebody's own."""

from typing import ClassVar, Literal

from pulse.config.fields import EnvName, Text
from pulse.config.receivers.common import AtPlainUrl
from pulse.config.secret import Secret


class WebhookReceiver(AtPlainUrl):
    """An endpoint that takes Standard Webhooks: signed, retried."""

    EXACTLY_ONE: ClassVar = (
        ("where to post is missing", ("url", "url_env", "url_file")),
        ("the signing secret is missing", ("secret_env", "secret_file")),
    )
    AT_MOST_ONE: ClassVar = (("previous_secret_env", "previous_secret_file"),)

    kind: Literal["webhook"]
    """What stands at the other end."""
    format: Literal["standard", "alertmanager"] = "standard"
    """standard: pulse's own body; alertmanager: the one that Alertmanager posts."""
    secret_env: EnvName | None = None
    """The environment variable that has the signing secret: `whsec_` and base64."""
    secret_file: Text | None = None
    """Or the file that has it."""
    previous_secret_env: EnvName | None = None
    """While the secret is changed: the old one, which signs as well."""
    previous_secret_file: Text | None = None
    """Or the file that has it."""

    def secrets(self) -> tuple[Secret, ...]:
        """The signing secrets, the present one first. Raises `SecretError` where one is missing."""
        return self._find("secret", "previous_secret")
