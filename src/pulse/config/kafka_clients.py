"""What Kafka's clients are given: addresses, name, TLS, passwords; how one starts and is closed.

The dicts are keyword arguments for every client class of a library (producer, consumer, admin).
They may hold a password: they are handed on, never printed or logged.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import structlog
from aiokafka.errors import KafkaError

from pulse.config.connections import Kafka, KafkaSecurity
from pulse.errors import PulseError

log = structlog.get_logger("pulse.kafka")

T = TypeVar("T")

CLOSE_WITHIN_S: Final = 5.0
HAND_OVER_WITHIN_S: Final = 60.0
"""Longer than a producer may wait for room (`request_timeout_ms`)."""

_closing: Final[set[asyncio.Future[None]]] = set()
_starting: Final[WeakKeyDictionary[Any, asyncio.Future[None]]] = WeakKeyDictionary()


def for_aiokafka(kafka: Kafka) -> dict[str, Any]:
    """Keyword arguments for the clients of aiokafka.

    Raises `SecretError` where a password is missing, `PulseError` where a certificate or its key
    cannot be read.

    >>> for_aiokafka(Kafka())["bootstrap_servers"]
    ['localhost:9092']
    """
    return {
        "bootstrap_servers": list(kafka.brokers),
        "client_id": kafka.client_id,
        **_security(kafka.security),
    }


def for_kafka_python(kafka: Kafka) -> dict[str, Any]:
    """Keyword arguments for the clients of kafka-python; raises what `for_aiokafka` does."""
    return for_aiokafka(kafka)  # both libraries call their settings the same


def _security(security: KafkaSecurity) -> dict[str, Any]:
    arguments: dict[str, Any] = {"security_protocol": security.protocol}
    if security.protocol.startswith("SASL"):
        password = security.password()
        arguments |= {
            "sasl_mechanism": security.mechanism,
            "sasl_plain_username": security.username,
            "sasl_plain_password": password.reveal() if password else None,
        }
    if security.protocol.endswith("SSL"):
        arguments["ssl_context"] = _tls(security)
    return arguments


def _tls(security: KafkaSecurity) -> ssl.SSLContext:
    key_password = security.key_password()
    ca, cert, key = (
        _readable(path, f"kafka.security.{name}")
        for name, path in (
            ("ca_file", security.ca_file),
            ("cert_file", security.cert_file),
            ("key_file", security.key_file),
        )
    )
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise PulseError(
            f"{ca} has no certificate in it (kafka.security.ca_file names it)",
            hint="it must be PEM: -----BEGIN CERTIFICATE-----",
        ) from None
    if cert is not None:
        try:
            # Without a password OpenSSL would ask the terminal for one.
            context.load_cert_chain(cert, key, key_password.reveal() if key_password else "")
        except ssl.SSLError:
            raise PulseError(
                f"{cert} and {key} are no certificate with its key",
                hint="both must be PEM, the key must be the certificate's, and one with a "
                "password needs kafka.security.key_password_env",
            ) from None
    return context


def _readable(path: str | None, setting: str) -> Path | None:
    """The file, if it can be read: OpenSSL does not say which of its files cannot."""
    if path is None:
        return None
    file = Path(path).expanduser()
    try:
        file.read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise PulseError(
            f"cannot read {path}: {reason} ({setting} names it)",
            hint="put the file there, readable by the user pulse runs as",
        ) from None
    return file


async def start(client: Any) -> None:
    """Start a client of aiokafka; raises what its `start` does. `close` it in any case.

    `start` runs in a task of its own, which nobody cancels: one that is given up while it asks the
    first broker leaves that connection open. Where the caller is cancelled, `close` waits for it.
    """
    task = asyncio.ensure_future(client.start())
    _starting[client] = task
    task.add_done_callback(_started)
    await asyncio.shield(task)


async def close(client: Any, within_s: float = CLOSE_WITHIN_S) -> None:
    """Stop a client of aiokafka. What takes longer than `within_s` goes on meanwhile: a producer
    first sends what it holds. While Kafka is away it gives that up when its time is over, but where
    it is idempotent, when Kafka is back and has taken it.

    `stop` runs in a task of its own, which nobody cancels. Halfway out, a consumer would go on to
    tell its group that it lives, and a producer to send for ever. And a fetch that is given up
    between two attempts has `stop` raise `CancelledError`, where nobody meant to cancel the caller.
    """
    task = asyncio.ensure_future(_stop(client))
    _closing.add(task)
    task.add_done_callback(_closed)
    await asyncio.wait({task}, timeout=within_s)


async def abandon(producer: Any) -> None:
    """Stop a producer of aiokafka with all that it holds: nothing of it is sent any more.

    An idempotent one would send it for as long as it takes, whoever has given it up. What stands in
    its sockets is thrown away too: a network that comes back would deliver it minutes later. What
    the broker's machine has received can be called back by nobody; whoever reads from that broker
    afterwards reads it.
    """
    # All of this is private to aiokafka, whose versions are bounded for it.
    producer._message_accumulator.fail_all(KafkaError("the producer was given up"))
    # The second asks for metadata, over a new connection where the old one is broken.
    for task in (producer._sender.sender_task, producer.client._sync_task):
        if task is not None:
            task.cancel()
    for connection in tuple(producer.client._conns.values()):
        if (writer := connection._writer) is not None:
            # A reset in place of an orderly end, which first sends what is left.
            if (sock := writer.get_extra_info("socket")) is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        connection.close()
    await close(producer)


async def hand_over(send: Awaitable[T]) -> T:
    """Await `send` or `send_batch` of a producer: until it has room and knows where to send.

    A producer that is closed meanwhile never does, and would be waited for without end. Raises
    `TimeoutError`.
    """
    async with asyncio.timeout(HAND_OVER_WITHIN_S):
        return await send


async def _stop(client: Any) -> None:
    starting = _starting.pop(client, None)
    if starting is not None and not starting.done():
        await asyncio.wait({starting})
    await client.stop()


def _started(task: asyncio.Future[None]) -> None:
    # Who started it may be gone; an error that nobody asks for would be reported as forgotten.
    if not task.cancelled():
        task.exception()


def _closed(task: asyncio.Future[None]) -> None:
    _closing.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.debug("a client closed with an error", error=repr(error))
