"""The kinds of receivers there are: from the configuration to what can be sent to.

A new kind is a section in `pulse.config.receivers`, a module in `pulse.notifier.receivers` and a
case in each of the two functions here.
"""

from functools import partial
from pathlib import Path
from typing import Any

from pulse.config.addresses import address_mistake
from pulse.config.receivers import (
    AlertmanagerReceiver,
    AppriseReceiver,
    EmailReceiver,
    PagerDutyReceiver,
    SlackReceiver,
    TeamsReceiver,
    WebhookReceiver,
)
from pulse.config.receivers import Receiver as Configured
from pulse.config.receivers.common import AtUrl
from pulse.config.root import Config
from pulse.errors import PulseError
from pulse.notifier.messages.templates import MAX_FILE_BYTES, Style, TemplateMistake, Templates
from pulse.notifier.receiver import Receiver, ReceiverSettings
from pulse.notifier.receivers.alertmanager import Alertmanager, AlertmanagerOptions
from pulse.notifier.receivers.alertmanager_body import alertmanager_body
from pulse.notifier.receivers.apprise import Apprise, AppriseOptions
from pulse.notifier.receivers.email import Email, EmailOptions
from pulse.notifier.receivers.pagerduty import PagerDuty, PagerDutyOptions
from pulse.notifier.receivers.signature import decode_secret
from pulse.notifier.receivers.slack import Slack
from pulse.notifier.receivers.teams import Teams
from pulse.notifier.receivers.webhook import Webhook


def receiver_settings(config: Config) -> dict[str, ReceiverSettings]:
    """The receivers of a configuration by name, their secrets read and their addresses checked.

    The requests under way at once are shared out evenly, so that no receiver can take another's.
    Raises `PulseError` (`SecretError` is one).
    """
    share = max(1, config.notifier.concurrency // max(1, len(config.receivers)))
    return {each.name: settings_of(each, config.timezone, share) for each in config.receivers}


def settings_of(said: Configured, timezone: str, concurrency: int = 1) -> ReceiverSettings:
    """One receiver; `timezone` holds where it says none of its own. Raises `PulseError`."""
    mine: dict[str, Any] = {}
    rate: float | None = None
    match said:
        case WebhookReceiver():
            mine["keys"] = tuple(_key(said.name, each.reveal()) for each in said.secrets())
            mine["options"] = None if said.format == "standard" else said.format
        case AlertmanagerReceiver():
            token = said.token()
            mine["options"] = AlertmanagerOptions(
                ends_after_ms=said.ends_after_ms,
                labels=said.labels,
                token="" if token is None else token.reveal(),
            )
        case PagerDutyReceiver():
            key = mine["identity"] = said.routing_key().reveal()
            mine["options"] = PagerDutyOptions(routing_key=key)
            mine["per_alert"] = True
        case SlackReceiver():
            # Slack takes about one message a second.
            concurrency, rate = 1, 1.0
            mine["options"] = _templates(said, "template")
        case TeamsReceiver():
            mine["options"] = _templates(said, "template")
        case EmailReceiver():
            mine["options"] = _email(said)
            # Not the password: a hash of this stands in a topic, and a password may be guessed.
            login = (said.host, said.port, said.security, said.username)
            mine["identity"] = repr((*login, said.sender, said.recipients))
        case AppriseReceiver():
            templates = _templates(said, "template")
            address = mine["identity"] = said.address().reveal()
            mine["options"] = AppriseOptions(url=address, templates=templates)
    if isinstance(said, AtUrl):
        mine["url"], mine["allow_private"] = _url(said), said.allow_private
    return ReceiverSettings(
        name=said.name,
        kind=said.kind,
        reasons=tuple(said.reasons),
        send_resolved=said.send_resolved,
        timezone=said.timezone or timezone,
        timeout_s=said.timeout_s,
        schedule_s=tuple(said.retry.schedule_s),
        jitter=said.retry.jitter,
        concurrency=said.concurrency or concurrency,
        rate=said.rate or rate,
        **mine,
    )


def make_receiver(settings: ReceiverSettings) -> Receiver:
    """The receiver of its kind. Raises `PulseError` where it needs what is not installed."""
    match settings.kind, settings.options:
        case "webhook", None:
            return Webhook(settings)
        case "webhook", "alertmanager":
            return Webhook(settings, partial(alertmanager_body, receiver=settings.name))
        case "alertmanager", AlertmanagerOptions() as options:
            return Alertmanager(settings, options)
        case "pagerduty", PagerDutyOptions() as options:
            return PagerDuty(settings, options)
        case "slack", Templates() as templates:
            return Slack(settings, templates)
        case "teams", Templates() as templates:
            return Teams(settings, templates)
        case "email", EmailOptions() as options:
            return Email(settings, options)
        case "apprise", AppriseOptions() as options:
            return Apprise(settings, options)
    raise KeyError(settings.kind)


def style_of(kind: str, setting: str) -> Style:
    """The style that a template of a kind is in; `setting` is where it is named."""
    if kind == "email":
        return Style.HTML if setting == "template" else Style.TEXT
    return Style.SLACK if kind == "slack" else Style.TEXT


def _key(name: str, secret: str) -> bytes:
    try:
        return decode_secret(secret)
    except ValueError as error:
        raise PulseError(f'receiver "{name}": {error}') from None


def _url(said: AtUrl) -> str:
    url = said.address().reveal()
    if mistake := address_mistake(url, allow_private=said.allow_private):
        message, hint = mistake
        raise PulseError(f'receiver "{said.name}": {message}', hint=hint)
    return url


def _email(said: EmailReceiver) -> EmailOptions:
    password = said.password()
    return EmailOptions(
        host=said.host,
        port=said.port,
        security=said.security,
        sender=said.sender,
        recipients=said.recipients,
        username=said.username,
        password="" if password is None else password.reveal(),
        allow_private=said.allow_private,
        text=_templates(said, "text_template"),
        html=_templates(said, "template"),
    )


def _templates(said: Configured, setting: str) -> Templates:
    style, file = style_of(said.kind, setting), getattr(said, setting)
    if file is None:
        return Templates(style)
    try:
        return Templates(style, template_text(file))
    except TemplateMistake as mistake:
        at = f"{file}:{mistake.line}" if mistake.line else file
        raise PulseError(f'receiver "{said.name}": {at}: {mistake}') from None


def template_text(file: str) -> str:
    """What is in the file of a template. Raises `TemplateMistake` where it cannot be read."""
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise TemplateMistake((error.strerror or "cannot be read").lower()) from None
    if len(content) > MAX_FILE_BYTES:
        raise TemplateMistake("larger than 64 KB: no template is")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise TemplateMistake("not UTF-8") from None
    if not text.strip():
        raise TemplateMistake("empty")
    return text
