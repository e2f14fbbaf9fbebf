"""One recipe: which sources, how curated, what generated, what mixed, which gates. Closed, and wrong all at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from corpusforge.errors import Problem, Problems, UsageError
from corpusforge.generation import PROOFS, TASKS, Generation, read_generation
from corpusforge.mix_tree import OutputTree, read_output
from corpusforge.packed_settings import Packed, read_packed
from corpusforge.preference_settings import Preference, read_preference
from corpusforge.source import Share, Source, read_source
from corpusforge.stage import Role
from corpusforge.stage_use import StageUse, read_use
from corpusforge.yaml_file import Change, Location, YamlFile, did_you_mean, expand_variables, load_yaml, validate

CURATE = ("normalise", "redact", "language", "quality", "dedup", "segment", "holdout", "decontaminate")
ROLES: tuple[Role, ...] = ("domain", "labelled", "public")
MIX = ("completion", "instruct", "packed", "preference")
RESERVED = ("ingest", *TASKS, *PROOFS, "tokens", "mix")


_STEP_NAME = re.compile(r"^[a-z0-9][a-z0-9-]*$")


class Closed(BaseModel):
    """Base of the recipe's models: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class About(Closed):
    """The sentences of the card that only a person can write."""

    purpose: str = ""
    suitable: str = ""
    unsuitable: str = ""
    limits: str = ""
    date: str = Field(default="", description="Publication date for the card (YYYY-MM-DD).")
    publisher: str = ""


class SourceNames(Closed):
    """Names of files in `sources/`, by the role they play in the mix."""

    domain: tuple[str, ...] = Field(min_length=1)
    labelled: tuple[str, ...] = ()
    public: tuple[str, ...] = ()


class Gates(Closed):
    """What must hold before a build may be approved; a share, or a count where it says so."""

    personal_data: Share = Field(
        default=Fraction(1, 100), description="Upper bound of records with personal data left."
    )
    contamination: int = Field(default=0, ge=0, description="Contaminated records left in the training side.")
    mix_error: Share = Field(default=Fraction(1, 1000), description="Largest error of a share of the whole mix.")
    grounded: Share = Field(
        default=Fraction(95, 100), description="Least share of synthetic rows proven by their evidence."
    )
    canary_leak: Share | None = Field(
        default=None,
        description="Largest share of planted structured data (e-mail, card, IBAN, keys and the like) that is found "
        "again, at least 300 of them; without it the leak audit is told, not judged.",
    )
    written: Share | None = Field(
        default=None,
        description="Least share of a task's rows, as asked of a model, that are left at the end; without it "
        "a task that gave no row is told, not judged.",
    )

    def shown(self) -> dict[str, float | None]:
        """The gates as plain numbers, in the order of this model."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: None if value is None else float(value) for name, value in values.items()}


class Audit(Closed):
    """The leak audit of every build: invented personal data, planted into copies and looked for in all that follows."""

    canaries: int = Field(
        default=60, ge=0, le=20_000, description="Values planted, more under canary_leak; 0: no audit."
    )
    rate: float = Field(default=1.0, gt=0, le=4, description="Values planted in one record of the sample.")


class Run(Closed):
    """How a build runs; never part of its identity."""

    executor: Literal["local", "slurm", "ray"] = "local"
    workers: int | Literal["auto"] = Field(default="auto", description="Processes at a time; auto: one a core.")
    slurm: dict[str, str | int] = Field(
        default_factory=dict, description="partition, time, cpus_per_task, mem_per_cpu_gb."
    )

    @field_validator("workers")
    @classmethod
    def _positive(cls, value: int | str) -> int | str:
        if isinstance(value, int) and value < 1:
            raise ValueError("must be at least 1, or auto")
        return value


class RecipeFile(Closed):
    """The keys of a recipe; closed. The sections curate, generate and mix are checked by their own stages."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Names the build's folder.")
    about: About = About()
    seed: int = Field(default=17, ge=0, lt=2**63, description="Every choice follows from it and the records.")
    tokenizer: str = Field(
        description="Path to a tokenizer.json or its folder (relative to the workspace), or `bytes`."
    )
    chat_template: str = Field(
        default="auto",
        description="How conversations are written for training: auto (the tokenizer's own chat template, where its "
        "folder has one), plain (a `role: content` line a turn), or a Jinja2 file, relative to the workspace.",
    )
    sources: SourceNames
    curate: dict[str, Any] = Field(default_factory=dict)
    generate: dict[str, Any] = Field(default_factory=dict)
    mix: dict[str, Any]
    gates: Gates = Gates()
    audit: Audit = Audit()
    run: Run = Run()


