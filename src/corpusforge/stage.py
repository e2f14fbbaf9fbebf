"""How a stage is declared, and how a name in a recipe becomes one: built-in, file path, entry point or datatrove block.

A stage has up to three phases, and the runner caches each by content:

    survey   shard -> small table        parallel    what the stage must know of each shard (signatures, counts)
    decide   all tables -> decisions     once        one table for all shards and/or one for each
    apply    shard + decisions -> shard  parallel    records kept, `Dropped`, `Quarantined`

Most stages only `apply`. A decision that comes out the same for a shard leaves that shard's output untouched.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, create_model

from corpusforge.errors import UsageError
from corpusforge.record import Dropped, Kind, Quarantined, Record, stable_hash

if TYPE_CHECKING:
    import pyarrow as pa

Item = Record | Dropped | Quarantined
Role = Literal["domain", "labelled", "public"]


class StageSettings(BaseModel):
    """Base of all stage settings: closed (an unknown key is an error) and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What a stage may know about a source; everything here is part of a step's identity."""

    name: str
    kind: Kind
    role: Role
    licence: str = ""
    languages: tuple[str, ...] = ()
    personal_data: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file or folder that a setting names: the setting's place, and the path as the recipe writes it.

    `prefix` stands ahead of the path in the setting. A folder is known by all that lies below it (`whole`), else by its
    own settings and vocabularies; a `secret` file's content enters no identity by way of this.
    """

    setting: tuple[str | int, ...]
    written: str
    prefix: str = ""
    whole: bool = False
    secret: bool = False
    hint: str = "Paths are relative to the workspace."


@dataclass(frozen=True, slots=True)
class Near:
    """A record that is kept though a rule's score came close to its threshold."""

    record: Record
    rule: str
    score: float
    threshold: float


@dataclass(slots=True)
class StageContext:
    """What the runner hands to a stage beside the records.

    `sources` holds the shard's own source in `survey` and `apply`, and every source of the recipe in `decide`.
    `shared` and `mine` are the tables that `decide` made for all shards and for this shard.
    `counts[source][key]` is summed over shards into the step's report (for example findings per kind).
    `surveyed` is this shard's own survey table, for the `apply` of stages that say `reads_survey`; None where there is
    none, and then the stage finds anew what it had written there.
    `responses` is the folder of the build's response cache; `paid` counts what this run asked of an engine. Neither is
    part of any identity.
    """

    settings: Any
    seed: int
    sources: Mapping[str, SourceFacts]
    shared: pa.Table | None = None
    mine: pa.Table | None = None
    surveyed: Path | None = None
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    responses: Path | None = None
    paid: dict[str, int] = field(default_factory=dict)
    _near: list[Near] = field(default_factory=list)

    def count(self, source: str, key: str, n: int = 1) -> None:
        """Add to a named count of the step's report. Keys are kinds or rules, never text from a record."""
        per_source = self.counts.setdefault(source, {})
        per_source[key] = per_source.get(key, 0) + n

    def near(self, record: Record, rule: str, score: float, threshold: float) -> None:
        """Offer a record that this stage keeps as a sample near a rule's line; `rule` as it would stand in `Dropped`.

        The runner keeps the closest few of each rule, and of their text an excerpt only after redaction.
        """
        self._near.append(Near(record, rule, score, threshold))

    def take_near(self) -> list[Near]:
        """What `near` collected since the last call."""
        if not self._near:
            return self._near
        taken, self._near = self._near, []
        return taken


@dataclass(frozen=True, slots=True)
class Survey:
    """One shard's survey table on disk, as `decide` receives it; `shard` is the shard's name, `records` its data."""

    shard: str
    source: str
    path: Path
    records: Path


@dataclass(frozen=True, slots=True)
class Decision:
    """What `decide` found: a table for every shard, and tables for single shards by shard name."""

    shared: pa.Table | None = None
    per_shard: Mapping[str, pa.Table] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


