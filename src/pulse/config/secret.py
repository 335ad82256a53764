"""Secrets: named in the configuration, kept in environment variables or files."""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pulse.errors import PulseError


class SecretError(PulseError):
    """A secret is not where the configuration says it is."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret and where it came from. It shows itself only to `reveal()`.

    >>> Secret("hunter2", origin="environment variable PULSE_PASSWORD")
    Secret(environment variable PULSE_PASSWORD)
    """

    _value: str = field(repr=False)
    origin: str

    def reveal(self) -> str:
        """The secret itself, to be handed to what needs it and to nothing that prints."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.origin})"

    __str__ = __repr__


def secret_from_env(
    variable: str, *, setting: str, environ: Mapping[str, str] | None = None
) -> Secret:
    """The secret in an environment variable. `setting` is the place in the configuration.

    Raises `SecretError` where the variable is not set or empty.
    """
    value = (os.environ if environ is None else environ).get(variable, "").strip()
    if not value:
        raise SecretError(
            f"the environment variable {variable} is not set ({setting} names it)",
            hint=f"export {variable}=… before starting pulse",
        )
    return Secret(value, origin=f"environment variable {variable}")


def secret_from_file(path: str, *, setting: str) -> Secret:
    """The secret in a file, without white space around it.

    Raises `SecretError` where the file is missing, empty, unreadable, not text or not a file.
    """
    file = Path(path).expanduser()
    try:
        # Not is_file(): secrets are also handed over in named pipes.
        if stat.S_ISDIR(file.stat().st_mode):
            raise SecretError(f"{path} is a directory ({setting} names it)", hint="name a file")
        value = file.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise SecretError(f"{path} is not a text file ({setting} names it)") from None
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise SecretError(
            f"cannot read {path}: {reason} ({setting} names it)",
            hint="put the secret there, readable by the user pulse runs as",
        ) from None
    if not value:
        raise SecretError(f"{path} is empty ({setting} names it)", hint="put the secret there")
    return Secret(value, origin=f"file {path}")


def find_secret(
    env: str | None,
    file: str | None,
    *,
    setting: str,
    of: str = "",
) -> Secret | None:
    """The secret that `<setting>_env` or `<setting>_file` names; None where neither is set.

    `of` says whose setting it is, where its name alone does not.
    """
    whose = f" of {of}" if of else ""
    if env is not None:
        return secret_from_env(env, setting=f"{setting}_env{whose}")
    if file is not None:
        return secret_from_file(file, setting=f"{setting}_file{whose}")
    return None
