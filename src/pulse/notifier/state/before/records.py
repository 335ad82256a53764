"""The records of version 1 of the deliveries topic, to be read.

| key | value |
|---|---|
| a notification's id | a `Delivery`: state, attempts, next due; while undelivered, the alert |
| `position` | the offset of the alerts topic up to which everything was recorded here |
| `endpoint/<receiver>` | that it answered 410, and the hash of its URL; in every partition |
| `fleet` | the last time that the fleet fell together (`Episode`); in every partition |

Instants are RFC 3339 here, milliseconds UTC in the program.
"""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from pulse.alerting.everybody.fleet import Episode
from pulse.alerting.records.delivery import State
from pulse.model import Status, parse_ts

VERSION: Final = 1
POSITION_KEY: Final = "position"
ENDPOINT_PREFIX: Final = "endpoint/"
FLEET_KEY: Final = "fleet"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One notification's record.

    `at_ms`: when this state was reached. `created_ms`: when it was first recorded. `due_ms`: the
    instant its latency counts from. `next_ms`: when the next attempt is due, None where there is
    none. `step`: waits of the schedule used up. `reason`: why it is in this state, or why the last
    attempt failed. `origin`: `topic/partition/offset` of the alert. `alert`: its JSON. `epoch`: the
    partition's holder that wrote it, counted from 1.
    """

    id: str
    alert_id: str
    receiver: str
    status: Status
    state: State
    at_ms: int
    created_ms: int
    due_ms: int
    origin: str
    epoch: int
    attempts: int = 0
    step: int = 0
    first_attempt_ms: int | None = None
    next_ms: int | None = None
    reason: str = ""
    http_status: int | None = None
    alert: bytes | None = None
    ends: bool = True


class _Record(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A `Delivery` as JSON."""

    v: int
    id: str
    alert_id: str
    receiver: str
    status: Status
    state: State
    at: str
    created_at: str
    due_at: str
    origin: str
    epoch: int
    attempts: int = 0
    step: int = 0
    first_attempt_at: str | None = None
    next_at: str | None = None
    reason: str = ""
    http_status: int | None = None
    ends: bool = True
    alert: msgspec.Raw | UnsetType = UNSET


class Position(msgspec.Struct, kw_only=True):
    """The value of `position`: who holds the partition, and the next offset it has not recorded.

    `offset` is None where nothing was recorded yet. `at_once`: the most requests that the holder
    may have under way for one receiver.
    """

    v: int = VERSION
    epoch: int
    offset: int | None
    at_once: int


class Endpoint(msgspec.Struct, kw_only=True):
    """The value of `endpoint/<receiver>`: an endpoint that is disabled, and since when."""

    v: int = VERSION
    receiver: str
    url_sha256: str
    state: State = State.DISABLED
    at: str
    http_status: int | None = None


class _Fleet(msgspec.Struct, kw_only=True):
    v: int = VERSION
    epoch: int
    episode: Episode


_records: Final = msgspec.json.Decoder(_Record)
_positions: Final = msgspec.json.Decoder(Position)
_endpoints: Final = msgspec.json.Decoder(Endpoint)
_fleets: Final = msgspec.json.Decoder(_Fleet)


def decode(value: bytes) -> Delivery:
    """The delivery of a record's value. Raises `ValueError` where it is none, or of the future."""
    record = _records.decode(value)
    _check_version(record.v)
    return Delivery(
        id=record.id,
        alert_id=record.alert_id,
        receiver=record.receiver,
        status=record.status,
        state=record.state,
        at_ms=parse_ts(record.at),
        created_ms=parse_ts(record.created_at),
        due_ms=parse_ts(record.due_at),
        origin=record.origin,
        epoch=record.epoch,
        attempts=record.attempts,
        step=record.step,
        first_attempt_ms=_parse(record.first_attempt_at),
        next_ms=_parse(record.next_at),
        reason=record.reason,
        http_status=record.http_status,
        ends=record.ends,
        alert=bytes(record.alert) if isinstance(record.alert, msgspec.Raw) else None,
    )


def decode_position(value: bytes) -> Position:
    """The position of a record's value. Raises `ValueError`."""
    position = _positions.decode(value)
    _check_version(position.v)
    return position


def decode_endpoint(value: bytes) -> Endpoint:
    """The disabled endpoint of a record's value. Raises `ValueError`."""
    endpoint = _endpoints.decode(value)
    _check_version(endpoint.v)
    return endpoint


def decode_fleet(value: bytes) -> tuple[int, Episode]:
    """The epoch and the episode of a record's value. Raises `ValueError`."""
    found = _fleets.decode(value)
    _check_version(found.v)
    return found.epoch, found.episode


def _check_version(version: int) -> None:
    if version != VERSION:
        raise ValueError(f"a record of version {version}; this pulse reads version {VERSION}")


def _parse(text: str | None) -> int | None:
    return None if text is None else parse_ts(text)
