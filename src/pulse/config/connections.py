"""Where Kafka and Redis are, and how the worker and the notifier run."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

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
from pulse.config.mistakes import check_also, refuse
from pulse.config.secret import Secret, find_secret
from pulse.errors import PulseError

# --- Kafka ------------------------------------------------------------------


def _broker(text: str) -> str:
    parts = urlsplit(f"//{text}")
    try:
        if parts.hostname and parts.port and not parts.path and not parts.username:
            return text
    except ValueError:
        pass
    raise refuse(f'"{text}" is no broker address', suggestion="write host:port, like kafka-1:9092")


Broker = Annotated[str, AfterValidator(_broker)]
TopicName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,249}$")]


class KafkaSecurity(Section):
    """How to speak to the brokers. Passwords are named here and kept elsewhere."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """PLAINTEXT, SSL (TLS), SASL_PLAINTEXT (user and password) or SASL_SSL (both)."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """How the password is shown to the broker; only for SASL."""
    username: Text | None = None
    """Only for SASL."""
    password_env: EnvName | None = None
    """The environment variable that has the password."""
    password_file: Text | None = None
    """Or the file that has it."""
    ca_file: Text | None = None
    """Certificates to trust for TLS (PEM); the system's if unsaid."""
    cert_file: Text | None = None
    """The client's certificate (PEM), where the brokers ask for one."""
    key_file: Text | None = None
    """The client's key (PEM)."""
    key_password_env: EnvName | None = Field(default=None, validate_default=True)
    """The environment variable that has the key's password, if it has one."""

    @field_validator("key_password_env")
    @classmethod
    def _settings_belong_together(cls, value: Any, info: ValidationInfo) -> Any:
        return check_also(value, lambda each: each, _security_mistakes(info.data, value))

    def password(self) -> Secret | None:
        """The SASL password; None without SASL. Raises `SecretError` where it is missing."""
        return find_secret(self.password_env, self.password_file, setting="kafka.security.password")

    def key_password(self) -> Secret | None:
        """The password of the client's key; None where it has none."""
        return find_secret(self.key_password_env, None, setting="kafka.security.key_password")


def _security_mistakes(
    settings: dict[str, Any], key_password_env: str | None
) -> Iterator[PydanticCustomError]:
    if "protocol" not in settings:  # it is a mistake itself
        return
    protocol = settings["protocol"]

    def unsaid(*names: str) -> bool:
        return all(name in settings and settings[name] is None for name in names)

    def said(name: str) -> bool:
        return settings.get(name) is not None

    if protocol.startswith("SASL"):
        if unsaid("mechanism"):
            yield refuse(
                f"{protocol} needs a mechanism",
                suggestion="set it to PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
                at=("protocol",),
            )
        if unsaid("username"):
            yield refuse(f"{protocol} needs a username", at=("protocol",))
        if unsaid("password_env", "password_file"):
            yield refuse(
                f"{protocol} needs a password",
                suggestion="name an environment variable in password_env, or set password_file",
                at=("protocol",),
            )
        if said("password_env") and said("password_file"):
            yield refuse("password_env is set too; one of them", at=("password_file",))
    else:
        for name in ("mechanism", "username", "password_env", "password_file"):
            if said(name):
                yield refuse(
                    f"is only for SASL, and the protocol is {protocol}",
                    suggestion="set protocol: SASL_SSL, or leave it out",
                    at=(name,),
                )
    if not protocol.endswith("SSL"):
        files = [name for name in ("ca_file", "cert_file", "key_file") if said(name)]
        for name in files:
            yield refuse(
                f"is only for TLS, and the protocol is {protocol}",
                suggestion=f"set protocol: {'SASL_SSL' if 'SASL' in protocol else 'SSL'}",
                at=(name,),
            )
    if said("cert_file") and unsaid("key_file"):
        yield refuse("the certificate needs its key: set key_file", at=("cert_file",))
    if said("key_file") and unsaid("cert_file"):
        yield refuse("the key needs its certificate: set cert_file", at=("key_file",))
    if key_password_env is not None and unsaid("key_file"):
        yield refuse("there is no key_file it could open")


