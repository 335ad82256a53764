"""How the API and the account page run, and the links that lead from a message to it."""

from datetime import date
from ipaddress import ip_network
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from pulse.alerting.people.links import Links
from pulse.config.fields import (
    Duration,
    EnvName,
    Port,
    Positive,
    Section,
    SomeDays,
    Text,
    url_mistake,
)
from pulse.config.mistakes import refuse
from pulse.config.secret import Secret, SecretError, find_secret

_LEAST_KEY: Final = 32
"""Characters that the key of the links must have: whoever guesses it can act on every alert."""


def _network(text: str) -> str:
    try:
        return str(ip_network(text))
    except ValueError as error:
        raise refuse(
            f'"{text}" is no network: {error}', suggestion="10.0.0.0/8, 192.0.2.7, ::1"
        ) from None


Header = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
Network = Annotated[str, AfterValidator(_network)]
SomeRole = Literal["viewer", "member", "admin"]


class ProxyAuth(Section):
    """A proxy that lets people in, and says in headers whom. It must take these headers out of what
    comes to it."""

    header: Header = "X-Forwarded-User"
    """The header that has the name."""
    trusted: Annotated[tuple[Network, ...], Field(strict=False, min_length=1)]
    """The proxy's addresses, or networks. From elsewhere the headers are not believed."""
    groups_header: Header | None = None
    """The header that has the groups of whom it let in, between commas."""
    roles: dict[Text, SomeRole] = Field(default_factory=dict)
    """The roles of groups; of several the highest counts."""
    default_role: SomeRole | Literal["none"] = "viewer"
    """The role of who is in no such group; none: they do not come in."""

    @field_validator("roles")
    @classmethod
    def _groups_are_told(
        cls, roles: dict[str, SomeRole], info: ValidationInfo
    ) -> dict[str, SomeRole]:
        if roles and "groups_header" in info.data and info.data["groups_header"] is None:
            raise refuse(
                "nobody says the groups", suggestion="set groups_header: X-Forwarded-Groups"
            )
        return roles

    @field_validator("default_role")
    @classmethod
    def _somebody_comes_in(cls, role: str, info: ValidationInfo) -> str:
        if role == "none" and "roles" in info.data and not info.data["roles"]:
            raise refuse("nobody would come in", suggestion="set roles: {a-group: member}")
        return role


