"""Reads YAML with the place of every key, bounded against bombs, and turns pydantic errors into file:line:column."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from corpusforge.errors import Problem, Problems

MAX_BYTES = 1_000_000
MAX_NODES = 50_000
MAX_DEPTH = 40
Location = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)
# What PyYAML raises for a value that is not what its form or tag promises: 2024-13-45, 0x_, !!bool maybe.
NO_VALUE = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Change:
    """A value to read in place of what a file says, or a key to read as if it were not there (`gone`).

    `said` is where the user said so, such as `--set mix.completion.domain.share=3%`: mistakes in it are told there.
    """

    at: Location
    value: Any
    said: str
    gone: bool = False


@dataclass(slots=True)
class YamlFile:
    """A parsed YAML file: plain values and, for each location in them, the line and column where it is written."""

    path: Path
    shown: str
    value: Any = None
    marks: dict[Location, tuple[int, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    changed: dict[Location, str] = field(default_factory=dict)

    def change(self, changes: Sequence[Change]) -> None:
        """Read other values than the file's; the file stays as it is. Mistakes go to `problems`."""
        for one in changes:
            owner = self.value
            for depth, key in enumerate(one.at[:-1]):
                if key not in owner:
                    if one.gone:
                        break
                    self.changed[one.at[: depth + 1]] = one.said
                inner = owner.setdefault(key, {})
                if not isinstance(inner, dict):
                    what = f"{'.'.join(map(str, one.at[: depth + 1]))} is {inner!r} here, not a mapping of settings."
                    self.problems.append(Problem(one.said, what, f"See {self.where(one.at[: depth + 1])}."))
                    break
                owner = inner
            else:
                self.changed[one.at] = one.said
                if one.gone:
                    owner.pop(one.at[-1], None)
                else:
                    owner[one.at[-1]] = one.value

    def where(self, location: Location) -> str:
        """file:line:column of a location, or of the nearest enclosing one that is written down."""
        for end in range(len(location), -1, -1):
            if location[:end] in self.changed:
                return self.changed[location[:end]]
            if location[:end] in self.marks:
                line, column = self.marks[location[:end]]
                return f"{self.shown}:{line}:{column}"
        return f"{self.shown}:1:1"

    def places(self, location: Location) -> dict[str, str]:
        """file:line:column of a location (key "") and of all that is written below it, by its keys joined by dots."""
        size = len(location)
        below = [found for found in self.marks if len(found) > size and found[:size] == location]
        return {"": self.where(location)} | {".".join(map(str, at[size:])): self.where(at) for at in below}

    def problem(self, location: Location, what: str, hint: str = "") -> Problem:
        """A mistake at a location of this file."""
        return Problem(self.where(location), what, hint)


def shown_path(path: Path) -> str:
    """A path as the user would type it: relative to the current folder where that is shorter."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") or len(relative) < len(str(path)) else str(path)


def load_yaml(path: Path) -> YamlFile:
    """Parse one YAML mapping. Mistakes of syntax are in `problems`; raises Problems only if the file is not there."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Problems([Problem(shown_path(path), f"cannot be read: {error.strerror}.", "Check the path.")]) from None
    return parse_yaml(raw, path)


