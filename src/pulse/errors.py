"""The errors that a person meets: one sentence of what is wrong, one of what to do.

    PulseError
    ├── config.ConfigError         the configuration file has mistakes
    ├── config.SecretError         a secret is not where the configuration says
    ├── processes.ServerError      a server did not start, or ended by itself
    └── readmodel.ReadModelError   the accounts cannot be read from Redis

`pulse.cli.main` prints these without a traceback. Anything else that escapes is a bug.
"""


class PulseError(Exception):
    """Something a person can mend. `exit_code` is what the command line ends with.

    >>> print(PulseError("no broker at localhost:9092", hint="start one, or set kafka.brokers"))
    no broker at localhost:9092: start one, or set kafka.brokers
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}: {self.hint}" if self.hint else self.message

    def for_terminal(self) -> str:
        """What the command line prints on stderr."""
        return f"pulse: {self}"