class Topics(Section):
    """The names of the topics."""

    events: TopicName = "pulse.events"
    """Usage events, profiles and control records, by account."""
    alerts: TopicName = "pulse.alerts"
    """Alerts, by account: what the notifier reads."""
    deadletter: TopicName = "pulse.deadletter"
    """What could not be read, with the reason."""
    deliveries: TopicName = "pulse.deliveries"
    """What the notifier has still to send; compacted."""
    keys: TopicName = "pulse.keys"
    """Hashes of the write keys; compacted."""
    links: TopicName = "pulse.links"
    """Which account each user belongs to, where product apps have said so; compacted."""
    silences: TopicName = "pulse.silences"
    """What people have silenced, snoozed and taken over; compacted, one partition."""
    outcomes: TopicName = "pulse.outcomes"
    """What became of alerts, as those who closed them say it; one partition."""
    notes: TopicName = "pulse.notes"
    """What people wrote down of accounts; compacted, one partition."""
    history: TopicName = "pulse.history"
    """How each account stood at the start of each of its days, by account."""
    tokens: TopicName = "pulse.tokens"
    """Hashes of the tokens of the API; compacted."""
    users: TopicName = "pulse.users"
    """People who sign in with a password, and what is kept of it; compacted."""
    audit: TopicName = "pulse.audit"
    """The audit log: who changed what; one partition."""
    changelog: TopicName = Field(default="pulse.state", validate_default=True)
    """The accounts' state; compacted."""

    @field_validator("changelog")
    @classmethod
    def _each_has_its_own(cls, changelog: str, info: ValidationInfo) -> str:
        names: dict[str, str] = {}
        clashes = []
        for key, name in [*info.data.items(), ("changelog", changelog)]:
            if name in names:
                clashes.append(refuse(f'"{name}" is the {names[name]} topic already', at=(key,)))
            names[name] = key
        check_also(changelog, lambda each: each, clashes)
        return changelog


class Retention(Section):
    """For how many days topics keep their records. The compacted ones keep the latest of each."""

    events: SomeDays = 14
    """Must cover the longest outage of the workers."""
    deadletter: SomeDays = 30
    """Time to look at bad events and send them again."""
    alerts: SomeDays = 90
    """The history of alerts."""
    outcomes: SomeDays = 400
    """What became of them, by which it is seen which reasons are right."""
    history: SomeDays = 35
    """How long `pulse web`, which keeps the history, may be away without a gap in it."""
    audit: SomeDays = 800
    """The audit log: two years, and a little more."""


class Kafka(Section):
    """The brokers and the topics."""

    brokers: Annotated[tuple[Broker, ...], Field(strict=False, min_length=1)] = ("localhost:9092",)
    """host:port of some of the brokers."""
    client_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "pulse"
    """What the brokers' logs call pulse."""
    group: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,200}$")] = "pulse"
    """Consumer group of the workers; the notifiers' is this with `-notifier`."""
    security: KafkaSecurity = KafkaSecurity()
    """TLS and passwords."""
    idempotence: bool = True
    """Producers that never write twice; false for brokers that do not know them."""
    partitions: Annotated[int, Field(ge=1, le=4096)] = 32
    """Of the topic of events, fixed when it is made: the most workers that can share the work."""
    replication: Annotated[int, Field(ge=1, le=32)] = 1
    """Copies of each partition, for topics pulse makes; 3 in production."""
    topics: Topics = Topics()
    """The names of the topics."""
    retention_days: Retention = Retention()
    """How long topics keep their records."""


# --- Redis ------------------------------------------------------------------


class Redis(Section):
    """The read model: what `pulse accounts` and the pages read. It can always be made again."""

    url: str = "redis://localhost:6379/0"
    """redis://, rediss:// (TLS) or unix://, without a password."""
    url_env: EnvName | None = None
    """The environment variable that has the address, where it has a password. Wins over `url`."""
    prefix: Annotated[str, StringConstraints(max_length=100)] = "pulse:"
    """What the names of pulse's keys begin with."""
    enabled: bool = True
    """false: no read model is written."""

    @field_validator("url")
    @classmethod
    def _url_can_be_used(cls, url: str) -> str:
        if mistake := url_mistake(url, ("redis", "rediss", "unix"), "url_env"):
            raise refuse(mistake)
        return url

    def address(self) -> Secret:
        """The address to connect to. Raises `SecretError` where `url_env` is not set."""
        found = find_secret(self.url_env, None, setting="redis.url")
        return found or Secret(self.url, origin="redis.url")


class History(Section):
    """Each account's days, which `pulse web` keeps in a file: the year behind an account."""

    enabled: bool = True
    """false: workers write no days, and nothing keeps any."""
    file: Text = "pulse-history.sqlite3"
    """The file, on a disk of the process's own; who runs several `pulse web` gives each one."""
    days: Annotated[int, Field(ge=35, le=3_660)] = 400
    """For how long they are kept."""


# --- processes --------------------------------------------------------------


