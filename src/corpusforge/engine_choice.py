"""Reads `generate.engine` of a recipe: every mistake with its place, folders absolute, a revision pinned."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from corpusforge.stage import StageSettings
from corpusforge.yaml_file import Location, YamlFile, did_you_mean, expand_variables, validate

KINDS = ("extractive", "vllm", "transformers", "endpoint")
_ROOM = "corpusforge.generate.engines"


def read_engine(value: Any, file: YamlFile, at: Location, workspace: Path) -> Any:
    """The `EngineSettings` that the recipe writes at a place; None after adding every mistake to `file.problems`."""
    if isinstance(value, str):
        value = {"kind": value}
    if not isinstance(value, dict):
        what = "must be a mapping of settings, or the name of an engine."
        file.problems.append(file.problem(at, what, f"Known: {', '.join(KINDS)}."))
        return None
    kind = value.get("kind", "extractive")
    if kind not in KINDS:
        hint = did_you_mean(str(kind), KINDS)
        file.problems.append(file.problem((*at, "kind"), f"no engine named {kind!r}.", hint))
        return None
    settings = validate(settings_class(), value, file, at)
    if settings is None:
        return None
    before = len(file.problems)
    expanded: dict[str, Any] = {}
    for name in ("model", "address", "python"):
        try:
            if name in settings.model_fields_set:
                expanded[name] = expand_variables(getattr(settings, name))
        except ValueError as error:
            file.problems.append(file.problem((*at, name), str(error)))
    written: Any = settings.model_copy(update=expanded)
    file.problems.extend(file.problem((*at, *place), what, hint) for place, what, hint in written.problems())
    if len(file.problems) > before:
        return None
    if written.kind in ("vllm", "transformers"):
        written = _found(written, file, at, workspace)
    return written if len(file.problems) == before else None


def settings_class() -> type[StageSettings]:
    """The model of `generate.engine`; its room lies above this module, so it is found by name."""
    found: type[StageSettings] = importlib.import_module(f"{_ROOM}.settings").EngineSettings
    return found


def _found(settings: Any, file: YamlFile, at: Location, workspace: Path) -> Any:
    """The settings with the model's folder absolute, or with the commit of a model of the Hub."""
    folder = importlib.import_module(f"{_ROOM}.settings").model_path(settings.model, workspace)
    if settings.python:
        # Not resolved: a virtual environment's interpreter is a link, and followed it is another environment's.
        python = workspace / Path(settings.python).expanduser()
        if not python.is_file():
            what = f"python: nothing lies at {settings.python}."
            file.problems.append(file.problem((*at, "python"), what, "Name an interpreter that has vllm."))
        settings = settings.model_copy(update={"python": str(python)})
    if folder is not None:
        if not (folder / "config.json").is_file():
            what = f"model: no config.json lies in {settings.model}."
            file.problems.append(
                file.problem((*at, "model"), what, "Name a folder with a model in Hugging Face's form.")
            )
        if settings.revision:
            what = "revision says nothing of a folder, whose content is looked at."
            file.problems.append(file.problem((*at, "revision"), what, "Remove it."))
        return settings.model_copy(update={"model": str(folder)})
    weights = importlib.import_module(f"{_ROOM}.weights")
    commit = settings.revision or weights.downloaded_commit(settings.model)
    if not commit:
        what = (
            f"model: which weights of {settings.model} would write is not known: it is neither pinned nor downloaded."
        )
        hint = f"Add revision: with a commit of the Hub, or run `hf download {settings.model}`, or name a folder."
        file.problems.append(file.problem((*at, "model"), what, hint))
    return settings.model_copy(update={"revision": commit})
