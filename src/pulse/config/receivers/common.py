"""What all kinds of receivers have in common."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    Field,
    ModelWrapValidatorHandler,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from pulse.config.addresses import address_mistake
from pulse.config.fields import EnvName, NotNegative, Pattern, Section, Text, TimeZone, url_mistake
from pulse.config.mistakes import check_also, refuse
from pulse.config.secret import Secret, SecretError, find_secret

TEMPLATES: Final = ("template", "text_template")
"""The settings that name a template, of the kinds that have one."""


class Retry(Section):
    """When a failed delivery is tried again."""

    schedule_s: Annotated[
        tuple[NotNegative, ...], Field(strict=False, min_length=1, max_length=50)
    ] = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    """Seconds to wait before each attempt, the first included; after the last it has failed."""
    jitter: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Each wait is lengthened or shortened by up to this share, so that retries spread."""


class AnyReceiver(Section):
    """What every receiver can say.

    `EXACTLY_ONE` and `AT_MOST_ONE` are groups of settings that say the same thing in several ways,
    the first with what is missing where none is set.
    """

    EXACTLY_ONE: ClassVar[tuple[tuple[str, tuple[str, ...]], ...]] = ()
    AT_MOST_ONE: ClassVar[tuple[tuple[str, ...], ...]] = ()

    name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
    """Small letters, digits and hyphens; part of every notification's id."""
    kind: str
    """What stands at the other end."""
    reasons: Annotated[tuple[Pattern, ...], Field(strict=False, min_length=1)] = ("*",)
    """Which alerts: shell patterns of reasons."""
    send_resolved: bool = True
    """Also say when an alert has ended."""
    timezone: TimeZone | None = None
    """Where its hours and days are counted; the configuration's `timezone` if unsaid."""
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    """How long an answer may take."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Requests under way at once, at most; its share of the notifier's where nothing is said."""
    rate: Annotated[float, Field(gt=0, le=10_000)] | None = None
    """Requests a second, at most; no limit where nothing is said, but for Slack, which takes 1."""
    retry: Retry = Retry()
    """When a failed delivery is tried again."""

    @model_validator(mode="wrap")
    @classmethod
    def _holds_together(cls, value: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        said = value if isinstance(value, dict) else {}
        said = {name: each for name, each in said.items() if each is not None}
        checked: Self = check_also(value, check, cls.mistakes_in(said))
        return checked

    @classmethod
    def mistakes_in(cls, said: dict[str, Any]) -> Iterator[PydanticCustomError]:
        """What is wrong with what the file says, beyond single settings."""
        for missing, names in cls.EXACTLY_ONE:
            yield from _one_of(said, names, missing)
        for names in cls.AT_MOST_ONE:
            yield from _one_of(said, names, None)

    def missing_secrets(self) -> list[str]:
        """What is said of each secret that it names and that is not there."""
        missing = []
        for setting in type(self).model_fields:
            if setting.endswith("_env"):
                try:
                    self._find(setting.removesuffix("_env"))
                except SecretError as error:
                    missing.append(error.message)
        return missing

    def with_templates_in(self, folder: Path) -> Self:
        """The receiver with its templates, as found from a folder."""
        named = {
            name: str(folder / str(getattr(self, name)))
            for name in TEMPLATES
            if getattr(self, name, None) is not None
        }
        return self.model_copy(update=named) if named else self

    def _find(self, *settings: str) -> tuple[Secret, ...]:
        """The secrets that `<setting>_env` or `<setting>_file` name, of those that are set."""
        found = (
            find_secret(
                getattr(self, f"{each}_env", None),
                getattr(self, f"{each}_file", None),
                setting=each,
                of=f'receiver "{self.name}"',
            )
            for each in settings
        )
        return tuple(secret for secret in found if secret is not None)


class AtUrl(AnyReceiver):
    """A receiver that is posted to over HTTP."""

    url_env: EnvName | None = None
    """The environment variable that has the address."""
    url_file: Text | None = None
    """Or the file that has it."""
    allow_private: bool = False
    """Permit this endpoint to stand at a private address."""

    def address(self) -> Secret:
        """Where to post. Raises `SecretError` where `url_env` names a variable that is not set."""
        found = self._find("url")
        return found[0] if found else Secret(self._plain_url(), origin=f"receiver {self.name}")

    def _plain_url(self) -> str:
        return ""


class AtPlainUrl(AtUrl):
    """A receiver whose address is usually no secret."""

    url: str | None = None
    """Where to post. Without a password; an address that is itself a secret goes to `url_env`."""

    @field_validator("url")
    @classmethod
    def _url_can_be_used(cls, url: str | None) -> str | None:
        if url is not None and (mistake := url_mistake(url, ("https", "http"), "url_env")):
            raise refuse(mistake)
        return url

    @classmethod
    def mistakes_in(cls, said: dict[str, Any]) -> Iterator[PydanticCustomError]:
        yield from super().mistakes_in(said)
        url, allowed = said.get("url"), said.get("allow_private") is True
        if isinstance(url, str) and not url_mistake(url, ("https", "http"), "url_env"):
            yield from refused_at("url", address_mistake(url, allow_private=allowed))

    def _plain_url(self) -> str:
        return self.url or ""


def refused_at(
    setting: str, mistake: tuple[str, str | None] | None
) -> Iterator[PydanticCustomError]:
    """What is wrong with an address, at the setting that has it."""
    if mistake is not None:
        message, suggestion = mistake
        yield refuse(message, suggestion=suggestion, at=(setting,))


def _one_of(
    said: dict[str, Any], names: tuple[str, ...], missing: str | None
) -> Iterator[PydanticCustomError]:
    """Of settings that say the same: none of them, if one must be, or more than one."""
    here = [name for name in names if name in said]
    if missing is not None and not here:
        yield refuse(missing, suggestion=f"set {', '.join(names[:-1])} or {names[-1]}", at=())
    for name in here[1:]:
        yield refuse(f"{here[0]} is set too", suggestion="leave one of them out", at=(name,))
