"""Every endpoint of the collector and of `pulse web`, from their descriptions (OpenAPI)."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final, cast

from pulse.collector import app as collector
from pulse.collector.keys import KeyRing
from pulse.collector.links import Links
from pulse.collector.metrics import CollectorMetrics
from pulse.collector.service import Service
from pulse.collector.sink import Sink
from pulse.config import Config
from pulse.config.kafka_clients import for_aiokafka
from pulse.producer import Producer
from pulse.web import app as web

from .markdown import code, page, table
from .shapes import Schema, default_of, in_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pulse.web.metrics import WebMetrics
    from pulse.web.service import Service as WebService

_ABOUT: Final = (
    "Two processes answer over HTTP, besides `/metrics`, `/healthz` and `/readyz` on the port of "
    "their metrics: the collector takes events, `pulse web` says what is known and takes what "
    "people say. Both describe themselves: the collector at `/openapi.json` and `/docs`, `pulse "
    "web` at `/api/v1/openapi.json`. The answer to a request that is refused is "
    '`{"error": {"reason": …, "detail": …}}`. '
    "How they are meant to be used is in [collector](../collector.md) and [web](../web.md)."
)

_REFUSED: Final = 400
"""The least status of a refusal."""
_EVERYWHERE: Final = ("Refused", "Error")
"""The shapes that are said for both services at once."""


def api() -> str:
    """The page of both services: what each refuses, then each endpoint, then the shapes."""
    config = Config()
    at = ((config.collector.port, _collector(config)), (config.web.port, _web()))
    named = (("The collector", ""), ("The API of `pulse web`", " of pulse web"))
    parts: list[str] = []
    taken: set[str] = set()
    for (title, suffix), (port, said) in zip(named, at, strict=True):
        parts += [f"## {title}, port {port}", said["info"]["description"]]
        parts += _Endpoints(said, suffix, taken).parts()
        taken.update(said["components"]["schemas"])
    return page("HTTP API", _ABOUT, *parts)


def _collector(config: Config) -> Schema:
    """What it says of itself. Nothing is connected to: that begins with the first request."""
    kafka, collect = config.kafka, config.collector
    sink = Sink(
        Producer(for_aiokafka(kafka), idempotent=kafka.idempotence),
        events=kafka.topics.events,
        deadletter=kafka.topics.deadletter,
        links=kafka.topics.links,
        partitions=kafka.partitions,
        most_bytes=collect.buffer_bytes,
        within_s=collect.ack_timeout_s,
    )
    counts = CollectorMetrics(lambda: 0, lambda: 0)
    return collector.make_app(Service(collect, KeyRing(), Links(), sink, counts)).openapi()


def _web() -> Schema:
    # A service is needed when a request comes, and none comes.
    return web.make_app(cast("WebService", None), cast("WebMetrics", None)).openapi()


class _Endpoints:
    """The endpoints of a service, and the shapes that they refer to.

    A shape whose name is `taken` has the suffix in its heading. What is usual of an answer is said
    once for all endpoints.
    """

    def __init__(self, said: Schema, suffix: str, taken: set[str]) -> None:
        self._models: dict[str, Schema] = said["components"]["schemas"]
        self._suffix = suffix
        self._taken = set(taken)
        self._operations: list[tuple[str, str, Schema]] = [
            (method.upper(), path, operation)
            for path, operations in said["paths"].items()
            for method, operation in operations.items()
        ]
        self._usual = self._usual_refusals()

    def parts(self) -> Iterator[str]:
        rows = [
            (code(f"{method} {path}"), each["summary"]) for method, path, each in self._operations
        ]
        yield table(("endpoint", "is"), rows)
        refusals = [(code(status), when) for status, when in sorted(self._usual.items())]
        yield table(("refused with", "when"), refusals)
        for names, operation in self._told_at_once():
            yield f"### {names[0]}"
            yield from self._endpoint(operation)
            if names[1:]:
                yield f"The same at {', '.join(map(code, names[1:]))}."
        for name, model in sorted(self._models.items()):
            if name not in _EVERYWHERE:
                yield f"### {self._heading(name)}"
                yield _first(model.get("description", ""))
                yield self._fields(model)

    def _usual_refusals(self) -> dict[str, str]:
        """What each status mostly means."""
        counts: dict[str, Counter[str]] = {}
        for _, _, operation in self._operations:
            for status, each in operation["responses"].items():
                if int(status) >= _REFUSED:
                    counts.setdefault(status, Counter())[each["description"]] += 1
        return {status: found.most_common(1)[0][0] for status, found in counts.items()}

    def _told_at_once(self) -> Iterator[tuple[list[str], Schema]]:
        """The endpoints, those together that differ in nothing but where they are."""
        found: list[tuple[list[str], Schema, Schema]] = []
        for method, path, operation in self._operations:
            same = {key: each for key, each in operation.items() if key != "operationId"}
            same["method"] = method
            for names, other, _ in found:
                if other == same:
                    names.append(f"{method} {path}")
                    break
            else:
                found.append(([f"{method} {path}"], same, operation))
        for names, _, operation in found:
            yield names, operation

    def _endpoint(self, operation: Schema) -> Iterator[str]:
        yield _first(operation.get("description", "")) or f"{operation['summary']}."
        rows = [
            (
                code(each["name"]),
                each["in"] + (", required" if each.get("required") else ""),
                self._words(each["schema"]),
                default_of(each["schema"]),
                each.get("description", ""),
            )
            for each in operation.get("parameters", ())
        ]
        yield table(("parameter", "in", "type", "default", "meaning"), rows)
        if body := operation.get("requestBody"):
            yield f"Body: {self._content(body['content'])}."
        told, refusals = [], []
        for status, each in operation["responses"].items():
            if self._usual.get(status) == each["description"]:
                refusals.append(code(status))
            else:
                when = each["description"].replace("Successful Response", "It is done.")
                told.append((code(status), when, self._content(each.get("content", {}))))
        yield table(("answer", "when", "body"), told)
        if refusals:
            yield f"Refused, as said above, with {', '.join(refusals)}."

    def _content(self, content: dict[str, Any]) -> str:
        said: dict[str, list[str]] = {}
        for kind, each in content.items():
            said.setdefault(self._words(each.get("schema", {})), []).append(code(kind))
        return "; ".join(f"{words} as {' or '.join(kinds)}" for words, kinds in said.items())

    def _fields(self, model: Schema) -> str:
        if "properties" not in model:
            return f"{self._words(model)[:1].upper()}{self._words(model)[1:]}."
        required = model.get("required", ())
        rows = [
            (
                code(name),
                self._words(each),
                "always" if name in required else default_of(each),
                each.get("description", ""),
            )
            for name, each in model["properties"].items()
        ]
        return table(("field", "type", "there, or default", "meaning"), rows)

    def _words(self, schema: Schema) -> str:
        if schema.get("type") == "object" and "properties" in schema:
            fields = ", ".join(map(code, schema["properties"]))
            return f"object of {fields}"
        return in_words(schema, self._link) or "nothing"

    def _heading(self, name: str) -> str:
        return name + (self._suffix if name in self._taken else "")

    def _link(self, name: str) -> str:
        if name in _EVERYWHERE:
            return "a refusal"
        anchor = self._heading(name).lower().replace(" ", "-")
        return f"[{name}](#{re.sub(r'[^a-z0-9_-]', '', anchor)})"


def _first(text: str) -> str:
    """A description without what is said to those who read the code."""
    return text.split("\n\n")[0]
