"""Logs of the processes: lines on stderr."""

import sys

import structlog


def to_stderr() -> None:
    """Write log lines to stderr.

    The traceback of a bug comes without the values of variables, which it otherwise has where
    `rich` is installed: one of them may be a secret.
    """
    plain = structlog.dev.plain_traceback
    renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    structlog.configure(
        processors=[*structlog.get_config()["processors"][:-1], renderer],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
