"""The services that the library apprise knows."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic_core import PydanticCustomError

from pulse.config.fields import EnvName, Text
from pulse.config.mistakes import refuse
from pulse.config.receivers.common import AnyReceiver
from pulse.config.secret import Secret


class AppriseReceiver(AnyReceiver):
    """One of the services that the library apprise knows."""

    EXACTLY_ONE: ClassVar = (("the service's address is missing", ("url_env", "url_file")),)

    kind: Literal["apprise"]
    """What stands at the other end."""
    url_env: EnvName | None = None
    """The environment variable that has the service's address, as apprise writes it."""
    url_file: Text | None = None
    """Or the file that has it."""
    allow_unchecked: bool = False
    """Has to be true: apprise connects by itself, and pulse cannot check where to."""
    template: Text | None = None
    """A file with other blocks for the message, relative to this one."""

    @classmethod
    def mistakes_in(cls, said: dict[str, Any]) -> Iterator[PydanticCustomError]:
        yield from super().mistakes_in(said)
        if said.get("allow_unchecked") is not True:
            yield refuse(
                "apprise connects by itself, and pulse cannot check where to",
                suggestion="allow_unchecked: true says that its address is trusted",
                at=("allow_unchecked",),
                or_at=("kind",),
            )

    def address(self) -> Secret:
        """The service's address. Raises `SecretError` where it is missing."""
        return self._find("url")[0]