class Stage:
    """Base of built-in stages. Subclasses set `name`, `version`, `Settings` and override phases.

    `version` is raised by hand whenever the same input could give other output. `libraries` are distributions whose
    version decides the output; they are part of the identity too.
    `makes` tells whether `apply` passes records on (False) or makes new ones from them (True, as generators do):
    then its output holds only the new records, and a record that gave none is a `Dropped`.
    `reads_survey` tells that `apply` reads what this stage's survey of the shard wrote down.
    `file_settings` names settings that hold paths: their content is the identity, never where they lie, and the
    stage receives them as absolute paths.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    libraries: ClassVar[tuple[str, ...]] = ()
    makes: ClassVar[bool] = False
    reads_survey: ClassVar[bool] = False
    file_settings: ClassVar[tuple[str, ...]] = ()
    Settings: ClassVar[type[StageSettings]] = StageSettings

    def survey(self, records: Iterable[Record], ctx: StageContext) -> pa.Table:
        """One shard's table for `decide`; memory is bounded by the shard."""
        raise NotImplementedError

    def decide(self, surveys: Sequence[Survey], ctx: StageContext) -> Decision:
        """The decisions for all shards; must not depend on the order of `surveys`."""
        raise NotImplementedError

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Every record read comes out exactly once: kept (perhaps changed), split into several, or left out."""
        raise NotImplementedError

    @classmethod
    def files(cls, settings: Any) -> Iterator[NamedFile]:
        """The files that these settings name; those of `file_settings`, where a stage says nothing else."""
        for name in cls.file_settings:
            value = getattr(settings, name)
            several = isinstance(value, list | tuple)
            for place, one in enumerate(value if several else (value,)):
                if one is not None and str(one) != "bytes":
                    yield NamedFile((name, place) if several else (name,), str(one))

    @classmethod
    def check(cls, settings: Any) -> None:
        """Look into the files that settings name, by absolute paths, before anything runs.

        Raises UsageError for one that is not what it should be; its `where` is the setting's name.
        """

    @classmethod
    def resources(cls) -> tuple[Path, ...]:
        """Files shipped with the stage (templates, word lists) that decide its output; hashed into its identity."""
        return ()

    @classmethod
    def identity_settings(cls, settings: Any) -> dict[str, Any]:
        """What of the settings decides the output; a stage leaves out what only tells how (addresses, patience)."""
        found: dict[str, Any] = settings.model_dump(mode="json")
        return found

    @classmethod
    def also_identity(cls, settings: Any) -> Mapping[str, str]:
        """What else of the machine decides the output under these settings, such as a named model's version."""
        return {}

    @classmethod
    def facts(cls, settings: Any) -> Mapping[str, Any]:
        """What the card's reader should know of what decides under these settings, such as a model's data and figures.

        JSON values for the manifest, no part of the identity; never text from a record or a place on this machine.
        """
        return {}

    @classmethod
    def has_survey(cls, settings: Any) -> bool:
        """Whether this stage must see all shards before it can treat one, under these settings."""
        return cls.survey is not Stage.survey


StreamFunction = Callable[..., Iterator[Item]]


class FunctionStage(Stage):
    """A stream stage made from a generator function; its keyword-only parameters are its settings."""

    function: ClassVar[StreamFunction]

    def apply(self, records: Iterable[Record], ctx: StageContext) -> Iterator[Item]:
        """Run the function over the records with the recipe's settings."""
        settings = {name: getattr(ctx.settings, name) for name in type(ctx.settings).model_fields}
        return type(self).function(records, **settings)


def stage(*, version: int, name: str | None = None) -> Callable[[StreamFunction], type[FunctionStage]]:
    """Declare a user's stage. A parameter annotated `Path` (or `Path | None`) names a file: see `Stage.file_settings`.

    >>> @stage(version=1)
    ... def drop_short(records, *, min_words: int = 20):
    ...     for record in records:
    ...         words = len(record.text.split())
    ...         yield record if words >= min_words else Dropped(record, "short", words, min_words)
    """

    def declare(function: StreamFunction) -> type[FunctionStage]:
        fields: dict[str, Any] = {}
        paths: list[str] = []
        hints = inspect.get_annotations(function, eval_str=True)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                default = ... if parameter.default is inspect.Parameter.empty else parameter.default
                fields[parameter.name] = (hints.get(parameter.name, Any), default)
                if hints.get(parameter.name) in (Path, Path | None):
                    paths.append(parameter.name)
        function_name = getattr(function, "__name__", "stage")
        settings = create_model(f"{function_name}_settings", __base__=StageSettings, **fields)
        body = {
            "__doc__": function.__doc__,
            "name": name or function_name.replace("_", "-"),
            "version": version,
            "file_settings": tuple(paths),
            "Settings": settings,
            "function": staticmethod(function),
        }
        return type(function_name, (FunctionStage,), body)

    return declare


