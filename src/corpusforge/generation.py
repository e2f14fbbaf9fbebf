"""Reads the section `generate` of a recipe: tasks by rules or by a model, what all of them are told, and the checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from corpusforge.engine_choice import read_engine
from corpusforge.stage import find_stage
from corpusforge.stage_use import StageUse, read_use
from corpusforge.yaml_file import YamlFile, did_you_mean, expand_variables, validate

# Each task's stage without a model, and with one.
BY_RULES: Mapping[str, str] = {"qa": "qa", "mcq": "mcq", "reading": "reading"}
WRITTEN: Mapping[str, str] = {
    "qa": "qa-written",
    "mcq": "mcq-written",
    "reading": "reading-written",
    "rewrite": "rewrite",
    "turns": "turns",
}
TASKS = tuple(WRITTEN)
PROOFS = ("verify", "alike", "rescan")
FROM_QUESTIONS = "mcq-written"


class ForAll(BaseModel):
    """What is written once, beside the engine, for all tasks that a model writes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tone: str = Field(default="", description="The house's tone and guidelines; stands in every prompt, word for word.")
    product: str = Field(default="", description="The company or product; stands before every text that is shown.")
    languages: tuple[str, ...] = Field(default=(), description="Languages to write in (en, de); all if empty.")
    prompts: str | None = Field(
        default=None, description="A folder whose NAME.j2 files take the place of shipped prompts."
    )


@dataclass(frozen=True, slots=True)
class Generation:
    """The tasks of a recipe in their order, and the stages that every row of theirs must pass.

    `named` are the tasks that the recipe asks for, whether or not what it says of them can be read.
    """

    tasks: tuple[StageUse, ...] = ()
    proofs: tuple[StageUse, ...] = ()
    named: tuple[str, ...] = ()


def read_generation(section: Mapping[str, Any], file: YamlFile, workspace: Path, redact: StageUse | None) -> Generation:
    """The section's tasks and checks; every mistake goes to `file.problems`.

    `redact` is the recipe's redaction, if it has one: by its settings what a model writes is searched once more.
    """
    known = (*TASKS, *PROOFS, *ForAll.model_fields, "engine")
    for key in section:
        if key not in known:
            what = f"unknown task {key!r}."
            file.problems.append(file.problem(("generate", key), what, did_you_mean(key, known)))
    engine = read_engine(section.get("engine", "extractive"), file, ("generate", "engine"), workspace)
    told = {key: section[key] for key in ForAll.model_fields if key in section}
    shared = validate(ForAll, told, file, ("generate",))
    named = tuple(task for task in TASKS if section.get(task, False) is not False)
    if engine is None or shared is None:
        return Generation(named=named)
    if engine.kind == "extractive":
        tasks = _by_rules(section, told, file, workspace)
    else:
        tasks = _by_model(section, shared, engine, file, workspace)
    proofs = tuple(_proofs(section, tasks, redact, file, workspace)) if tasks else ()
    return Generation(tuple(tasks), proofs, named)


def _proofs(
    section: Mapping[str, Any], tasks: Sequence[StageUse], redact: StageUse | None, file: YamlFile, workspace: Path
) -> Iterator[StageUse]:
    if section.get("verify") is False:
        what = "rows that nothing holds against their source cannot be told from invented ones."
        file.problems.append(file.problem(("generate", "verify"), what, "Give it thresholds, or leave it as it is."))
    value = section.get("rescan", True)
    if value not in (True, False, None, {}):
        hint = "Write rescan: false to leave it out."
        file.problems.append(file.problem(("generate", "rescan"), "rescan searches as redact does.", hint))
    if redact is not None and value is not False and any(use.written not in BY_RULES for use in tasks):
        # Ahead of the others: what they leave out is kept with its text.
        yield replace(redact, name="rescan", stage=find_stage("rescan"), written="rescan", sources=None)
    for name in ("verify", "alike"):
        value = section.get(name, {})
        if value is not False and (use := read_use(name, value, file, ("generate", name), workspace)) is not None:
            yield use


def _by_rules(section: Mapping[str, Any], told: Mapping[str, Any], file: YamlFile, workspace: Path) -> list[StageUse]:
    for key in (*told, *(task for task in TASKS if task not in BY_RULES and section.get(task, False) is not False)):
        what = f"{key} needs a model, and the engine is 'extractive'."
        hint = "Remove it, or name an engine: vllm or endpoint."
        file.problems.append(file.problem(("generate", key), what, hint))
    uses: list[StageUse] = []
    for task, stage in BY_RULES.items():
        value = section.get(task, False)
        if value is not False and (use := read_use(stage, value, file, ("generate", task), workspace)) is not None:
            uses.append(use)
    return uses


def _by_model(
    section: Mapping[str, Any], shared: ForAll, engine: Any, file: YamlFile, workspace: Path
) -> list[StageUse]:
    common: dict[str, Any] = {key: getattr(shared, key) for key in shared.model_fields_set}
    if shared.prompts is not None:
        try:
            common["prompts"] = str((workspace / expand_variables(shared.prompts)).resolve())
        except ValueError as error:
            file.problems.append(file.problem(("generate", "prompts"), str(error)))
            return []
        if not Path(common["prompts"]).is_dir():
            what = f"prompts: no folder lies at {shared.prompts}."
            hint = "Paths are relative to the workspace; it holds files like qa.j2."
            file.problems.append(file.problem(("generate", "prompts"), what, hint))
            return []
    uses: list[StageUse] = []
    for task, stage in WRITTEN.items():
        value = section.get(task, False)
        if value is False:
            continue
        own = value if isinstance(value, dict) else {}
        for key in ("engine", *ForAll.model_fields):
            if key in own:
                what, hint = f"{key} is the same for all tasks.", f"Write it below generate, as {key}:."
                file.problems.append(file.problem(("generate", task, key), what, hint))
        if isinstance(value, dict) or value is None or value is True:
            value = {**own, **common, "engine": engine.model_dump(mode="json", exclude_unset=True)}
        if (use := read_use(stage, value, file, ("generate", task), workspace)) is not None:
            uses.append(replace(use, name=task))
    names = [use.name for use in uses]
    if "mcq" in names and "qa" not in names and section.get("qa", False) is False:
        what = "mcq is made of the rows of qa, which is left out."
        file.problems.append(file.problem(("generate", "mcq"), what, "Add qa: {}."))
    return uses


def without_model(uses: Sequence[StageUse]) -> tuple[StageUse, ...]:
    """The same tasks by rules, where there are any: what is looked at in passing is not to be paid for."""
    made: list[StageUse] = []
    for use in uses:
        if use.written not in WRITTEN.values():
            made.append(use)
        elif use.name in BY_RULES:
            stage = find_stage(BY_RULES[use.name])
            made.append(StageUse(use.name, stage, stage.Settings(), written=BY_RULES[use.name], places=use.places))
    return tuple(made)
