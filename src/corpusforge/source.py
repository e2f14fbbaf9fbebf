"""One raw source as its YAML declares it: where it lies, how it is read, and everything a card must say about it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from corpusforge.stage import Role, SourceFacts
from corpusforge.units import parse_share
from corpusforge.yaml_file import YamlFile, did_you_mean, expand_variables, load_yaml, validate

if TYPE_CHECKING:
    from corpusforge.ingest.reader import Reader, ReaderSettings

PersonalData = Literal[
    "person", "username", "email", "phone", "address", "ip", "mac", "url", "card", "iban", "national-id",
    "date-of-birth", "account", "secret", "health", "organisation",
]  # fmt: skip
Share = Annotated[Fraction, BeforeValidator(parse_share)]


def _one_or_many(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _none_or_list(value: Any) -> Any:
    return [] if value == "none" else value


class SourceFile(BaseModel):
    """The keys of a file in `sources/`; closed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="The word that recipes use for this source.")
    about: str = Field(default="", description="One sentence for the card.")
    path: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = Field(
        min_length=1,
        description="Where it lies: path, glob or any fsspec URL; relative to the workspace. ${NAME:-default} works.",
    )
    exclude: Annotated[tuple[str, ...], BeforeValidator(_one_or_many)] = Field(
        default=(), description="Globs of files to leave out, matched against names below the source's root."
    )
    sha256: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{64}$", description="Checksum of a downloaded file; required for http(s)."
    )
    format: str | dict[str, Any] = Field(description="A reader's name, or {reader: name, …settings}.")
    kind: Literal["chat", "article", "doc", "labelled", "public"] = Field(description="What a record of it is.")
    licence: str = Field(min_length=1, description="SPDX id, `public-domain` or `proprietary`.")
    owner: str = Field(default="", description="Who answers for it.")
    origin: str = Field(default="", description="Public address that it came from.")
    languages: tuple[str, ...] = Field(default=("en",), min_length=1, description="Languages to expect (ISO 639-1).")
    collected: str = Field(default="", description="When it was collected.")
    retention: str = Field(default="none", description="Until when it may be kept, or none.")
    personal_data: Annotated[tuple[PersonalData, ...], BeforeValidator(_none_or_list)] = Field(
        description="Kinds of personal data to expect, or none."
    )
    quarantine_limit: Share = Field(
        default=Fraction(1, 20), description="Share of its records that may be unreadable before the build fails."
    )


@dataclass(frozen=True, slots=True)
class Source:
    """A source with its reader found and its settings checked. `workspace` is the folder that paths start from."""

    spec: SourceFile
    role: Role
    reader: type[Reader]
    settings: ReaderSettings
    workspace: Path
    file: Path

    @property
    def name(self) -> str:
        """The word that recipes use for this source."""
        return self.spec.name

    def facts(self) -> SourceFacts:
        """What stages may know of it."""
        spec = self.spec
        return SourceFacts(spec.name, spec.kind, self.role, spec.licence, spec.languages, tuple(spec.personal_data))


def read_source(path: Path, role: Role, workspace: Path) -> tuple[Source | None, YamlFile]:
    """Read and check one source file; problems are in the returned file. Touches no data."""
    file = load_yaml(path)
    if file.value is None or file.problems:
        return None, file
    spec = validate(SourceFile, file.value, file)
    if spec is None:
        return None, file
    if spec.name != path.stem:
        file.problems.append(
            file.problem(("name",), f"the name {spec.name!r} differs from the file's name.", f"Call it {path.stem!r}.")
        )
    for i, pattern in enumerate(spec.path):
        try:
            expanded = expand_variables(pattern)
        except ValueError as error:
            file.problems.append(file.problem(("path", i), str(error)))
            continue
        if expanded.startswith(("http://", "https://", "hf://")) and spec.sha256 is None:
            file.problems.append(
                file.problem(("path",), "a download needs its sha256.", "Add sha256: <64 hex digits>.")
            )
    found = _reader(spec.format, file)
    if found is None or file.problems:
        return None, file
    return Source(spec, role, found[0], found[1], workspace, path), file


def _reader(value: str | Mapping[str, Any], file: YamlFile) -> tuple[type[Reader], ReaderSettings] | None:
    # By name: the readers are a room above this module, found through the same door as a plug-in would be.
    formats: Mapping[str, str] = importlib.import_module("corpusforge.ingest.formats").FORMATS
    name = value if isinstance(value, str) else value.get("reader")
    at = ("format",) if isinstance(value, str) else ("format", "reader")
    if not isinstance(name, str):
        file.problems.append(file.problem(("format",), "the reader is missing.", "Write format: {reader: jsonl, …}."))
        return None
    if name not in formats:
        file.problems.append(file.problem(at, f"no reader named {name!r}.", did_you_mean(name, formats)))
        return None
    module, _, attribute = formats[name].partition(":")
    reader: type[Reader] = getattr(importlib.import_module(module), attribute)
    given = {} if isinstance(value, str) else {k: v for k, v in value.items() if k != "reader"}
    settings = validate(reader.Settings, given, file, ("format",))
    return None if settings is None else (reader, settings)
