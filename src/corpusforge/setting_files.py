"""The files that a stage's settings name: found from the workspace, known by their content, told where one is bad."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.manifest import fingerprint
from corpusforge.shards import sha256_file
from corpusforge.stage import NamedFile, Stage, StageSettings
from corpusforge.yaml_file import Location, YamlFile, expand_variables

HIDDEN = "file"


def check_files(stage: type[Stage], settings: StageSettings, file: YamlFile, at: Location, workspace: Path) -> None:
    """Add to `file.problems` every file that is not there, else what the stage says of their content.

    `at` is where the recipe writes the settings.
    """
    missing = False
    for named in stage.files(settings):
        place = (*at, *named.setting)
        try:
            found = path_of(named, workspace).exists()
        except ValueError as error:
            file.problems.append(file.problem(place, str(error)))
            missing = True
            continue
        if not found:
            word = next(str(key) for key in reversed(named.setting) if isinstance(key, str))
            file.problems.append(file.problem(place, f"{word}: nothing lies at {named.written}.", named.hint))
            missing = True
    if missing:
        return
    ready, _ = resolved(stage, settings, workspace)
    try:
        stage.check(stage.Settings.model_validate(ready))
    except UsageError as error:
        # A stage says by the setting's name where the fault lies.
        place = (*at, *error.problem.where.split(".")) if error.problem.where else at
        file.problems.append(file.problem(place, error.problem.what, error.problem.hint))


def resolved(stage: type[Stage], settings: StageSettings, workspace: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings as the stage gets them, with absolute paths, and as its identity has them, with contents.

    Raises UsageError for a file that is not there.
    """
    ready = settings.model_dump(mode="json")
    shown = stage.identity_settings(settings)
    for named in stage.files(settings):
        path = path_of(named, workspace)
        if not path.exists():
            raise UsageError(f"the file {named.written} is not there.", where=stage.name, hint=named.hint)
        _put(ready, named.setting, f"{named.prefix}{path}")
        _put(shown, named.setting, HIDDEN if named.secret else content_of(path, whole=named.whole))
    return ready, shown


def changed(stage: type[Stage], settings: StageSettings, identity: Mapping[str, Any]) -> Iterator[str]:
    """Names of settings with absolute paths whose files no longer have the content that the identity names."""
    for named in stage.files(settings):
        path = Path(named.written)
        if not named.secret and (
            not path.exists() or content_of(path, whole=named.whole) != _get(identity, named.setting)
        ):
            yield str(named.setting[0])


def path_of(named: NamedFile, workspace: Path) -> Path:
    """The absolute path of a named file. Raises ValueError for a variable that is not set."""
    return (workspace / Path(expand_variables(named.written)).expanduser()).resolve()


def content_of(path: Path, *, whole: bool = False) -> str:
    """The sha256 of a file. Of a folder that of all files below it (`whole`), else of its own settings and
    vocabularies alone, not of the weights of a model that lie beside its tokenizer.
    """
    if not path.is_dir():
        return sha256_file(path)
    if whole:
        inside = sorted(p for p in path.rglob("*") if p.is_file())
    else:
        inside = sorted(p for p in path.iterdir() if p.is_file() and p.suffix in (".json", ".txt", ".model", ".jinja"))
    return fingerprint([[p.relative_to(path).as_posix(), sha256_file(p)] for p in inside])


def _put(tree: Any, location: Location, value: str) -> None:
    for key in location[:-1]:
        tree = tree[key]
    tree[location[-1]] = value


def _get(tree: Any, location: Location) -> Any:
    for key in location:
        tree = tree[key]
    return tree
