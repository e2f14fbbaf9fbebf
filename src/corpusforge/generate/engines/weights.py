"""What a local model is: the content of its folder, or the commit of the Hub that lies in the local cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from corpusforge.generate.engines.settings import EngineSettings
from corpusforge.manifest import fingerprint
from corpusforge.shards import sha256_file, write_bytes

_ASIDE = (".md", ".png", ".jpg", ".gitattributes")


def engine_identity(settings: EngineSettings) -> Mapping[str, str]:
    """What decides the answers beside the settings, for `Stage.also_identity`: the content of a local model."""
    return {"model": folder_content(Path(settings.model))} if settings.is_folder else {}


def folder_content(folder: Path) -> str:
    """32 hex digits for a model's folder: configuration, tokenizer, code and weights, by name, size and sha256.

    A file's sha256 is kept in the user's cache under its device, inode, size and times, as weights are large: the
    system changes the second time with every write, whatever a program sets.
    """
    known = _read_known()
    before = dict(known)
    parts = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        name = path.relative_to(folder).as_posix()
        if any(part.startswith(".") for part in name.split("/")) or path.suffix in _ASIDE:
            continue
        stat = path.stat()
        mark = f"{stat.st_dev}:{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"
        if mark not in known:
            known[mark] = sha256_file(path)
        parts.append([name, stat.st_size, known[mark]])
    if known != before:
        _write_known(known)
    return fingerprint(parts)


def named(settings: EngineSettings) -> tuple[str, str]:
    """Model and revision as rows tell them: of a folder its architecture and content, wherever it lies."""
    return _named_folder(settings.model) if settings.is_folder else (settings.model, settings.revision)


@lru_cache(maxsize=64)
def _named_folder(folder: str) -> tuple[str, str]:
    # Once a process: rows are many, and a model that changes under a running build is another build's.
    return kind_of_model(Path(folder)), folder_content(Path(folder))


def kind_of_model(folder: Path) -> str:
    """What the folder's configuration calls its architecture, such as `llama`."""
    try:
        value: Any = orjson.loads((folder / "config.json").read_bytes())
        return str(value["model_type"])
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return "model"


def downloaded_commit(model: str, revision: str = "main") -> str:
    """The commit of a Hub model's branch in the local cache, or "" where it was never downloaded.

    Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    hub = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    try:
        return (hub / f"models--{model.replace('/', '--')}" / "refs" / revision).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _known_file() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpusforge" / "weights.json"


def _read_known() -> dict[str, str]:
    try:
        value = orjson.loads(_known_file().read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, dict) else {}


def _write_known(known: Mapping[str, str]) -> None:
    path = _known_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, orjson.dumps(known))
    except OSError:
        return  # a home that cannot be written to costs time, nothing else