@dataclass(frozen=True, slots=True)
class Recipe:
    """A recipe that was checked as far as it can be without reading data."""

    spec: RecipeFile
    path: Path
    workspace: Path
    sources: tuple[Source, ...]
    curate: tuple[StageUse, ...]
    generate: tuple[StageUse, ...]
    completion: OutputTree | None
    instruct: OutputTree | None
    proofs: tuple[StageUse, ...] = ()
    packed: Packed | None = None
    preference: Preference | None = None

    @property
    def name(self) -> str:
        """Names the build's folder."""
        return self.spec.name

    def tokenizer(self) -> str:
        """`bytes`, or the absolute path of the tokenizer."""
        return _tokenizer_path(self.spec.tokenizer, self.workspace)

    def chat_template(self) -> str:
        """`auto`, `plain`, or the absolute path of a template."""
        return _template_path(self.spec.chat_template, self.workspace)


def nearest_workspace(path: Path) -> Path | None:
    """The nearest folder at or above a path that holds `sources/`."""
    whole = path.resolve()
    return next((folder for folder in (whole, *whole.parents) if (folder / "sources").is_dir()), None)


def find_workspace(recipe: Path) -> Path:
    """The nearest folder above the recipe that holds `sources/`; else the recipe's own folder."""
    return nearest_workspace(recipe.parent) or recipe.resolve().parent


def find_recipe(build: Path) -> Path:
    """The recipe that a build's folder is named after, in the workspace around it. Raises UsageError if none is."""
    name = build.resolve().parent.name
    workspace = nearest_workspace(build)
    if workspace is not None:
        declared = re.compile(rf"^name:\s*['\"]?{re.escape(name)}['\"]?\s*(?:#|$)", re.MULTILINE)
        for path in (workspace / "recipes" / f"{name}.yaml", *sorted(workspace.glob("recipes/**/*.yaml"))):
            if path.is_file() and declared.search(path.read_text("utf-8")):
                return path
    raise UsageError(f"no recipe named {name!r} lies around this build.", where=str(build), hint="Give --recipe.")


def read_recipe(path: Path, changes: Sequence[Change] = ()) -> Recipe:
    """Read and check a recipe and its sources without touching data. Raises Problems with every mistake at once.

    `changes` are read in place of what the file says.
    """
    file = load_yaml(path)
    if file.value is not None and not file.problems:
        file.change(changes)
    if file.value is None or file.problems:
        raise Problems(_in_order(file.problems))
    workspace = find_workspace(path)
    spec = validate(RecipeFile, file.value, file) or _without_bad_values(file.value)
    if spec is None:
        raise Problems(file.problems)
    if not (workspace / "sources").is_dir():
        hint = "Move the recipe into recipes/ of a workspace; corpusforge init DIR makes one."
        file.problems.append(file.problem(("sources",), "no folder sources/ lies beside or above this recipe.", hint))
        raise Problems(_in_order(file.problems))
    sources, more = _read_sources(spec, file, workspace)
    if spec.tokenizer != "bytes":
        _check_tokenizer(spec, file, workspace)
    _check_template(spec, file, workspace)
    curate = _curate(spec, file, workspace)
    generate = _generate(spec, file, curate, sources, workspace)
    # Sources that could not be read count as members: their own mistake is said once, not once more in the mix.
    members: dict[str, Role] = {name: role for role in reversed(ROLES) for name in getattr(spec.sources, role)}
    # So do tasks.
    made = generate.named
    completion = read_output("completion", spec.mix, file, members, made) if "completion" in spec.mix else None
    instruct = read_output("instruct", spec.mix, file, members, made) if "instruct" in spec.mix else None
    for key in spec.mix:
        if key not in MIX:
            hint = did_you_mean(key, MIX)
            file.problems.append(file.problem(("mix", key), f"unknown key {key!r}.", hint))
    packed = read_packed(spec.mix["packed"], file, [*members, *made]) if "packed" in spec.mix else None
    preference = read_preference(spec.mix, file, instruct, made="mcq" in made)
    if not spec.mix.keys() - {"packed", "preference"}:
        file.problems.append(file.problem(("mix",), "the mix is empty.", "Add completion: or instruct:."))
    if spec.gates.canary_leak is not None and not spec.audit.canaries:
        hint = "Remove the gate, or plant some: audit: {canaries: 60}."
        file.problems.append(file.problem(("gates", "canary_leak"), "nothing is planted: audit.canaries is 0.", hint))
    problems = file.problems + more
    if problems:
        raise Problems(_in_order(problems))
    stages = (tuple(curate), generate.tasks)
    mixed = (completion, instruct)
    return Recipe(spec, path, workspace, tuple(sources), *stages, *mixed, generate.proofs, packed, preference)


