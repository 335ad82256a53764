"""Mail."""

from collections.abc import Iterator
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import getaddresses
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from pulse.config.addresses import host_mistake
from pulse.config.fields import EnvName, Port, Text
from pulse.config.mistakes import refuse
from pulse.config.receivers.common import AnyReceiver, refused_at
from pulse.config.secret import Secret


def _mail_address(text: str) -> str:
    (name, bare), *others = getaddresses([text]) or [("", "")]
    try:
        address = Address(display_name=name, addr_spec=bare)
    except (HeaderParseError, ValueError, IndexError):
        address = Address()
    if not (address.username and address.domain and text.isprintable()) or others:
        raise refuse("must be an address like kim@example.com or Kim <kim@example.com>")
    return text


MailAddress = Annotated[Text, AfterValidator(_mail_address)]


class EmailReceiver(AnyReceiver):
    """People who read mail."""

    AT_MOST_ONE: ClassVar = (("password_env", "password_file"),)

    kind: Literal["email"]
    """What stands at the other end."""
    host: Text
    """The server that takes mail from pulse (SMTP)."""
    port: Port = 587
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """starttls: encrypted from the first command on, or nothing is sent; tls: from the first byte
    (port 465); none: in clear."""
    username: Text | None = None
    """Whom pulse logs in as, if it has to."""
    password_env: EnvName | None = None
    """The environment variable that has the password."""
    password_file: Text | None = None
    """Or the file that has it."""
    sender: MailAddress = Field(alias="from")
    """Who the mail is from."""
    recipients: Annotated[tuple[MailAddress, ...], Field(strict=False, min_length=1)] = Field(
        alias="to"
    )
    """Who gets it."""
    allow_private: bool = False
    """Permit the server to stand at a private address."""
    template: Text | None = None
    """A file with other blocks for the HTML part, relative to this one."""
    text_template: Text | None = None
    """A file with other blocks for the subject and the plain part."""

    @classmethod
    def mistakes_in(cls, said: dict[str, Any]) -> Iterator[PydanticCustomError]:
        yield from super().mistakes_in(said)
        host, allowed = said.get("host"), said.get("allow_private") is True
        if isinstance(host, str):
            yield from refused_at("host", host_mistake(host, allow_private=allowed))
        has_password = "password_env" in said or "password_file" in said
        if "username" in said and not has_password:
            hint = "set password_env or password_file"
            yield refuse("a username without a password", suggestion=hint, at=("username",))
        if has_password and "username" not in said:
            yield refuse("a password without a username", suggestion="set username", at=())
        if has_password and said.get("security") == "none":
            hint = "starttls or tls"
            yield refuse("the password would go in clear", suggestion=hint, at=("security",))

    def password(self) -> Secret | None:
        """The password, where there is one. Raises `SecretError` where it is missing."""
        found = self._find("password")
        return found[0] if found else None
