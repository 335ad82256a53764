"""Logs of the processes: lines on stderr."""

import logging
import os
import sys
from typing import Final

import structlog

LEVEL_ENV: Final = "PULSE_LOG"
"""The environment variable that has the level: debug, info, warning, error."""


def to_stderr() -> None:
    """Write log lines to stderr, from the level that `PULSE_LOG` names on; `info` if unsaid.

    The traceback of a bug comes without the values of variables, which it otherwise has where
    `rich` is installed: one of them may be a secret.
    """
    level = logging.getLevelNamesMapping().get(os.environ.get(LEVEL_ENV, "").upper(), logging.INFO)
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    structlog.configure(
        processors=[*structlog.get_config()["processors"][:-1], renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
