"""What the card's reader is told of a name model: version, languages, training data with licences, figures."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusforge.curate.redaction.ner import EMBEDDED, embedded_folder, model_card

_FEWEST_SHOWN = 20


def told(name: str, version: str) -> dict[str, Any]:
    """A model by the name that a recipe gives it, without the folder where it lies; `version` is its fingerprint.

    `figures` holds for each set the model never saw `recall` and `precision` by label (`all` for all of them) and
    `over_masked`, each a share with `n`, `low` and `high` (95%, Wilson). Pipelines made elsewhere have what their
    makers state instead, without any of these, as `stated`.
    """
    card = model_card(name)
    known = {"name": Path(name).name, "version": version}
    if card is None:
        return known | _made_elsewhere(name)
    data = [_data(row) for row in card["data"]]
    base = card.get("base")
    if base is not None:
        # What a model was trained further from is in it too; of a base in a folder its own card is the witness.
        data += [_data(row) for row in (model_card(str(base["name"])) or {"data": []})["data"]]
    figures = {kept_out: _shown(found) for kept_out, found in card["figures"].items()}
    further = {"base": Path(str(base["name"])).name} if base is not None else {}
    return known | {"languages": list(card["languages"]), "data": data, "figures": figures} | further


def _data(row: Mapping[str, Any]) -> dict[str, str]:
    if "file" in row:
        return {"name": str(row["file"]), "licence": "", "attribution": "", "use": f"own labels, {row['sha256'][:12]}"}
    return {key: str(row.get(key, "")) for key in ("name", "licence", "attribution", "use")}


def _shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """Labels of which a handful was seen say nothing and are left out."""
    shown: dict[str, Any] = {
        side: {label: one for label, one in found[side].items() if label == "all" or one["n"] >= _FEWEST_SHOWN}
        for side in ("recall", "precision")
    }
    return shown | {"over_masked": found["over_masked"]}


def _made_elsewhere(name: str) -> dict[str, Any]:
    path = _meta(name)
    if path is None:
        return {}
    meta: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    data = [
        {"name": str(row.get("name", "")), "licence": str(row.get("license") or ""),
         "attribution": str(row.get("author") or ""), "use": "as its makers state"}
        for row in meta.get("sources") or ()
        if isinstance(row, dict)
    ]  # fmt: skip
    measured = meta.get("performance") or {}
    stated = {
        word: round(float(measured[key]), 4)
        for word, key in (("recall", "ents_r"), ("precision", "ents_p"))
        if isinstance(measured.get(key), int | float)
    }
    return {
        "languages": [str(meta["lang"])] if meta.get("lang") else [],
        "licence": str(meta.get("license") or ""), "data": data, "stated": stated,
    }  # fmt: skip


def _meta(name: str) -> Path | None:
    """The description that spaCy writes beside a pipeline, in a folder or in an installed package."""
    folder = embedded_folder() if name == EMBEDDED else Path(name)
    if not folder.is_dir():
        found = importlib.util.find_spec(name) if name.isidentifier() else None
        if found is None or found.origin is None:
            return None
        folder = Path(found.origin).parent
    path = folder / "meta.json"
    return path if path.is_file() else None
