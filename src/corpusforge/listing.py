"""What there is: builds, recipes, sources, stages and readers, and the settings of each, as tables."""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel

from corpusforge.errors import UsageError
from corpusforge.manifest import read_manifest
from corpusforge.recipe import nearest_workspace
from corpusforge.stage import BUILT_IN, ENTRY_POINTS, find_stage
from corpusforge.yaml_file import did_you_mean, load_yaml, shown_path

Table = tuple[tuple[str, ...], list[tuple[Any, ...]]]


def table(what: str, folder: Path) -> Table:
    """The list of that name, or the settings of the stage or reader of that name. Raises UsageError for neither."""
    if what in LISTS:
        return LISTS[what](folder)
    formats: Mapping[str, str] = importlib.import_module("corpusforge.ingest.formats").FORMATS
    if what in formats:
        module, attribute = formats[what].split(":")
        return _settings(getattr(importlib.import_module(module), attribute).Settings)
    if what in BUILT_IN or ":" in what:
        return _settings(find_stage(what, folder=_here()).Settings)
    hint = did_you_mean(what, [*LISTS, *BUILT_IN, *formats])
    raise UsageError(f"cannot list {what!r}.", hint=hint)


def _settings(model: type[BaseModel]) -> Table:
    """One row a setting: its name, its default as YAML would have it, and what it means."""
    rows: list[tuple[Any, ...]] = []
    for name, field in model.model_fields.items():
        default = (
            "(needed)"
            if field.is_required()
            else orjson.dumps(_plain(field.get_default(call_default_factory=True))).decode()
        )
        rows.append((name, default if len(default) <= 40 else default[:39] + "…", field.description or ""))
    return ("setting", "default", "meaning"), rows


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _here() -> Path:
    return nearest_workspace(Path()) or Path()


def builds(folder: Path) -> Table:
    """Finished builds, by recipe; the latest of each is marked."""
    rows: list[tuple[Any, ...]] = []
    for path in sorted(folder.glob("*/*/manifest.json")):
        manifest = read_manifest(path.parent)
        latest = path.parents[1] / "latest"
        newest = latest.is_file() and latest.read_text().strip() == path.parent.name
        tokens = sum(output["got_tokens"] for output in manifest["mix"].values())
        failed = sum(not gate["passed"] for gate in manifest["gates"])
        rows.append((manifest["name"], manifest["build"], tokens, failed, newest, str(path.parent)))
    return ("recipe", "build", "tokens", "gates failed", "latest", "folder"), rows


def recipes(_: Path) -> Table:
    """Recipes of this workspace."""
    return ("recipe", "path", "purpose"), [_recipe(path) for path in sorted((_here() / "recipes").glob("*.yaml"))]


def _recipe(path: Path) -> tuple[Any, ...]:
    value = load_yaml(path).value or {}
    about = value.get("about")
    return value.get("name", "?"), shown_path(path), about.get("purpose", "") if isinstance(about, dict) else ""


def sources(_: Path) -> Table:
    """Sources of this workspace."""
    rows: list[tuple[Any, ...]] = []
    for path in sorted((_here() / "sources").glob("*.yaml")):
        value = load_yaml(path).value or {}
        rows.append((value.get("name", "?"), value.get("kind", ""), value.get("licence", ""), value.get("about", "")))
    return ("source", "kind", "licence", "about"), rows


def stages(_: Path) -> Table:
    """Stages that a recipe may name: built-in, and those of installed packages."""
    names = [*BUILT_IN, *(point.name for point in importlib.metadata.entry_points(group=ENTRY_POINTS))]
    rows: list[tuple[Any, ...]] = []
    for name in names:
        try:
            stage = find_stage(name)
        except UsageError as error:
            rows.append((name, 0, str(error)))
            continue
        rows.append((name, stage.version, (stage.__doc__ or "").strip().splitlines()[0]))
    return ("stage", "version", "about"), rows


def readers(_: Path) -> Table:
    """Formats that a source may name."""
    formats: Mapping[str, str] = importlib.import_module("corpusforge.ingest.formats").FORMATS
    rows: list[tuple[Any, ...]] = []
    for name, place in sorted(formats.items()):
        module, attribute = place.split(":")
        reader = getattr(importlib.import_module(module), attribute)
        rows.append((name, reader.version, (reader.__doc__ or "").strip().splitlines()[0]))
    return ("reader", "version", "about"), rows


LISTS: Mapping[str, Callable[[Path], Table]] = {
    "builds": builds,
    "recipes": recipes,
    "sources": sources,
    "stages": stages,
    "readers": readers,
}