def parse_yaml(raw: bytes, path: Path) -> YamlFile:
    """Parse the bytes of one YAML mapping, read from `path`; mistakes are in `problems`."""
    shown = shown_path(path)
    file = YamlFile(path, shown)
    if len(raw) > MAX_BYTES:
        file.problems.append(Problem(f"{shown}:1:1", f"is larger than {MAX_BYTES} bytes.", "Is it really YAML?"))
        return file
    try:
        text = raw.decode("utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        file.problems.append(Problem(f"{shown}:{line}:1", "is not UTF-8.", "Save it as UTF-8."))
        return file
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{shown}:{mark.line + 1}:{mark.column + 1}" if mark else f"{shown}:1:1"
        file.problems.append(Problem(place, f"is not YAML: {error.problem}.", "Check quotes, colons and indentation."))
        return file
    except (yaml.YAMLError, RecursionError):
        file.problems.append(Problem(f"{shown}:1:1", "is not YAML.", "Check for control characters and deep nesting."))
        return file
    if not isinstance(node, yaml.MappingNode):
        file.problems.append(Problem(f"{shown}:1:1", "must be a mapping of keys to values.", "Start with name: …"))
        return file
    file.value = _Builder(file).build(node, (), ())
    return file


class _TooLarge(Exception):
    pass


class _Builder:
    """Turns YAML nodes into values; aliases are counted each time, so a bomb is found before it is expanded."""

    def __init__(self, file: YamlFile) -> None:
        self.file = file
        self.nodes = 0
        self.scalars = yaml.SafeLoader("")

    def build(self, node: yaml.Node, location: Location, above: tuple[int, ...]) -> Any:
        try:
            return self._build(node, location, above)
        except _TooLarge:
            what = f"grows past {MAX_NODES} values when its aliases are followed."
            self.file.problems.append(Problem(f"{self.file.shown}:1:1", what, "Remove the nested aliases."))
            return None

    def _build(self, node: yaml.Node, location: Location, above: tuple[int, ...]) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _TooLarge
        place = f"{self.file.shown}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"
        self.file.marks.setdefault(location, (node.start_mark.line + 1, node.start_mark.column + 1))
        if id(node) in above:
            problem = self.file.problem(location[:-1], "an alias that contains itself (a cycle).", "Remove the alias.")
            self.file.problems.append(problem)
            return None
        if len(above) > MAX_DEPTH:
            self.file.problems.append(Problem(place, f"is nested deeper than {MAX_DEPTH} levels."))
            return None
        if not node.tag.startswith("tag:yaml.org,2002:") or node.tag.startswith("tag:yaml.org,2002:python"):
            self.file.problems.append(Problem(place, f"the tag {node.tag} is not allowed.", "Write a plain value."))
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location, (*above, id(node)))
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, (*location, i), (*above, id(node))) for i, item in enumerate(node.value)]
        try:
            value = self.scalars.construct_object(node)
        except NO_VALUE:
            self.file.problems.append(Problem(place, "is not a value YAML can read.", "Put it in quotes."))
            return None
        if value is None or isinstance(value, str | int | float | bool):
            return value
        return str(node.value)  # a date stays the words the user wrote

    def _mapping(self, node: yaml.MappingNode, location: Location, above: tuple[int, ...]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line, column = key_node.start_mark.line + 1, key_node.start_mark.column + 1
            place = f"{self.file.shown}:{line}:{column}"
            if not isinstance(key_node, yaml.ScalarNode):
                self.file.problems.append(Problem(place, "a key must be a word."))
                continue
            key = str(key_node.value)
            if key in made:
                self.file.problems.append(Problem(place, f"the key {key!r} is written twice.", "Remove one."))
                continue
            self.file.marks[(*location, key)] = (line, column)
            made[key] = self._build(value_node, (*location, key), above)
        return made


def expand_variables(value: str) -> str:
    """`${NAME}` and `${NAME:-default}` from the environment. Raises ValueError for one that is not set."""

    def one(match: re.Match[str]) -> str:
        found = os.environ.get(match[1], match[2])
        if found is None:
            raise ValueError(f"the environment variable {match[1]} is not set. Set it, or write ${{{match[1]}:-…}}.")
        return found

    return _VARIABLE.sub(one, value)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint with the nearest known word, or the whole list when nothing is near."""
    options = sorted(known)
    near = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Known: {', '.join(options)}." if options else ""


def validate(model: type[Model], value: Any, file: YamlFile, at: Location = ()) -> Model | None:
    """The model of a value, or None after adding every mistake to `file.problems`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        for item in error.errors():
            file.problems.append(_problem(model, item, file, at))
        return None


def _problem(model: type[BaseModel], item: Any, file: YamlFile, at: Location) -> Problem:
    location: Location = (*at, *item["loc"])
    kind = item["type"]
    word = str(item["loc"][-1]) if item["loc"] else ""
    if kind == "extra_forbidden":
        owner = _model_at(model, item["loc"][:-1])
        known = [f.alias or n for n, f in owner.model_fields.items()] if owner else []
        return file.problem(location, f"unknown key {word!r}.", did_you_mean(word, known))
    if kind == "missing":
        return file.problem(location[:-1], f"the key {word!r} is missing.", "Add it.")
    message = str(item["msg"]).removeprefix("Value error, ")
    message = message[0].upper() + message[1:] if message else "is not valid"
    named = f"{word}: " if word and not word.isdigit() else ""
    return file.problem(location, f"{named}{message.rstrip('.')}.")


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    current: Any = model
    for step in location:
        if not (isinstance(current, type) and issubclass(current, BaseModel)) or step not in current.model_fields:
            return None
        current = _inner_model(current.model_fields[str(step)].annotation)
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _inner_model(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        if (found := _inner_model(argument)) is not None:
            return found
    return None
