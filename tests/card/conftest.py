"""Builds on disk for the card's tests, and a wall against the network."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The hand-made manifests: `manifest()`, `earlier()`, `blameless()`."""
    return _load("a_manifest")


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to connect fails the test."""

    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)


TABLES = {
    "completion": pa.table(
        {"id": ["a", "b"], "text": ["Hello there.", "Good day."], "tokens": [3, 3], "parents": [["p"], ["q"]]}
    ),
    "instruct": pa.table({"id": ["a"], "messages": [[{"role": "user", "content": "Hi"}]], "weight": [1.0]}),
    "eval": pa.table({"id": ["a"], "question": ["Why?"], "hard": [True]}),
}


def build(folder: Path, manifest: dict[str, Any]) -> Path:
    """A build's folder with small parquet files at the paths that its manifest names."""
    folder.mkdir(parents=True, exist_ok=True)
    mixes = [mix for mix in manifest["mix"].values() if mix]
    for file in [f for mix in mixes for f in mix["files"]] + manifest["eval"]["files"]:
        path = folder / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(TABLES[file["path"].split("/")[0]], path)
    (folder / "manifest.json").write_text(json.dumps(manifest, sort_keys=True))
    return folder


@pytest.fixture
def build_dir(tmp_path: Path, made: ModuleType) -> Path:
    """The build with one failing gate, on disk."""
    return build(tmp_path / "build", made.manifest())


@pytest.fixture
def good_build(tmp_path: Path, made: ModuleType) -> Path:
    """The build that nothing stands in the way of, on disk."""
    return build(tmp_path / "good", made.blameless())
