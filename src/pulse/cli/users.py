"""`pulse users`: people who sign in with a name and a password."""

import getpass
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulse.cli.auditing import Author, audited, by_command
from pulse.cli.tokens import ROLES, role_called
from pulse.cli.writing import CONNECT_S, done, write
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.desk.audit import By
from pulse.errors import PulseError
from pulse.model.audit import Change
from pulse.topics.broker import Brokers
from pulse.web.people import passwords, users
from pulse.web.people.users import User
from pulse.web.tokens import Role


class Action(StrEnum):
    """What to do."""

    add = "add"
    list = "list"
    password = "password"
    role = "role"
    remove = "remove"


def command(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="What they sign in with; the author of what they say."),
    ] = None,
    new_role: Annotated[
        Role | None,
        typer.Argument(metavar="ROLE", parser=role_called, help="For role: which one from now on."),
    ] = None,
    role: Annotated[
        Role, typer.Option(metavar="ROLE", parser=role_called, help=f"For add: {ROLES}")
    ] = Role.viewer,
    full_name: Annotated[
        str, typer.Option("--name", metavar="TEXT", help="For add: what they are called in full.")
    ] = "",
    author: Author = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The configuration, like pulse.yaml.")
    ] = None,
) -> None:
    """Add, list, change or remove the people who sign in with a password.

    For add and password the password is asked for twice, or read from standard input where that is
    no terminal. Kept is what argon2 makes of it, in Kafka. What runs knows of a change within a
    second: who is removed, or has another password, is signed out; another role holds at once.

    Example: pulse users add kim --role member --name "Kim Larsen"
    """
    loaded = Config.load(config)
    topic = loaded.kafka.topics.users
    with Brokers(loaded.kafka, timeout_s=CONNECT_S) as brokers:
        brokers.need(topic)
    ring = done(users.read(for_aiokafka(loaded.kafka), topic))
    if action is Action.list:
        for each in ring:
            print(f"{each.name}  {each.made_at}  {each.role:<6}  {each.full_name}".rstrip())
        return
    by = by_command(author)
    if name is None or not users.is_name(name):
        raise PulseError(
            f"a name has 1 to {users.LONGEST_NAME} characters, and no space around it",
            hint=f"name somebody: `pulse users {action} kim`",
        )
    if action is Action.add:
        if ring.get(name) is not None:
            raise PulseError(
                f"there is a user {name} already",
                hint=f"`pulse users password {name}`, `pulse users role {name} ROLE`",
            )
        if full_name and not full_name.isprintable():
            raise PulseError("a full name has no control characters")
        made = users.new_user(name, role, full_name.strip(), _password())
        audited(loaded, by, Change.user_added, subject=name, role=role)
        done(write(loaded.kafka, [users.kept(topic, made)]))
        print(f"added: {name}, {role}")
        return
    known = ring.get(name)
    if known is None:
        raise PulseError(f"there is no user {name}", hint="`pulse users list` names them")
    if action is Action.password:
        changed = users.with_password(known, _password())
        audited(loaded, by, Change.user_password_set, subject=name)
        done(write(loaded.kafka, [users.kept(topic, changed)]))
        print(f"{name} has another password, and is signed out everywhere")
    elif action is Action.role:
        if new_role is None:
            raise PulseError("which role?", hint=f"`pulse users role {name} member`")
        _set_role(loaded, by, known, new_role)
    else:
        audited(loaded, by, Change.user_removed, subject=name)
        done(write(loaded.kafka, users.removed(topic, name)))
        print(f"removed: {name}")


def _set_role(config: Config, by: By, known: User, role: Role) -> None:
    audited(config, by, Change.user_role_set, subject=known.name, role=role, before=known.role)
    done(write(config.kafka, [users.role_of(config.kafka.topics.users, known, role)]))
    print(f"{known.name} is {role}, and was {known.role}")


def _password() -> str:
    """What is kept of a password that is asked for. Raises `PulseError`."""
    if sys.stdin.isatty():
        said = getpass.getpass(f"Password, at least {passwords.LEAST} characters: ")
        if said == "" or getpass.getpass("The same again: ") != said:
            raise PulseError("that was not twice the same", hint="say it again")
    else:
        said = sys.stdin.readline().rstrip("\r\n")
    if mistake := passwords.mistake_in(said):
        raise PulseError(mistake)
    return passwords.hashed(said)
