"""A YAML file as plain data that remembers the line and column of everything in it."""

import re
import warnings
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pulse.config.mistakes import Mistake, Place

Position = tuple[int, int]
"""Line and column, both from 1."""

_MERGE: Final = "tag:yaml.org,2002:merge"
_PLAIN_TAGS: Final = frozenset(
    f"tag:yaml.org,2002:{kind}"
    for kind in ("null", "bool", "int", "float", "str", "timestamp", "map", "seq", "omap", "set")
)
_IN_PLAIN_WORDS: Final[tuple[tuple[str, str, str | None], ...]] = (
    (r"cannot start any token", "this character cannot begin a value", "put the value in quotes"),
    (
        r"mapping values are not allowed",
        'a ":" where none can be',
        "check the indentation, and put texts with a colon in quotes",
    ),
    (r"could not find expected ':'", "this line has no colon after its key", None),
    (r"expected <block end>", "the indentation does not fit the lines above", None),
    (r"another document", "there is a second document (---) in the file", None),
    (r"found undefined alias", "this name (*) was not given to anything with & above", None),
    (r"unexpected end of stream", "the file ends inside quotes", None),
    (r"expected ',' or", "a bracket is not closed, or a comma is missing", None),
)


class Document:
    """What a YAML text says: `data`, the place of every key and value, and what is wrong with it.

    >>> document = Document("line:\\n  enter: 40\\n")
    >>> document.data, document.position(("line", "enter"), of_key=False)
    ({'line': {'enter': 40}}, (2, 10))
    """

    def __init__(self, text: str) -> None:
        self.data: dict[Any, Any] = {}
        self.mistakes: list[Mistake] = []
        self._keys: dict[Place, Position] = {}
        self._values: dict[Place, Position] = {}
        self._yaml = YAML(typ="safe", pure=True)
        self._open: list[Node] = []
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of ruamel: a reused anchor and the like
                node = self._yaml.compose(text)
                data = {} if node is None else self._read(node, ())
        except RecursionError:
            self.mistakes.append(Mistake(1, 1, "", "nested too deeply"))
        except YAMLError as error:
            self.mistakes.append(_in_plain_words(error, text))
        else:
            if isinstance(data, dict):
                self.data = data
            elif data is not None:
                self._complain(node, (), "the file must be a mapping of settings (key: value)")

    def has(self, path: Place) -> bool:
        """Whether the text says something at this path."""
        return path in self._values

    def at(self, path: Place) -> Any:
        """What the text says at this path; None if nothing."""
        value: Any = self.data
        for part in path:
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def position(self, path: Place, *, of_key: bool) -> Position:
        """Where a key or its value stands; the nearest thing around it if it is not there.

        (0, 0) if that is the whole file.
        """
        while path:
            for places in (self._keys, self._values) if of_key else (self._values, self._keys):
                if path in places:
                    return places[path]
            path, of_key = path[:-1], True
        return (0, 0)

    def texts(self) -> list[tuple[Place, str]]:
        """Every text in the file, with its path."""
        found: list[tuple[Place, str]] = []

        def walk(value: Any, path: Place) -> None:
            if isinstance(value, str):
                found.append((path, value))
            elif isinstance(value, dict):
                for key, inner in value.items():
                    walk(inner, (*path, key))
            elif isinstance(value, list):
                for index, inner in enumerate(value):
                    walk(inner, (*path, index))

        walk(self.data, ())
        return found

    def _read(self, node: Node, path: Place) -> Any:
        self._values.setdefault(path, _start(node))
        if any(node is each for each in self._open):
            self._complain(node, path, "refers to itself")
            return None
        self._open.append(node)
        try:
            if isinstance(node, MappingNode):
                return self._mapping(node, path)
            if isinstance(node, SequenceNode):
                return [self._read(each, (*path, i)) for i, each in enumerate(node.value)]
            return self._scalar(node, path)
        finally:
            self._open.pop()

    def _mapping(self, node: MappingNode, path: Place) -> dict[Any, Any]:
        data: dict[Any, Any] = {}
        merged: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if str(key_node.tag) == _MERGE:
                merged = {**self._merged(value_node, path), **merged}
                continue
            key = self._read_key(key_node, path)
            if key in data:
                first = self._keys[(*path, key)][0]
                self._complain(
                    key_node,
                    (*path, key),
                    f"is said twice; the first is in line {first}",
                    "leave one of them out",
                )
                continue
            self._keys[(*path, key)] = _start(key_node)
            self._values.pop((*path, key), None)
            data[key] = self._read(value_node, (*path, key))
        return {**merged, **data}

    def _read_key(self, node: Node, path: Place) -> Any:
        key = self._scalar(node, path) if isinstance(node, ScalarNode) else None
        if isinstance(key, (str, int)):
            return key
        self._complain(node, path, "has a key that is no text", "put the key in quotes")
        return f"<{node.start_mark.line + 1}:{node.start_mark.column + 1}>"

    def _merged(self, node: Node, path: Place) -> dict[Any, Any]:
        """What `<<: *name` brings in; what is said directly wins over it."""
        nodes = node.value if isinstance(node, SequenceNode) else [node]
        data: dict[Any, Any] = {}
        for each in nodes:
            got = self._read(each, path)
            if not isinstance(got, dict):
                self._complain(node, path, "<< can only bring in a mapping")
                continue
            data = {**got, **data}
        return data

    def _scalar(self, node: Node, path: Place) -> Any:
        if str(node.tag) not in _PLAIN_TAGS:
            self._complain(node, path, f"unknown tag {node.tag}", "leave it out")
            return None
        try:
            value = self._yaml.constructor.construct_object(node)
        except (YAMLError, ValueError, OverflowError):
            return node.value
        # 2024-10-24 is a text to us, as it is to who wrote it.
        return value if isinstance(value, (str, int, float, bool)) or value is None else node.value

    def _complain(
        self, node: Node | None, path: Place, message: str, suggestion: str | None = None
    ) -> None:
        line, column = _start(node) if node is not None else (0, 0)
        self.mistakes.append(Mistake(line, column, dotted(path), message, suggestion))


def dotted(path: Place) -> str:
    """A path as people write it.

    >>> dotted(("receivers", 0, "url"))
    'receivers[0].url'
    """
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
    return text.removeprefix(".")


def _start(node: Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _in_plain_words(error: YAMLError, text: str) -> Mistake:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    problem = (getattr(error, "problem", None) or str(error)).strip()
    lines = text.splitlines()
    if 0 < line <= len(lines) and "\t" in lines[line - 1][: column + 1]:
        return Mistake(line, column, "", "a tab in the indentation", "YAML wants spaces")
    for pattern, message, suggestion in _IN_PLAIN_WORDS:
        if re.search(pattern, problem):
            return Mistake(line, column, "", f"not YAML: {message}", suggestion)
    return Mistake(line, column, "", f"not YAML: {problem.splitlines()[0]}")