def _without_bad_values(value: Mapping[str, Any]) -> RecipeFile | None:
    """The recipe with the default in place of each key that cannot be read, so that what else is wrong is told too.

    None where that would make up mistakes: what the sources, tasks and mix name is looked for in each other.
    """
    try:
        return RecipeFile.model_validate(value)
    except ValidationError as error:
        bad = {str(item["loc"][0]) if item["loc"] else "" for item in error.errors()}
    misspelt = bool(bad - RecipeFile.model_fields.keys()) and "generate" not in value
    if misspelt or bad & {"", "name", "sources", "generate", "mix", "tokenizer"}:
        return None
    return RecipeFile.model_validate({key: one for key, one in value.items() if key not in bad})


def _in_order(problems: list[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _read_sources(spec: RecipeFile, file: YamlFile, workspace: Path) -> tuple[list[Source], list[Problem]]:
    folder = workspace / "sources"
    known = sorted(p.stem for p in folder.glob("*.yaml")) if folder.is_dir() else []
    found: list[Source] = []
    more: list[Problem] = []
    seen: dict[str, str] = {}
    for role in ROLES:
        for i, name in enumerate(getattr(spec.sources, role)):
            at: Location = ("sources", role, i)
            if name in seen:
                what = f"the source {name!r} is named twice (also under {seen[name]})."
                file.problems.append(file.problem(at, what, "Remove one."))
                continue
            seen[name] = role
            if name not in known:
                hint = did_you_mean(name, known) or f"Write {folder.name}/{name}.yaml."
                file.problems.append(file.problem(at, f"no source named {name!r}.", hint))
                continue
            source, source_file = read_source(folder / f"{name}.yaml", role, workspace)
            more.extend(source_file.problems)
            if source is not None:
                found.append(source)
                if (role == "labelled") != (source.spec.kind == "labelled"):
                    what = f"{name!r} is of kind {source.spec.kind} but listed under {role}."
                    file.problems.append(file.problem(at, what, "List labelled sources under labelled, and only them."))
    return found, more


def _tokenizer_path(name: str, workspace: Path) -> str:
    expanded = expand_variables(name)
    return expanded if expanded == "bytes" else str((workspace / expanded).resolve())


def _template_path(name: str, workspace: Path) -> str:
    return name if name in ("auto", "plain") else str((workspace / expand_variables(name)).resolve())


def _check_template(spec: RecipeFile, file: YamlFile, workspace: Path) -> None:
    try:
        path = _template_path(spec.chat_template, workspace)
    except ValueError as error:
        file.problems.append(file.problem(("chat_template",), str(error)))
        return
    if path not in ("auto", "plain") and not Path(path).is_file():
        what = f"no chat template at {spec.chat_template}."
        file.problems.append(file.problem(("chat_template",), what, "Give auto, plain, or a Jinja2 file."))


def _check_tokenizer(spec: RecipeFile, file: YamlFile, workspace: Path) -> None:
    try:
        path = Path(_tokenizer_path(spec.tokenizer, workspace))
    except ValueError as error:
        file.problems.append(file.problem(("tokenizer",), str(error)))
        return
    if not (path.is_file() or (path / "tokenizer.json").is_file() or (path / "vocab.json").is_file()):
        what = f"no tokenizer at {spec.tokenizer}."
        hint = "Give a tokenizer.json, a folder that holds one (or vocab.json and merges.txt), or `bytes`."
        file.problems.append(file.problem(("tokenizer",), what, hint))


def _curate(spec: RecipeFile, file: YamlFile, workspace: Path) -> list[StageUse]:
    uses: list[StageUse] = []
    for key in spec.curate:
        if key not in (*CURATE, "also"):
            hint = did_you_mean(key, (*CURATE, "also"))
            file.problems.append(file.problem(("curate", key), f"unknown stage {key!r}.", hint))
    for name in CURATE:
        value = spec.curate.get(name, {})
        if value is False:
            continue
        if (use := read_use(name, value, file, ("curate", name), workspace)) is not None:
            uses.append(use)
    also = spec.curate.get("also", [])
    if not isinstance(also, list):
        file.problems.append(file.problem(("curate", "also"), "must be a list of stages."))
        return uses
    return _place(uses, _also(also, spec, file, workspace), file)


class Also(BaseModel):
    """One stage beside the built-in ones: `stage` names it, `after` places it, the other keys are its settings."""

    model_config = ConfigDict(extra="allow")
    stage: str
    after: str
    name: str | None = Field(default=None, pattern=_STEP_NAME.pattern)
    sources: tuple[str, ...] | None = None


def _also(also: list[Any], spec: RecipeFile, file: YamlFile, workspace: Path) -> list[tuple[StageUse, str, Location]]:
    made: list[tuple[StageUse, str, Location]] = []
    every = {*spec.sources.domain, *spec.sources.labelled, *spec.sources.public}
    for i, value in enumerate(also):
        at: Location = ("curate", "also", i)
        entry = validate(Also, value, file, at)
        if entry is None:
            continue
        for name in set(entry.sources or ()) - every:
            file.problems.append(
                file.problem((*at, "sources"), f"no source named {name!r}.", did_you_mean(name, every))
            )
        if ".py:" in entry.stage:
            path = (workspace / entry.stage.rpartition(":")[0]).resolve()
            if not path.is_relative_to(workspace):
                what = f"the stage file {entry.stage!r} lies outside the workspace."
                file.problems.append(file.problem((*at, "stage"), what, "Move it into the workspace."))
                continue
        given = {k: v for k, v in value.items() if k not in ("stage", "after", "name", "sources")}
        if (use := read_use(entry.stage, given, file, at, workspace)) is not None:
            name = entry.name or _step_name(use.stage.name)
            if name in RESERVED or not _STEP_NAME.fullmatch(name):
                what = f"a step cannot be named {name!r}."
                file.problems.append(file.problem((*at, "stage"), what, "Give it a name: of small letters and dashes."))
                continue
            made.append((replace(use, name=name, sources=entry.sources), entry.after, at))
    return made


def _step_name(stage: str) -> str:
    """A name that can be a folder's: `datatrove:filters.GopherRepetitionFilter` is gopher-repetition-filter."""
    last = stage.rpartition(":")[2].rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", last).replace("_", "-").lower()


def _place(uses: list[StageUse], also: list[tuple[StageUse, str, Location]], file: YamlFile) -> list[StageUse]:
    """Put each extra stage behind the step that its `after` names; a name nobody reaches is a cycle or a mistake."""
    placed = list(uses)
    waiting = list(also)
    while waiting:
        names = [use.name for use in placed]
        ready = [entry for entry in waiting if entry[1] in names]
        if not ready:
            among = {entry[0].name for entry in waiting}
            for _, after, at in waiting:
                if after in among:
                    file.problems.append(file.problem((*at, "after"), f"waits for {after!r} in a cycle.", "Break it."))
                else:
                    hint = did_you_mean(after, [*names, *among])
                    file.problems.append(file.problem((*at, "after"), f"no step named {after!r}.", hint))
            return placed
        use, after, at = ready[0]
        waiting.remove(ready[0])
        if use.name in names:
            file.problems.append(file.problem((*at, "stage"), f"two steps named {use.name!r}.", "Give one a name:."))
            continue
        placed.insert(names.index(after) + 1, use)
    return placed


def _generate(
    spec: RecipeFile, file: YamlFile, curate: list[StageUse], sources: list[Source], workspace: Path
) -> Generation:
    redact = next((use for use in curate if use.stage.name == "redact"), None)
    private = [s.name for s in sources if s.spec.personal_data]
    found = read_generation(spec.generate, file, workspace, redact)
    if found.tasks and redact is None and private:
        what = f"generate would read personal data: {', '.join(private)} expect some, and curate leaves out redact."
        hint = "Remove redact: false, or declare personal_data: none in those sources."
        file.problems.append(file.problem(("generate",), what, hint))
    return found
