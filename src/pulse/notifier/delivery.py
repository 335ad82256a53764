"""The records of the deliveries topic: what is known of every notification.

The topic is compacted. Partition i belongs to whoever holds partition i of the alerts topic. Keys:

| key | value |
|---|---|
| a notification's id | a `Delivery`: state, attempts, next due; while undelivered, the alert |
| `position` | the offset of the alerts topic up to which everything is recorded here |
| `endpoint/<receiver>` | that it answered 410, and the hash of its URL; in every partition |
| `fleet` | the last time that the fleet fell together (`Episode`); in every partition |

A tombstone forgets. Every holder of a partition counts its epoch one up and writes it into its
records: what is written late, by a holder that was thought dead, carries an older epoch than the
records before it and is not believed. Instants are RFC 3339 here, milliseconds UTC in the program.
"""

import hashlib
from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from pulse.alerting.fleet import Episode
from pulse.model import Status, format_ms, parse_ts

VERSION: Final = 1
POSITION_KEY: Final = "position"
ENDPOINT_PREFIX: Final = "endpoint/"
FLEET_KEY: Final = "fleet"


class State(StrEnum):
    """What has become of a notification."""

    PENDING = "pending"
    """Recorded, not attempted yet."""
    RETRYING = "retrying"
    """Attempted without success; the next attempt has a time."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    """The schedule is used up. The alert is kept in the record."""
    SUPERSEDED = "superseded"
    """A newer state of the alert came before this one was delivered."""
    SKIPPED = "skipped"
    """Never to be sent; the reason says why."""
    DISABLED = "disabled"
    """The endpoint wants no more (410). The alert is kept in the record."""


OPEN: Final = frozenset({State.PENDING, State.RETRYING})
"""The states of what is still to be sent."""

UNDELIVERED: Final = OPEN | {State.FAILED, State.DISABLED}
"""The states in which the record carries the alert."""


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
    """Whether its alert has an end that may still come."""

    @property
    def is_open(self) -> bool:
        """Whether it is still to be sent."""
        return self.state in OPEN

    def becomes(self, state: State, at_ms: int, **changes: Any) -> "Delivery":
        """This delivery in another state; what was delivered or is pointless lets its alert go."""
        kept = self.alert if state in UNDELIVERED else None
        following = {"next_ms": None, "alert": kept, **changes}
        return msgspec.structs.replace(self, state=state, at_ms=at_ms, **following)


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
_encoder: Final = msgspec.json.Encoder()


def encode(delivery: Delivery) -> tuple[str, bytes]:
    """Key and value of a delivery's record."""
    record = _Record(
        v=VERSION,
        id=delivery.id,
        alert_id=delivery.alert_id,
        receiver=delivery.receiver,
        status=delivery.status,
        state=delivery.state,
        at=format_ms(delivery.at_ms),
        created_at=format_ms(delivery.created_ms),
        due_at=format_ms(delivery.due_ms),
        origin=delivery.origin,
        epoch=delivery.epoch,
        attempts=delivery.attempts,
        step=delivery.step,
        first_attempt_at=_format(delivery.first_attempt_ms),
        next_at=_format(delivery.next_ms),
        reason=delivery.reason,
        http_status=delivery.http_status,
        ends=delivery.ends,
        alert=UNSET if delivery.alert is None else msgspec.Raw(delivery.alert),
    )
    return delivery.id, _encoder.encode(record)


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


def encode_position(epoch: int, offset: int | None, at_once: int) -> tuple[str, bytes]:
    """Key and value of the record that says how far the alerts are recorded."""
    return POSITION_KEY, _encoder.encode(Position(epoch=epoch, offset=offset, at_once=at_once))


def decode_position(value: bytes) -> Position:
    """The position of a record's value. Raises `ValueError`."""
    position = _positions.decode(value)
    _check_version(position.v)
    return position


def encode_endpoint(receiver: str, url: str, at_ms: int, status: int | None) -> tuple[str, bytes]:
    """Key and value of the record that an endpoint is disabled."""
    endpoint = Endpoint(
        receiver=receiver, url_sha256=url_hash(url), at=format_ms(at_ms), http_status=status
    )
    return endpoint_key(receiver), _encoder.encode(endpoint)


def decode_endpoint(value: bytes) -> Endpoint:
    """The disabled endpoint of a record's value. Raises `ValueError`."""
    endpoint = _endpoints.decode(value)
    _check_version(endpoint.v)
    return endpoint


def encode_fleet(epoch: int, episode: Episode) -> tuple[str, bytes]:
    """Key and value of the record of how the fleet falls together."""
    return FLEET_KEY, _encoder.encode(_Fleet(epoch=epoch, episode=episode))


def decode_fleet(value: bytes) -> tuple[int, Episode]:
    """The epoch and the episode of a record's value. Raises `ValueError`."""
    found = _fleets.decode(value)
    _check_version(found.v)
    return found.epoch, found.episode


def endpoint_key(receiver: str) -> str:
    """The key of a receiver's endpoint record."""
    return ENDPOINT_PREFIX + receiver


def url_hash(url: str) -> str:
    """What stands for a URL in the topic: the URL itself may be a secret.

    An endpoint is disabled for as long as its URL stays the same.
    """
    return hashlib.sha256(url.encode()).hexdigest()[:16]


def _check_version(version: int) -> None:
    if version != VERSION:
        raise ValueError(f"a record of version {version}; this pulse reads version {VERSION}")


def _format(ms: int | None) -> str | None:
    return None if ms is None else format_ms(ms)


def _parse(text: str | None) -> int | None:
    return None if text is None else parse_ts(text)
