"""Where people talk: Slack, Microsoft Teams. Their addresses are secrets."""

from typing import ClassVar, Literal

from pulse.config.fields import Text
from pulse.config.receivers.common import AtUrl

_WHERE = (("where to post is missing", ("url_env", "url_file")),)


class SlackReceiver(AtUrl):
    """An incoming webhook of Slack's."""

    EXACTLY_ONE: ClassVar = _WHERE

    kind: Literal["slack"]
    """What stands at the other end."""
    template: Text | None = None
    """A file with other blocks for the message, relative to this one."""


class TeamsReceiver(AtUrl):
    """A workflow of Microsoft Teams that posts what comes to its address."""

    EXACTLY_ONE: ClassVar = _WHERE

    kind: Literal["teams"]
    """What stands at the other end."""
    template: Text | None = None
    """A file with other blocks for the message, relative to this one."""
