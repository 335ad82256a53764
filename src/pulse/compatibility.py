"""Whether a JSON Schema still fits those who rely on an older one.

What comes in (events, profiles, the configuration) must stay accepted: nothing becomes required or
narrower, nothing vanishes. What goes out (alerts, webhooks, accounts) must stay understood: no
field vanishes, changes its type or stops being required; new fields and new words in an
enumeration are no break, and readers are told to expect them.

Both are one question asked in two directions: does the *wide* schema allow all that the *narrow*
one does? Coming in, the new schema must be the wide one; going out, the old one.

1. Each schema is unfolded into its alternatives (`anyOf`, lists of types, references followed).
2. Every alternative of the narrow one must fit into some alternative of the wide one.
3. Fitting: the type, for what comes in also values and bounds, and so on for what is inside.

Knows the keywords that pydantic writes, not all of JSON Schema.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

Direction = Literal["in", "out"]
Schema = dict[str, Any]

_LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaks(old: Schema, new: Schema, direction: Direction) -> list[str]:
    """What in `new` breaks those who rely on `old`, each with its place; empty if nothing.

    >>> old = {"type": "object", "properties": {"id": {"type": "string"}}}
    >>> breaks(old, {**old, "required": ["id"]}, "in")
    ['id: is required now']
    >>> breaks(old, {**old, "properties": {}}, "out")
    ['id: vanished']
    """
    sides = (old, new)
    wide, narrow = reversed(sides) if direction == "in" else sides
    return list(_Comparison(wide, narrow, direction).unfit(wide, narrow, ""))


class _Alternative(NamedTuple):
    type: str | None
    schema: Schema


class _Comparison:
    """One comparison of two whole schemas; the roots are where references lead."""

    def __init__(self, wide_root: Schema, narrow_root: Schema, direction: Direction) -> None:
        self._wide_root = wide_root
        self._narrow_root = narrow_root
        self._comes_in = direction == "in"
        self._under_way: set[tuple[int, int]] = set()

    def unfit(self, wide: Schema, narrow: Schema, path: str) -> Iterator[str]:
        """What of `narrow` does not fit into `wide`, and what vanished."""
        pair = (id(wide), id(narrow))
        if pair in self._under_way:  # a schema that contains itself
            return
        self._under_way.add(pair)
        try:
            room = list(_alternatives(wide, self._wide_root))
            for each in _alternatives(narrow, self._narrow_root):
                yield from min((self._misfits(place, each, path) for place in room), key=len)
        finally:
            self._under_way.remove(pair)

    def _misfits(self, wide: _Alternative, narrow: _Alternative, path: str) -> list[str]:
        if not _fits_type(wide.type, narrow.type):
            ours, theirs = wide.type or "anything", narrow.type or "anything"
            change = f"{theirs} became {ours}" if self._comes_in else f"{ours} became {theirs}"
            return [f"{path or 'the whole'}: {change}"]
        found = [*self._narrower(wide.schema, narrow.schema, path)]
        found += self._inside(wide.schema, narrow.schema, path)
        return found

    def _narrower(self, wide: Schema, narrow: Schema, path: str) -> Iterator[str]:
        at = path or "the whole"
        if wide.get("format") != narrow.get("format") and ("format" in wide or not self._comes_in):
            yield f"{at}: the format changed"
        if not self._comes_in:
            return
        allowed, used = _values(wide), _values(narrow)
        if allowed is not None:
            gone = sorted(map(repr, set(used) - set(allowed))) if used is not None else ["others"]
            if gone:
                yield f"{at}: {', '.join(gone)} no longer allowed"
        for bound in _LOWER_BOUNDS:
            if bound in wide and narrow.get(bound, float("-inf")) < wide[bound]:
                yield f"{at}: {bound} is {wide[bound]} now"
        for bound in _UPPER_BOUNDS:
            if bound in wide and narrow.get(bound, float("inf")) > wide[bound]:
                yield f"{at}: {bound} is {wide[bound]} now"
        if "pattern" in wide and wide["pattern"] != narrow.get("pattern"):
            yield f"{at}: must match {wide['pattern']} now"

    def _inside(self, wide: Schema, narrow: Schema, path: str) -> Iterator[str]:
        old, new = (narrow, wide) if self._comes_in else (wide, narrow)
        ours, theirs = wide.get("properties", {}), narrow.get("properties", {})
        for name in sorted(set(old.get("properties", {})) - set(new.get("properties", {}))):
            yield f"{_join(path, name)}: vanished"
        for name in sorted(set(wide.get("required", ())) - set(narrow.get("required", ()))):
            if name in new.get("properties", {}):
                change = "is required now" if self._comes_in else "is no longer required"
                yield f"{_join(path, name)}: {change}"
        for name in sorted(set(ours) & set(theirs)):
            yield from self.unfit(ours[name], theirs[name], _join(path, name))
        for keyword, shown in (("items", "[]"), ("additionalProperties", "*")):
            place, content = wide.get(keyword, True), narrow.get(keyword, True)
            if place is True or content is False:
                continue
            if place is False:
                if self._comes_in:
                    yield f"{_join(path, shown)}: no other fields are allowed now"
            elif content is True:
                yield f"{_join(path, shown)}: has a type now"
            else:
                yield from self.unfit(place, content, _join(path, shown))
        if "propertyNames" in wide:
            yield from self.unfit(
                wide["propertyNames"], narrow.get("propertyNames", {}), _join(path, "(keys)")
            )


def _alternatives(schema: Schema, root: Schema) -> Iterator[_Alternative]:
    """The schemas without `$ref`, `anyOf` and lists of types that together are this one."""
    if "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        yield from _alternatives(target, root)
        return
    branches = schema.get("anyOf") or schema.get("oneOf")
    if branches:
        for branch in branches:
            yield from _alternatives(branch, root)
        return
    kinds = schema.get("type")
    if kinds is None and (values := _values(schema)) is not None:
        kinds = sorted({_type_of(value) for value in values})
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        yield _Alternative(kind, schema)


def _fits_type(wide: str | None, narrow: str | None) -> bool:
    return wide is None or wide == narrow or (wide == "number" and narrow == "integer")


def _values(schema: Schema) -> list[Any] | None:
    """The only values a schema allows; None if it does not name them."""
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _type_of(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string"}
    return "null" if value is None else names.get(type(value), "object")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
