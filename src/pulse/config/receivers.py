"""Where alerts are sent."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from pulse.config.addresses import address_mistake
from pulse.config.fields import EnvName, NotNegative, Pattern, Section, Text, TimeZone, url_mistake
from pulse.config.mistakes import check_also, refuse
from pulse.config.secret import Secret, find_secret


class Retry(Section):
    """When a failed delivery is tried again."""

    schedule_s: Annotated[
        tuple[NotNegative, ...], Field(strict=False, min_length=1, max_length=50)
    ] = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    """Seconds to wait before each attempt, the first included; after the last it has failed."""
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Each wait is lengthened or shortened by up to this share, so that retries spread."""


class WebhookReceiver(Section):
    """An endpoint that takes Standard Webhooks: signed, retried, one alert a request."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    """Small letters, digits and hyphens; part of every notification's id."""
    kind: Literal["webhook"]
    """What stands at the other end."""
    url: str | None = None
    """Where to post. Without a password; an address that is itself a secret goes to `url_env`."""
    url_env: EnvName | None = None
    """The environment variable that has the address, instead of `url`."""
    secret_env: EnvName | None = None
    """The environment variable that has the signing secret: `whsec_` and base64."""
    secret_file: Text | None = None
    """Or the file that has it."""
    previous_secret_env: EnvName | None = None
    """While the secret is changed: the old one, which signs as well."""
    previous_secret_file: Text | None = None
    """Or the file that has it."""
    reasons: Annotated[tuple[Pattern, ...], Field(strict=False, min_length=1)] = Field(
        default=("*",), validate_default=True
    )
    """Which alerts: shell patterns of reasons."""
    send_resolved: bool = True
    """Also say when an alert has ended."""
    timezone: TimeZone | None = None
    """Where its hours and days are counted; the configuration's `timezone` if unsaid."""
    allow_private: bool = Field(default=False, validate_default=True)
    """Permit this endpoint to stand at a private address."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    """How long an answer may take."""
    retry: Retry = Retry()
    """When a failed delivery is tried again."""

    @field_validator("url")
    @classmethod
    def _url_can_be_used(cls, url: str | None) -> str | None:
        if url is not None and (mistake := url_mistake(url, ("https", "http"), "url_env")):
            raise refuse(mistake)
        return url

    @field_validator("reasons")
    @classmethod
    def _one_of_each_pair(cls, reasons: Any, info: ValidationInfo) -> Any:
        return check_also(reasons, lambda each: each, _pair_mistakes(info.data))

    @field_validator("allow_private")
    @classmethod
    def _url_is_of_the_internet(cls, allow_private: bool, info: ValidationInfo) -> bool:
        url = info.data.get("url")
        if url is not None and (mistake := address_mistake(url, allow_private=allow_private)):
            message, suggestion = mistake
            raise refuse(message, suggestion=suggestion, at=("url",))
        return allow_private

    def address(self) -> Secret:
        """Where to post. Raises `SecretError` where `url_env` names a variable that is not set."""
        found = find_secret(self.url_env, None, setting="url", of=f'receiver "{self.name}"')
        return found or Secret(self.url or "", origin=f"receiver {self.name}")

    def secrets(self) -> tuple[Secret, ...]:
        """The signing secrets, the present one first. Raises `SecretError` where one is missing."""
        found = (
            find_secret(env, file, setting=name, of=f'receiver "{self.name}"')
            for name, env, file in (
                ("secret", self.secret_env, self.secret_file),
                ("previous_secret", self.previous_secret_env, self.previous_secret_file),
            )
        )
        return tuple(secret for secret in found if secret is not None)


def _pair_mistakes(settings: dict[str, Any]) -> Iterator[PydanticCustomError]:
    """For each pair of settings where one does: neither (if one must be), or both."""
    for one, other, needed in (
        ("url", "url_env", "where to post is missing"),
        ("secret_env", "secret_file", "the signing secret is missing"),
        ("previous_secret_env", "previous_secret_file", None),
    ):
        if one not in settings or other not in settings:  # a mistake itself
            continue
        said = [name for name in (one, other) if settings[name] is not None]
        if needed and not said:
            yield refuse(needed, suggestion=f"set {one} or {other}", at=())
        elif len(said) > 1:
            yield refuse(f"{one} is set too", suggestion="leave one of them out", at=(other,))
