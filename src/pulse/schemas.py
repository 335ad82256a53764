"""The JSON Schemas in `schemas/`: made from the models, compared with what was released.

    python -m pulse.schemas write     write schemas/*.schema.json again (`make schemas`)
    python -m pulse.schemas check     fail if they are stale, or break what was released
    python -m pulse.schemas release   at a release: what is now is what must not be broken

`schemas/released/` is what others may rely on. To break it on purpose, delete the file there and
say so in the changelog.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel

from pulse.compatibility import Direction, Schema, breaks
from pulse.config import Config
from pulse.errors import PulseError
from pulse.model import (
    AccountDay,
    AccountMoved,
    AccountStatus,
    Alert,
    AuditEntry,
    GroupBody,
    ProfileRecord,
    UsageEvent,
    WebhookBody,
)

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Published(NamedTuple):
    """A model that others rely on, and which way its messages go."""

    model: type[BaseModel]
    direction: Direction


PUBLISHED: Final = {
    "usage-event": Published(UsageEvent, "in"),
    "profile": Published(ProfileRecord, "in"),
    "config": Published(Config, "in"),
    "alert": Published(Alert, "out"),
    "webhook": Published(WebhookBody, "out"),
    "webhook-group": Published(GroupBody, "out"),
    "account": Published(AccountStatus, "out"),
    "account-day": Published(AccountDay, "out"),
    "audit-entry": Published(AuditEntry, "out"),
    "account-moved": Published(AccountMoved, "out"),
}


def schema_of(name: str) -> Schema:
    """The JSON Schema of a published model: of what is read, or of what is written."""
    model, direction = PUBLISHED[name]
    schema = model.model_json_schema(mode="validation" if direction == "in" else "serialization")
    return {"$schema": _DIALECT, "$id": f"{name}.schema.json", **_for_readers(schema)}


def text_of(schema: Schema) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path) -> None:
    """Write every schema into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PUBLISHED:
        _file(folder, name).write_text(text_of(schema_of(name)), encoding="utf-8")


def stale(folder: Path) -> list[str]:
    """The files of `folder` that are not what the models say now."""
    found = []
    for name in PUBLISHED:
        file = _file(folder, name)
        if not file.is_file():
            found.append(f"{file} is missing")
        elif file.read_text(encoding="utf-8") != text_of(schema_of(name)):
            found.append(f"{file} is not what the models say")
    return found


def broken(released: Path) -> list[str]:
    """What the models break of the schemas in `released`."""
    found = []
    for file in sorted(released.glob("*.schema.json")):
        name = file.name.removesuffix(".schema.json")
        if name not in PUBLISHED:
            found.append(f"{name}: the schema vanished")
            continue
        old = json.loads(file.read_text(encoding="utf-8"))
        for each in breaks(old, schema_of(name), PUBLISHED[name].direction):
            found.append(f"{name}: {each}")
    return found


def main(arguments: Sequence[str]) -> None:
    """Run `write`, `check` or `release` in the checkout. Raises `PulseError`."""
    folder = Path("schemas")
    released = folder / "released"
    if arguments == ["write"]:
        write(folder)
    elif arguments == ["check"]:
        if found := stale(folder):
            raise PulseError("\n".join(found), hint="run: make schemas")
        _refuse_breaks(released)
    elif arguments == ["release"]:
        _refuse_breaks(released)
        write(folder)
        write(released)
    else:
        raise PulseError("say what to do", hint="write, check or release")


def _for_readers(schema: Any, *, names: bool = False) -> Any:
    """The schema without what is for Python: titles made of names, docstrings past their start.

    `names`: the keys are those of fields, not of the schema language.
    """
    if isinstance(schema, list):
        return [_for_readers(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {}
    for key, value in schema.items():
        if key == "title" and not names:
            continue
        if key == "description" and not names:
            plain[key] = " ".join(value.split("\n\n")[0].split())
        elif key in ("default", "enum", "const") and not names:
            plain[key] = value
        else:
            plain[key] = _for_readers(value, names=key in ("properties", "$defs") and not names)
    return plain


def _refuse_breaks(released: Path) -> None:
    if found := broken(released):
        raise PulseError(
            "others rely on what was released:\n" + "\n".join(found),
            hint=f"keep it, or delete the file in {released} and say so in the changelog",
        )


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.schema.json"


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PulseError as error:
        sys.exit(error.for_terminal())
