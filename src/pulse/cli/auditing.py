"""What commands share that change something: the audit log has it before it is done."""

import getpass
import time
from typing import Annotated

import typer

from pulse.cli.writing import CONNECT_S, done, write
from pulse.config import Config
from pulse.desk.audit import By, entry, record_of
from pulse.errors import PulseError
from pulse.model.audit import Change, Way
from pulse.model.fields import is_plain_text
from pulse.topics.broker import Brokers

Author = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who says it; your user's name if unsaid.")
]


def author_of(said: str | None) -> str:
    """Who says it. Raises `PulseError`."""
    try:
        name = said if said is not None else getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        name = ""
    if not is_plain_text(name):
        raise PulseError("somebody must say it", hint="name them: --author NAME")
    return name


def by_command(author: str | None) -> By:
    """Who types a command. Raises `PulseError`."""
    return By(author_of(author), Way.command_line)


def audited(
    config: Config,
    by: By,
    change: Change,
    *,
    account_id: str | None = None,
    subject: str | None = None,
    **details: str,
) -> None:
    """Say in the audit log what is about to be done; Kafka has it when this returns.

    Raises `PulseError`, and then it must not be done.
    """
    with Brokers(config.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(config.kafka.topics.audit)
    now_ms = time.time_ns() // 1_000_000
    said = entry(by, change, now_ms, account_id=account_id, subject=subject, **details)
    done(write(config.kafka, [record_of(said, config.kafka.topics.audit)]))