class Web(Section):
    """How `pulse web` runs: the API, and the page that a message's links open."""

    host: Text = "127.0.0.1"
    """0.0.0.0 to be reached from other machines; TLS is a proxy's."""
    port: Port = 8081
    """Where the API and the page are."""
    metrics_port: Port = 9467
    """Where Prometheus finds its metrics."""
    metrics_host: Text = "127.0.0.1"
    """0.0.0.0 to be reached from other machines."""
    public_url: str | None = None
    """What people reach it at: https://pulse.example.com. Messages have no links without it."""
    link_secret_env: EnvName | None = None
    """The environment variable that has the key of the links, at least 32 characters."""
    link_secret_file: Text | None = None
    """Or the file that has it."""
    previous_link_secret_env: EnvName | None = None
    """While the key is changed: the old one, whose links still open."""
    previous_link_secret_file: Text | None = Field(default=None, validate_default=True)
    """Or the file that has it."""
    link_lifetime_ms: Duration = Field(default=14 * 86_400_000, alias="link_lifetime", ge=60_000)
    """How long a link opens after it was sent; 1m to 366d."""
    session_ms: Duration = Field(default=12 * 3_600_000, alias="session", ge=60_000)
    """How long somebody stays signed in."""
    proxy_auth: ProxyAuth | None = None
    """A proxy that lets people in; none if unsaid."""
    calibration_report: Text | None = None
    """The page that `pulse calibrate --report` wrote; the page of the line leads to it."""
    alert_days: SomeDays = 30
    """Alerts that ended before that are not shown."""
    most_alerts: Annotated[int, Field(ge=100, le=1_000_000)] = 50_000
    """And no more than so many: those that ended go first, then the oldest."""
    ack_timeout_s: Positive = 10.0
    """For how long Kafka's word is waited for before a client is told to come again."""

    @field_validator("public_url")
    @classmethod
    def _is_an_origin(cls, url: str | None) -> str | None:
        if url is None:
            return None
        if mistake := url_mistake(url, ("https", "http"), "public_url"):
            raise refuse(mistake)
        parts = urlsplit(url)
        if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
            raise refuse(
                "must be a scheme and a host alone",
                suggestion=f"write {parts.scheme}://{parts.netloc.rpartition('@')[2]}",
            )
        return url.rstrip("/")

    @field_validator("previous_link_secret_file")
    @classmethod
    def _links_can_be_made(cls, file: str | None, info: ValidationInfo) -> str | None:
        said = {**info.data, "previous_link_secret_file": file}
        for name in ("link_secret", "previous_link_secret"):
            if said.get(f"{name}_env") and said.get(f"{name}_file"):
                raise refuse(
                    f"{name}_env is set too",
                    suggestion="leave one of them out",
                    at=(f"{name}_file",),
                )
        has_key = bool(said.get("link_secret_env") or said.get("link_secret_file"))
        name = "link_secret_env" if said.get("link_secret_env") else "link_secret_file"
        if has_key and "public_url" in said and said["public_url"] is None:
            raise refuse(
                "there are no links without an address that they lead to",
                suggestion="set public_url: https://…",
                at=(name,),
            )
        if not has_key and (file or said.get("previous_link_secret_env")):
            at = "previous_link_secret_file" if file else "previous_link_secret_env"
            raise refuse("there is no new key", suggestion="set link_secret_env", at=(at,))
        return file

    def link_secrets(self) -> tuple[Secret, ...]:
        """The keys of the links, the present one first. Raises `SecretError`."""
        found = (
            find_secret(env, file, setting=f"web.{name}")
            for name, env, file in (
                ("link_secret", self.link_secret_env, self.link_secret_file),
                (
                    "previous_link_secret",
                    self.previous_link_secret_env,
                    self.previous_link_secret_file,
                ),
            )
        )
        secrets = tuple(each for each in found if each is not None)
        for each in secrets:
            if len(each.reveal()) < _LEAST_KEY:
                raise SecretError(
                    f"{each.origin} has fewer than {_LEAST_KEY} characters",
                    hint="make one: openssl rand -base64 32",
                )
        return secrets

    def links(self) -> Links | None:
        """What makes the links of a message; None where none are configured.

        Raises `SecretError`.
        """
        keys = [each.reveal().encode() for each in self.link_secrets()]
        if self.public_url is None or not keys:
            return None
        return Links(self.public_url, keys[0], self.link_lifetime_ms, tuple(keys[1:]))


class HoldoutRule(Section):
    """Accounts whose alerts are recorded and not sent, to measure what sending does."""

    share: Annotated[float, Field(ge=0, le=0.9)] = 0.0
    """How many of the accounts: 0.1 is one in ten; 0: none."""
    since: Annotated[date | None, Field(strict=False)] = Field(default=None, validate_default=True)
    """The UTC day from which they are held out, needed with a share. Alerts that began before it
    are sent, and are not compared."""
    salt: Annotated[str, StringConstraints(min_length=1, max_length=100)] = "pulse"
    """Another word chooses other accounts; keep it while you measure."""

    @field_validator("since")
    @classmethod
    def _it_is_said_since_when(cls, since: date | None, info: ValidationInfo) -> date | None:
        if since is None and info.data.get("share", 0) > 0:
            raise refuse(
                "a share is held out, and it is not said since when",
                suggestion="write the day from which it is, like 2026-03-01; today where it is new",
                or_at=("share",),
            )
        return since

    @property
    def since_ms(self) -> int:
        """When that day begins, milliseconds UTC; 0 where none is said."""
        if self.since is None:
            return 0
        return (self.since.toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000
