"""What commands share that change something: the audit log has it before it is done."""

import getpass
import os
import time

from pulse.cli.writing import CONNECT_S, done, write
from pulse.config import Config
from pulse.desk.audit import By, entry, record_of
from pulse.model.audit import Change, Way
from pulse.topics.broker import Brokers


def whoami() -> str:
    """The user of this machine; a number, where they have no name, as in some containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def by_command(author: str | None = None) -> By:
    """Who types a command."""
    return By(author or whoami(), Way.command_line)


def audited(
    config: Config,
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
    said = entry(by_command(), change, now_ms, account_id=account_id, subject=subject, **details)
    done(write(config.kafka, [record_of(said, config.kafka.topics.audit)]))