class SourceGuard(Section):
    """What is done when no event comes any more from a source that always had some."""

    enabled: bool = True
    """false: a source has stopped only where `pulse source` says so."""
    after_ms: Duration = Field(default=1_800_000, alias="after", ge=300_000, le=86_400_000)
    """It has stopped when nothing came for so long; 5m to 1d."""
    regular_ms: Duration = Field(default=86_400_000, alias="regular", ge=1_800_000, le=86_400_000)
    """If there were events in each half-hour for so long before; 30m to 1d."""


class Worker(Section):
    """How `pulse work` runs."""

    flush_interval_s: Positive = 2.0
    """How often state is written, what is due of it, and the input committed."""
    reread_s: Annotated[float, Field(ge=0, le=600)] = 6.0
    """Work that a crash may make a worker do again, in seconds of its processor time. More means
    that less is written; 0 writes every change at every flush."""
    tick_interval_s: Positive = 1.0
    """How often every partition is told what time it is."""
    metrics_port: Port = 9464
    """Where Prometheus finds the worker's metrics."""
    metrics_host: Text = "127.0.0.1"
    """0.0.0.0 to be reached from other machines."""
    page_accounts: Annotated[int, Field(ge=1, le=4096)] = 64
    """Accounts in one page of state, at most."""
    page_bytes: Annotated[int, Field(ge=4096, le=900_000)] = 262_144
    """Bytes in one page of state, at most; below the brokers' limit for a record."""
    live_accounts: Annotated[int, Field(ge=1)] = 6_000
    """Accounts that a worker with all partitions keeps ready to be worked on, in equal parts for
    each. The others are kept packed, at a third of the memory, and cost some microseconds more
    when an event comes for one."""
    fetch_records: Annotated[int, Field(ge=1, le=1_000_000)] = 5_000
    """Records taken from one partition at once, at most."""
    session_timeout_s: Annotated[float, Field(ge=1, le=1800)] = 10.0
    """After this much silence the group gives a worker's partitions to the others."""
    instance_env: EnvName | None = None
    """The environment variable that has this worker's own name in the group. Started again under
    it within `session_timeout_s` it has its partitions back, and no other worker's move; those of
    one that ended wait for so long. No two workers may have the same."""
    stall_timeout_s: Annotated[float, Field(ge=10, le=86_400)] = 600.0
    """A worker that has input and gets nowhere for so long ends and says why."""
    own_core: bool = True
    """Keeps to one core of the processor, which no other worker of the machine has: a tenth to a
    quarter faster. Not in containers, and not on other systems than Linux."""
    huge_pages: bool = True
    """Moves the accounts into huge pages of memory: a tenth faster where there are a million. Needs
    Linux 6.1, and `transparent_hugepage/enabled` not to be `never`; else nothing changes."""
    source_guard: SourceGuard = SourceGuard()
    """Notices that a source of events has stopped."""

    def instance(self) -> str | None:
        """The worker's own name in the group; None where it has none.

        Raises `SecretError` where the variable is not set, `PulseError` where it has no such name.
        """
        found = find_secret(self.instance_env, None, setting="worker.instance")
        if found is None:
            return None
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", name := found.reveal()):
            raise PulseError(
                f'{found.origin} has "{name}", which is no name for a worker',
                hint="letters, digits, dots, hyphens and underscores, like pulse-worker-0",
            )
        return name


class FleetGuard(Section):
    """What is done when so many accounts fall at once that it is one thing, and not theirs."""

    enabled: bool = True
    """false: each account's alert is sent, however many there are."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.1
    """More than this share of the accounts in use must fall within `window`."""
    min_accounts: Annotated[int, Field(ge=2)] = 20
    """And more than so many."""
    window_ms: Duration = Field(default=3_600_000, alias="window", ge=60_000, le=86_400_000)
    """By the alerts' own time; 1m to 1d."""
    hold_ms: Duration = Field(default=3_600_000, alias="hold", ge=60_000, le=86_400_000)
    """For so long, at most, the accounts' own alerts are held; 1m to 1d."""


class Notifier(Section):
    """How `pulse notify` runs."""

    metrics_port: Port = 9465
    """Where Prometheus finds the notifier's metrics."""
    metrics_host: Text = "127.0.0.1"
    """0.0.0.0 to be reached from other machines."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 32
    """Requests under way at once, at most."""
    late_after_ms: Duration = Field(default=3_600_000, alias="late_after", ge=60_000)
    """What is told so long after it was due for the first time says that it is late."""
    fleet_guard: FleetGuard = FleetGuard()
    """One alert in place of hundreds, where the fleet falls together."""
