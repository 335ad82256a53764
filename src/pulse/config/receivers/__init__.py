"""Where alerts are sent: one section a kind of receiver, told apart by `kind`."""

from typing import Annotated

from pydantic import Field

from pulse.config.receivers.apprise import AppriseReceiver
from pulse.config.receivers.chat import SlackReceiver, TeamsReceiver
from pulse.config.receivers.common import AnyReceiver, Retry
from pulse.config.receivers.email import EmailReceiver
from pulse.config.receivers.operations import AlertmanagerReceiver, PagerDutyReceiver
from pulse.config.receivers.webhook import WebhookReceiver

Receiver = Annotated[
    WebhookReceiver
    | AlertmanagerReceiver
    | SlackReceiver
    | TeamsReceiver
    | PagerDutyReceiver
    | EmailReceiver
    | AppriseReceiver,
    Field(discriminator="kind"),
]

__all__ = [
    "AlertmanagerReceiver",
    "AnyReceiver",
    "AppriseReceiver",
    "EmailReceiver",
    "PagerDutyReceiver",
    "Receiver",
    "Retry",
    "SlackReceiver",
    "TeamsReceiver",
    "WebhookReceiver",
]
