"""The schemas are fresh and break nobody; and the check that says so can fail."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pulse.compatibility import breaks
from pulse.errors import PulseError
from pulse.schemas import PUBLISHED, broken, main, schema_of, stale, text_of, write

ROOT = Path(__file__).parents[2]
SCHEMAS = ROOT / "schemas"


def test_the_schemas_are_what_the_models_say() -> None:
    assert stale(SCHEMAS) == [], "run: make schemas"


def test_nothing_that_was_released_is_broken() -> None:
    assert broken(SCHEMAS / "released") == []


def test_every_schema_has_been_released() -> None:
    released = {file.name for file in (SCHEMAS / "released").iterdir()}

    assert released == {f"{name}.schema.json" for name in PUBLISHED}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_schema_is_a_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schema_of(name))


def test_a_schema_accepts_what_its_model_accepts() -> None:
    event = {"id": "1", "account_id": "a", "event": "e", "ts": 0, "properties": {"value": 1}}
    jsonschema.validate(event, schema_of("usage-event"))
    jsonschema.validate({"line": {"dwell": "1d"}, "redis": {}}, schema_of("config"))

    for name, wrong in (
        ("usage-event", event | {"ts": None}),
        ("usage-event", event | {"properties": {"value": "1"}}),
        ("config", {"lin": {}}),
        ("config", {"line": {"dwell": "1w"}}),
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema_of(name))


def test_descriptions_are_for_readers_of_any_language() -> None:
    for name in PUBLISHED:
        text = text_of(schema_of(name))
        assert ">>>" not in text
        assert '"title"' not in text


# --- the checks themselves ----------------------------------------------------


def test_a_stale_schema_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    assert stale(tmp_path) == []

    file = tmp_path / "alert.schema.json"
    file.write_text(file.read_text().replace("severity", "gravity"))
    (tmp_path / "config.schema.json").unlink()

    assert stale(tmp_path) == [
        f"{tmp_path / 'config.schema.json'} is missing",
        f"{file} is not what the models say",
    ]


def test_a_break_with_what_was_released_is_found(tmp_path: Path) -> None:
    write(tmp_path)
    assert broken(tmp_path) == []

    # As if the released ones had been otherwise.
    event = schema_of("usage-event")
    event["required"].remove("ts")
    event["properties"]["tenant"] = {"type": "string"}
    (tmp_path / "usage-event.schema.json").write_text(json.dumps(event))
    alert = schema_of("alert")
    alert["properties"]["team"] = {"type": "string"}
    alert["required"].append("previous_zone")
    alert["$defs"]["Line"]["properties"]["enter"] = {"type": "integer"}
    (tmp_path / "alert.schema.json").write_text(json.dumps(alert))
    (tmp_path / "invoice.schema.json").write_text("{}")

    assert broken(tmp_path) == [
        "alert: team: vanished",
        "alert: previous_zone: is no longer required",
        "alert: line.enter: integer became number",
        "invoice: the schema vanished",
        "usage-event: tenant: vanished",
        "usage-event: ts: is required now",
    ]


def test_the_command_checks_and_releases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PulseError, match="make schemas"):
        main(["check"])

    main(["write"])
    main(["check"])
    main(["release"])
    assert len(list(Path("schemas/released").iterdir())) == len(PUBLISHED)

    file = Path("schemas/released/usage-event.schema.json")
    file.write_text(file.read_text().replace('"user_id"', '"person_id"'))
    for action in ("check", "release"):
        with pytest.raises(PulseError, match="usage-event: person_id: vanished"):
            main([action])
    with pytest.raises(PulseError, match="write, check or release"):
        main([])


# --- compatibility ------------------------------------------------------------

OLD: dict[str, Any] = {
    "type": "object",
    "required": ["id", "kind"],
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 10},
        "kind": {"enum": ["a", "b"], "type": "string"},
        "count": {"type": "integer", "minimum": 0},
        "ratio": {"type": "number"},
        "at": {"type": "string", "format": "date-time"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}},
        "extra": {"type": "object", "additionalProperties": {"type": "number"}},
        "part": {"$ref": "#/$defs/Part"},
        "any": {},
    },
    "$defs": {"Part": {"type": "object", "properties": {"x": {"type": "integer"}}}},
}
TEXT = {"type": "string"}

# What is changed, to what, what that breaks for what comes in, and for what goes out.
CHANGES: list[tuple[str, Any, list[str], list[str]]] = [
    ("properties.new", TEXT, [], []),
    ("properties.note", None, ["note: vanished"], ["note: vanished"]),
    ("properties.id", None, ["id: vanished"], ["id: vanished"]),
    ("required", ["id", "kind", "at"], ["at: is required now"], []),
    ("required", ["id"], [], ["kind: is no longer required"]),
    (
        "properties.count",
        TEXT,
        ["count: integer became string"],
        ["count: integer became string"],
    ),
    ("properties.count.type", "number", [], ["count: integer became number"]),
    ("properties.ratio.type", "integer", ["ratio: number became integer"], []),
    ("properties.note", TEXT, ["note: null became string"], []),
    (
        "properties.id.type",
        ["string", "null"],
        [],
        ["id: string became null"],
    ),
    ("properties.any", TEXT, ["any: anything became string"], []),
    ("properties.ratio", {}, [], ["ratio: number became anything"]),
    ("properties.id.minLength", 2, ["id: minLength is 2 now"], []),
    ("properties.id.maxLength", 9, ["id: maxLength is 9 now"], []),
    ("properties.id.maxLength", None, [], []),
    ("properties.count.minimum", 1, ["count: minimum is 1 now"], []),
    ("properties.ratio.maximum", 1, ["ratio: maximum is 1 now"], []),
    ("properties.id.pattern", "^a", ["id: must match ^a now"], []),
    ("properties.kind.enum", ["a"], ["kind: 'b' no longer allowed"], []),
    ("properties.kind.enum", ["a", "b", "c"], [], []),
    ("properties.id.enum", ["a"], ["id: others no longer allowed"], []),
    ("properties.at.format", None, [], ["at: the format changed"]),
    (
        "properties.id.format",
        "uuid",
        ["id: the format changed"],
        ["id: the format changed"],
    ),
    (
        "properties.tags.items",
        {"type": "integer"},
        ["tags.[]: string became integer"],
        ["tags.[]: string became integer"],
    ),
    (
        "properties.extra.additionalProperties",
        False,
        ["extra.*: no other fields are allowed now"],
        [],
    ),
    ("properties.extra.additionalProperties", True, [], ["extra.*: has a type now"]),
    ("additionalProperties", False, ["*: no other fields are allowed now"], []),
    ("$defs.Part.required", ["x"], ["part.x: is required now"], []),
    ("$defs.Part.properties.x", None, ["part.x: vanished"], ["part.x: vanished"]),
    ("properties.part", {"type": "object"}, ["part.x: vanished"], ["part.x: vanished"]),
    (
        "properties.extra.propertyNames",
        {"enum": ["a"]},
        ["extra.(keys): anything became string"],
        [],
    ),
]


def changed(path: str, value: Any) -> dict[str, Any]:
    new = copy.deepcopy(OLD)
    *way, last = path.split(".")
    place = new
    for part in way:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return new


@pytest.mark.parametrize(
    ("path", "value", "incoming", "outgoing"), CHANGES, ids=[f"{c[0]}={c[1]}" for c in CHANGES]
)
def test_what_a_change_breaks(
    path: str, value: Any, incoming: list[str], outgoing: list[str]
) -> None:
    new = changed(path, value)

    assert breaks(OLD, new, "in") == incoming
    assert breaks(OLD, new, "out") == outgoing


def test_no_change_breaks_nothing() -> None:
    for name, (_, direction) in PUBLISHED.items():
        schema = schema_of(name)
        assert breaks(schema, copy.deepcopy(schema), direction) == []


def test_a_schema_that_contains_itself_comes_to_an_end() -> None:
    def tree(leaf: str) -> dict[str, Any]:
        children = {"type": "array", "items": {"$ref": "#/$defs/Tree"}}
        node = {"type": "object", "properties": {"leaf": {"type": leaf}, "children": children}}
        return {"$ref": "#/$defs/Tree", "$defs": {"Tree": node}}

    assert breaks(tree("string"), tree("string"), "in") == []
    assert "leaf: string became integer" in breaks(tree("string"), tree("integer"), "in")