BUILT_IN: Mapping[str, str] = {
    "normalise": "corpusforge.curate.normalise:Normalise",
    "redact": "corpusforge.curate.redact:Redact",
    "language": "corpusforge.curate.language:Language",
    "quality": "corpusforge.curate.quality:Quality",
    "dedup": "corpusforge.curate.dedup:Dedup",
    "segment": "corpusforge.curate.segment:Segment",
    "holdout": "corpusforge.curate.holdout:Holdout",
    "decontaminate": "corpusforge.curate.decontaminate:Decontaminate",
    "qa": "corpusforge.generate.qa:QA",
    "mcq": "corpusforge.generate.mcq:MCQ",
    "reading": "corpusforge.generate.reading:Reading",
    "qa-written": "corpusforge.generate.write.qa:WrittenQA",
    "mcq-written": "corpusforge.generate.write.mcq:WrittenMCQ",
    "reading-written": "corpusforge.generate.write.reading:WrittenReading",
    "rewrite": "corpusforge.generate.write.rewrite:Rewrite",
    "turns": "corpusforge.generate.write.turns:Turns",
    "verify": "corpusforge.generate.verify.stage:Verify",
    "alike": "corpusforge.generate.alike:Alike",
    "rescan": "corpusforge.curate.rescan:Rescan",
    "tokens": "corpusforge.mix.tokens:Tokens",
}
ENTRY_POINTS = "corpusforge.stages"


def find_stage(name: str, *, folder: Path | None = None) -> type[Stage]:
    """The stage that a recipe names: built-in, `file.py:function` (relative to `folder`), entry point, or
    `datatrove:module.Class` (module below `datatrove.pipeline`).

    Raises UsageError when there is none of that name.
    """
    if name in BUILT_IN:
        return _load(BUILT_IN[name])
    if name.startswith("datatrove:"):
        # By name: curate is a room above this module.
        blocks = importlib.import_module("corpusforge.curate.datatrove_block")
        return _checked(blocks.block_stage(name.removeprefix("datatrove:")), name)
    if ".py:" in name:
        return _from_file(name, folder or Path.cwd())
    for point in importlib.metadata.entry_points(group=ENTRY_POINTS):
        if point.name == name:
            return _checked(point.load(), name)
    raise UsageError(f"no stage named {name!r}.", hint=f"Built-in stages: {', '.join(sorted(BUILT_IN))}.")


def _load(path: str) -> type[Stage]:
    module, _, attribute = path.partition(":")
    return _checked(getattr(importlib.import_module(module), attribute), path)


def _from_file(name: str, folder: Path) -> type[Stage]:
    file, _, attribute = name.rpartition(":")
    path = (folder / file).resolve()
    if not path.is_file():
        raise UsageError(f"stage file {file} does not exist.", hint="Paths are relative to the recipe's folder.")
    # Named by content too: a process that builds twice must not run the code of before.
    code = path.read_bytes()
    content = hashlib.sha256(code).hexdigest()
    module_name = f"corpusforge_user_{path.stem}_{stable_hash(str(path), content)}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise UsageError(f"stage file {file} cannot be loaded.", hint="Is it Python?")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            # Not through the loader: its bytecode cache takes an edit of the same second and size for no edit.
            exec(compile(code, str(path), "exec"), module.__dict__)
        except Exception as error:
            del sys.modules[module_name]
            what = f"stage file {file} does not load: {type(error).__name__}: {error}."
            raise UsageError(what, hint="Run it with python to see where.") from error
    found = getattr(sys.modules[module_name], attribute, None)
    if found is None:
        raise UsageError(f"{file} defines no {attribute!r}.", hint="Name a function decorated with @stage.")
    return _checked(found, name)


def _checked(found: object, name: str) -> type[Stage]:
    if not (isinstance(found, type) and issubclass(found, Stage)):
        raise UsageError(f"{name} is not a stage.", hint="Decorate the function with @stage(version=1).")
    return found
