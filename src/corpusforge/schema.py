"""JSON Schema of recipes and sources, with every stage's and reader's settings, so that editors complete them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from corpusforge.engine_choice import KINDS, settings_class
from corpusforge.generation import BY_RULES, PROOFS, WRITTEN, ForAll
from corpusforge.mix_tree import PROFILES
from corpusforge.packed_settings import Packed
from corpusforge.preference_settings import Preference
from corpusforge.recipe import CURATE, Also, RecipeFile
from corpusforge.shards import write_json
from corpusforge.source import SourceFile
from corpusforge.stage import find_stage

_AMOUNT = {
    "anyOf": [
        {"type": "string", "pattern": r"^\s*(rest|\d+(\.\d+)?\s*(%|x|epochs?)|[\d_,.]+\s*[kKmMbBtT]?(\s*tokens)?)\s*$"},
        {"type": "integer", "minimum": 0},
    ],
    "description": "A share of the parent (2%), tokens (2B), epochs (4x), or rest.",
}
_PERCENT = r"^\s*\d+(\.\d+)?\s*%\s*$"
_DRAFT = "http://json-schema.org/draft-07/schema#"


def recipe_schema() -> dict[str, Any]:
    """The schema of a recipe, draft 7: what the YAML language server understands."""
    schema = RecipeFile.model_json_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    curate = {name: _stage(name, definitions) for name in CURATE}
    curate["also"] = {"type": "array", "items": Also.model_json_schema(), "description": "Stages beside these."}
    schema["properties"]["curate"] = _closed(curate)
    generate = {task: _task(task, definitions) for task in WRITTEN}
    generate |= {name: _stage(name, definitions) for name in PROOFS if name != "rescan"}
    generate["rescan"] = {"type": "boolean", "description": "Search what a model wrote for personal data once more."}
    generate |= _lenient(ForAll.model_json_schema())["properties"]
    engine = settings_class().model_json_schema()
    generate["engine"] = {"anyOf": [{"enum": list(KINDS)}, engine], "description": "What writes the rows."}
    schema["properties"]["generate"] = _closed(generate)
    group = {"anyOf": [_AMOUNT, {"type": "object", "additionalProperties": _AMOUNT}]}
    total = {"anyOf": [{"const": "all"}, _AMOUNT], "description": "The total, or all that shares and caps allow."}
    output: dict[str, Any] = {
        "type": "object",
        "properties": {"tokens": total, "rows": total, "max_epochs": {"type": ["number", "string"]}},
        "additionalProperties": group,
    }
    packed = Packed.model_json_schema()
    definitions.update(packed.pop("$defs", {}))
    profile = {"enum": list(PROFILES), "description": "Shares of domain and public under a name; see the README."}
    completion = {**output, "properties": {**output["properties"], "profile": profile}}
    mix = {"completion": completion, "instruct": output}
    for name, settings in (("packed", packed), ("preference", Preference.model_json_schema())):
        mix[name] = {"anyOf": [settings, {"type": ["boolean", "null"]}]}
    schema["properties"]["mix"] = _closed(mix)
    schema["$schema"] = _DRAFT
    return schema


def source_schema() -> dict[str, Any]:
    """The schema of a source, draft 7."""
    schema = SourceFile.model_json_schema()
    definitions: dict[str, Any] = schema.setdefault("$defs", {})
    formats: dict[str, str] = importlib.import_module("corpusforge.ingest.formats").FORMATS
    rules = []
    for name, path in sorted(formats.items()):
        module, _, attribute = path.partition(":")
        settings = _lenient(getattr(importlib.import_module(module), attribute).Settings.model_json_schema())
        definitions.update(settings.pop("$defs", {}))
        settings["properties"] = {"reader": {"const": name}, **settings.get("properties", {})}
        rules.append({"if": {"properties": {"reader": {"const": name}}}, "then": settings})
    long = {
        "type": "object",
        "required": ["reader"],
        "properties": {"reader": {"enum": sorted(formats)}},
        "allOf": rules,
    }
    schema["properties"]["format"] = {"anyOf": [{"enum": sorted(formats)}, long], "description": "How it is read."}
    schema["properties"]["path"] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    schema["properties"]["exclude"] = schema["properties"]["path"]
    kinds = schema["properties"]["personal_data"]
    schema["properties"]["personal_data"] = {"anyOf": [{"const": "none"}, kinds]}
    schema["properties"]["quarantine_limit"] = {"type": "string", "pattern": _PERCENT}
    schema["$schema"] = _DRAFT
    return schema


def write_schemas(workspace: Path) -> list[Path]:
    """Write `recipes/.schema.json` and `sources/.schema.json`; the paths written."""
    written = [workspace / "recipes" / ".schema.json", workspace / "sources" / ".schema.json"]
    for path, schema in zip(written, (recipe_schema(), source_schema()), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, schema)
    return written


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _lenient(schema: Any) -> Any:
    """The schema with the shorter spellings that the readers accept: one word for a list, a percentage for a share."""
    if isinstance(schema, list):
        return [_lenient(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _lenient(value) for key, value in schema.items()}
    shorter: dict[str, Any] | None = None
    if made.get("type") == "array" and made.get("items", {}).get("type") == "string":
        shorter = {"type": "string"}
    elif made.get("type") == "number" and made.get("maximum") == 1:
        shorter = {"type": "string", "pattern": _PERCENT}
    if shorter is None:
        return made
    about = {key: made.pop(key) for key in ("title", "description", "default") if key in made}
    return {**about, "anyOf": [made, shorter]}


def _task(task: str, definitions: dict[str, Any]) -> dict[str, Any]:
    """A task by rules, where there are any, or by a model, which is not told here what all tasks are told once."""
    written = _stage(WRITTEN[task], definitions)
    for key in ("engine", *ForAll.model_fields):
        written["anyOf"][0]["properties"].pop(key, None)
    if task not in BY_RULES:
        return written
    by_rules = _stage(BY_RULES[task], definitions)
    return {"anyOf": [by_rules["anyOf"][0], *written["anyOf"]], "description": by_rules["description"]}


def _stage(name: str, definitions: dict[str, Any]) -> dict[str, Any]:
    stage = find_stage(name)
    settings = _lenient(stage.Settings.model_json_schema())
    definitions.update(settings.pop("$defs", {}))
    about = (stage.__doc__ or name).strip().splitlines()[0]
    return {"anyOf": [settings, {"type": "boolean"}, {"type": "null"}], "description": about}
