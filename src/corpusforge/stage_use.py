"""One use of a stage by a recipe, and how the settings that are written at a place of the YAML become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.setting_files import check_files
from corpusforge.stage import Stage, StageSettings, find_stage
from corpusforge.yaml_file import Location, YamlFile, validate


@dataclass(frozen=True, slots=True)
class StageUse:
    """One stage as the recipe uses it: the step's name, the stage's class, settings, and on which sources.

    `places` tells as file:line:column where the stage (key "") and its settings (`model`, `rules.lines`) are written.
    """

    name: str
    stage: type[Stage]
    settings: StageSettings
    sources: tuple[str, ...] | None = None
    written: str = ""
    places: Mapping[str, str] = field(default_factory=dict)


def read_use(name: str, value: Any, file: YamlFile, at: Location, folder: Path) -> StageUse | None:
    """The stage of that name with settings that are written at a place; None after adding every mistake."""
    try:
        stage = find_stage(name, folder=folder)
    except UsageError as error:
        file.problems.append(file.problem((*at, "stage"), error.problem.what, error.problem.hint))
        return None
    if value is None or value is True:
        value = {}
    if not isinstance(value, dict):
        said = at[-1] if isinstance(at[-1], str) else name
        what = f"{said}: must be a mapping of settings, or false to leave it out."
        file.problems.append(file.problem(at, what))
        return None
    settings = validate(stage.Settings, value, file, at)
    if settings is None:
        return None
    check_files(stage, settings, file, at, folder)
    return StageUse(name, stage, settings, written=name, places=file.places(at))
