"""Control records: what pulse itself writes into the events topic, always into every partition."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from pulse.model.fields import MAX_TEXT
from pulse.model.wire import MAX_TS_MS

CONTROL_HEADER: Final = "pulse-control"
"""Header that marks a control record; its value is the kind: `tick`, `history`, `live`, `config`,
`source`, `forget`, `rename`, `arrival` (`pulse.engine.arrival`), `load`, `loaded`, and those of
`pulse.engine.fleet`."""


UNREADABLE: Final = (msgspec.DecodeError, ValueError, RecursionError)
"""What reading bytes that anybody wrote may raise."""

CONFIG: Final = b"config"
"""The kind of record that puts a configuration in force."""


class ControlRecord(NamedTuple):
    """The headers and the value of a control record; it has no key."""

    headers: tuple[tuple[str, bytes], ...]
    value: bytes


_RUNS: Final = b',"runs":true}'
"""How a tick of a clock that runs ends."""


def tick(at_ms: int, *, runs: bool = False) -> ControlRecord:
    """It is `at_ms` now. `runs`: by the wall clock, and not by that of a history that is played.

    >>> tick(1729798381000).value
    b'{"type":"tick","ts":1729798381000}'
    >>> tick(1729798381000, runs=True).value
    b'{"type":"tick","ts":1729798381000,"runs":true}'
    """
    value = b'{"type":"tick","ts":%d%b' % (at_ms, _RUNS if runs else b"}")
    return ControlRecord(((CONTROL_HEADER, b"tick"),), value)


def is_of_running_clock(value: bytes) -> bool:
    """Whether a tick is one of a clock that runs."""
    return value.endswith(_RUNS)


def boundary(kind: Literal["history", "live"]) -> ControlRecord:
    """From here on the past is played (`history`), or the present goes on (`live`).

    >>> boundary("live").value
    b'{"type":"live"}'
    """
    return ControlRecord(((CONTROL_HEADER, kind.encode()),), b'{"type":"%b"}' % kind.encode())


def config(version: str) -> ControlRecord:
    """From here on the configuration of this version is in force.

    >>> config("0a1b2c3d4e5f").value
    b'{"type":"config","version":"0a1b2c3d4e5f"}'
    """
    value = b'{"type":"config","version":"%b"}' % version.encode()
    return ControlRecord(((CONTROL_HEADER, CONFIG),), value)


def source(
    name: str, state: Literal["stopped", "running"], at_ms: int, *, watched: bool = False
) -> ControlRecord:
    """No event can come from a source since `at_ms`, or they come again.

    `watched`: nobody said it, it was noticed; so it ends when an event comes.

    >>> source("web", "stopped", 1729798381000).value
    b'{"type":"source","source":"web","state":"stopped","ts":1729798381000}'
    """
    return ControlRecord(
        ((CONTROL_HEADER, b"source"),), _encode(SourceState("source", name, state, at_ms, watched))
    )


class SourceState(msgspec.Struct, omit_defaults=True):
    """What a control record says of a source; `ts` in ms."""

    type: str
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
    state: Literal["stopped", "running"]
    ts: Annotated[int, msgspec.Meta(ge=0, le=MAX_TS_MS)]
    watched: bool = False


_encode = msgspec.json.Encoder().encode
_decode_source = msgspec.json.Decoder(SourceState).decode


def read_source(value: bytes) -> SourceState | None:
    """What a control record says of a source; None if it says nothing that can be read."""
    try:
        said = _decode_source(value)
    except UNREADABLE:
        return None
    return said if said.source.isprintable() else None


FORGET: Final = b"forget"
"""The kind of record that erases an account or a user."""


def forget(account: str | None, user: str | None, at_ms: int) -> ControlRecord:
    """An account is erased, or a user: of that account, of all where `account` is None.

    >>> forget("acme", "ada", 1729798381000).value
    b'{"type":"forget","ts":1729798381000,"account":"acme","user":"ada"}'
    """
    value = _encode(Forget("forget", at_ms, account, user))
    return ControlRecord(((CONTROL_HEADER, FORGET),), value)


_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]


class Forget(msgspec.Struct, omit_defaults=True):
    """What a control record says of what is to be forgotten; `ts` in ms."""

    type: str
    ts: Annotated[int, msgspec.Meta(ge=0, le=MAX_TS_MS)]
    account: _Name | None = None
    user: _Name | None = None


_decode_forget = msgspec.json.Decoder(Forget).decode


def read_forget(value: bytes) -> Forget | None:
    """What a control record says is to be forgotten; None if it says nothing that can be read."""
    try:
        said = _decode_forget(value)
    except UNREADABLE:
        return None
    names = [each for each in (said.account, said.user) if each is not None]
    return said if names and all(each.isprintable() for each in names) else None


LOAD: Final = b"load"
LOADED: Final = b"loaded"
"""Kinds of records: a load goes on, and it has ended."""


def load(name: str, lines: int) -> ControlRecord:
    """A load goes on, of which so many lines of its files stand before this in all partitions.

    >>> load("load-1", 20000).value
    b'{"type":"load","load":"load-1","lines":20000}'
    """
    return ControlRecord(((CONTROL_HEADER, LOAD),), _encode(Load("load", name, lines)))


def loaded(name: str, lines: int) -> ControlRecord:
    """A load has ended, of so many lines.

    >>> loaded("load-1", 20100).value
    b'{"type":"loaded","load":"load-1","lines":20100}'
    """
    return ControlRecord(((CONTROL_HEADER, LOADED),), _encode(Load("loaded", name, lines)))


class Load(msgspec.Struct):
    """What a control record says of a load."""

    type: str
    load: _Name
    lines: Annotated[int, msgspec.Meta(ge=0, le=MAX_TS_MS)] = 0


_decode_load = msgspec.json.Decoder(Load).decode


def read_load(value: bytes) -> Load | None:
    """What a control record says of a load; None if it says nothing that can be read."""
    try:
        said = _decode_load(value)
    except UNREADABLE:
        return None
    return said if said.load.isprintable() else None


RENAME: Final = b"rename"
"""The kind of record by which an account goes on under another id."""


def rename(account: str, to: str, at_ms: int) -> ControlRecord:
    """An account goes on as another one, which may be known already.

    >>> rename("acme-eu", "acme", 1729798381000).value
    b'{"type":"rename","ts":1729798381000,"account":"acme-eu","to":"acme"}'
    """
    return ControlRecord(((CONTROL_HEADER, RENAME),), _encode(Rename("rename", at_ms, account, to)))


class Rename(msgspec.Struct):
    """What a control record says of an account that is renamed; `ts` in ms."""

    type: str
    ts: Annotated[int, msgspec.Meta(ge=0, le=MAX_TS_MS)]
    account: _Name
    to: _Name


_decode_rename = msgspec.json.Decoder(Rename).decode


def read_rename(value: bytes) -> Rename | None:
    """What a control record says is renamed; None if it says nothing that can be read, or that an
    account is to be itself."""
    try:
        said = _decode_rename(value)
    except UNREADABLE:
        return None
    is_named = said.account.isprintable() and said.to.isprintable()
    return said if is_named and said.account != said.to else None


class _Tick(msgspec.Struct):
    ts: int | None = None


class _Config(msgspec.Struct):
    version: str


_decode_config = msgspec.json.Decoder(_Config).decode
_decode_tick = msgspec.json.Decoder(_Tick).decode


def tick_time(value: bytes) -> int | None:
    """What time a tick says it is, in ms; None if it says nothing that can be read."""
    try:
        return _decode_tick(value).ts
    except UNREADABLE:
        return None


def config_version(value: bytes) -> str | None:
    """Which configuration a record puts in force; None if it says nothing that can be read."""
    try:
        return _decode_config(value).version
    except UNREADABLE:
        return None
