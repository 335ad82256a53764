"""Every setting of `pulse.yaml`, from the schema of its models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pulse.schemas import schema_of

from .markdown import page, table
from .shapes import Schema, default_of, forms_of, in_words, model_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = tuple[str, str, str, str]

_HEAD: Final = ("setting", "type", "default", "meaning")
_ABOUT: Final = (
    "Every setting of `pulse.yaml`. An empty file is valid: everything has the default that stands "
    "here. [deploy/pulse.yaml](../../deploy/pulse.yaml) is the same as an example with comments; "
    "`pulse check pulse.yaml` finds every mistake. `[]` stands for each of a list, `NAME` for a "
    "name that you choose. A duration is written `90s`, `15m`, `1h`, `1d`. What ends in `_env` "
    "names a variable of the environment, in `_file` a file, that has a secret."
)


def configuration() -> str:
    """The page of all settings, a part for each section."""
    return page("Configuration", _ABOUT, *_Sections(schema_of("config")).parts())


class _Sections:
    """The sections of a schema. One that stands in several places is said where it comes first."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._models: dict[str, Schema] = schema["$defs"]
        self._said: dict[str, str] = {}

    def parts(self) -> Iterator[str]:
        plain = {
            name: each
            for name, each in self._schema["properties"].items()
            if not self._models_in(each)
        }
        yield "## The file itself"
        rows = [
            (f"`{name}`", self._words(each), default_of(each), each["description"])
            for name, each in plain.items()
        ]
        yield table(_HEAD, rows)
        for name, setting in self._schema["properties"].items():
            if name in plain:
                continue
            yield f"## {name}"
            kinds = self._models_in(setting)
            yield self._meaning(setting, kinds)
            if len(kinds) > 1:
                yield from self._kinds(f"{name}[]", kinds)
            else:
                place = name + _within(setting)
                yield table(_HEAD, list(self._rows(place, kinds[0])))

    def _kinds(self, place: str, models: list[str]) -> Iterator[str]:
        """Sections that are told apart by `kind`: first what all of them have."""
        settings = [self._models[each]["properties"] for each in models]
        common = [
            name
            for name, said in settings[0].items()
            if all(each.get(name) == said for each in settings)
        ]
        yield "### What every kind has"
        yield table(_HEAD, list(self._rows(place, models[0], common)))
        for model in models:
            properties = self._models[model]["properties"]
            yield f"### `kind: {properties['kind']['const']}`"
            yield self._models[model]["description"]
            own = [each for each in properties if each not in (*common, "kind")]
            yield table(_HEAD, list(self._rows(place, model, own)))

    def _rows(self, place: str, model: str, only: list[str] | None = None) -> Iterator[Row]:
        self._said.setdefault(model, place)
        for name, setting in self._models[model]["properties"].items():
            if only is not None and name not in only:
                continue
            here = f"{place}.{name}"
            inner = self._models_in(setting)
            fresh = [each for each in inner if each not in self._said]
            meaning = self._meaning(setting, inner)
            default = "" if inner else default_of(setting)
            yield f"`{here}`", self._words(setting), default, meaning
            for each in fresh:
                yield from self._rows(here + _within(setting), each)

    def _words(self, setting: Schema) -> str:
        return in_words(setting, self._model)

    def _model(self, name: str) -> str:
        return f"as `{self._said[name]}`" if name in self._said else "section"

    def _meaning(self, setting: Schema, models: list[str]) -> str:
        """What is said of a setting; where it is a section, else what is said of that."""
        told: str = setting.get("description", "")
        return told or " ".join(self._models[each].get("description", "") for each in models)

    def _models_in(self, setting: Schema) -> list[str]:
        """The sections that stand in a setting, in a list or by names too."""
        found: list[str] = []
        for form in forms_of(setting):
            if name := model_of(form):
                found.append(name)
            for word in ("items", "additionalProperties"):
                if isinstance(form.get(word), dict):
                    found += self._models_in(form[word])
        return found


def _within(setting: Schema) -> str:
    """What leads from a setting to the sections in it."""
    if any(form.get("type") == "array" for form in forms_of(setting)):
        return "[]"
    return ".NAME" if any(form.get("type") == "object" for form in forms_of(setting)) else ""
