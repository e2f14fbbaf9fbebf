"""What was done: canonical hashing, a step's counts, and the manifest, which is written last."""

from __future__ import annotations

import hashlib
import importlib.metadata
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from corpusforge.errors import NotConserved, UsageError
from corpusforge.shards import write_bytes

FORMAT = 1
MANIFEST = "manifest.json"


def canonical(value: Any) -> bytes:
    """A value as JSON bytes that are the same everywhere. Raises TypeError for what has no single spelling."""
    _finite(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _finite(value: Any) -> None:
    # JSON has no infinity and no NaN: orjson writes null, so that two settings would share one address.
    if isinstance(value, float) and not math.isfinite(value):
        raise TypeError(f"{value} has no spelling in JSON")
    if isinstance(value, Mapping):
        for item in value.values():
            _finite(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _finite(item)


def fingerprint(value: Any) -> str:
    """32 hex digits that stand for a value."""
    return hashlib.blake2b(canonical(value), digest_size=16).hexdigest()


@lru_cache(maxsize=256)
def library_version(name: str) -> str:
    """The installed version of a distribution, or `absent`."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


@dataclass(slots=True)
class Counts:
    """Where the records of one source went in one step.

    Laws: read = kept + dropped + quarantined, and out = kept + added. `added` are the pieces beyond the first of a
    record that was split, or the rows beyond the first of a record that new ones were made from.
    """

    read: int = 0
    kept: int = 0
    added: int = 0
    out: int = 0
    characters: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The counts as plain JSON values."""
        return {
            "read": self.read,
            "kept": self.kept,
            "added": self.added,
            "out": self.out,
            "characters": self.characters,
            "dropped": dict(sorted(self.dropped.items())),
            "quarantined": dict(sorted(self.quarantined.items())),
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Counts:
        """The counts of `to_json`."""
        return Counts(**value)

    def add(self, other: Counts) -> None:
        """Add another shard's counts."""
        self.read += other.read
        self.kept += other.kept
        self.added += other.added
        self.out += other.out
        self.characters += other.characters
        add_counts(self.dropped, other.dropped)
        add_counts(self.quarantined, other.quarantined)

    def check(self, where: str) -> None:
        """Raises NotConserved if a record is unaccounted for."""
        left = self.kept + sum(self.dropped.values()) + sum(self.quarantined.values())
        if self.read != left:
            what = f"{self.read} records were read but {left} are accounted for."
            raise NotConserved(what, where=where, hint="The stage yields a record twice or not at all.")
        if self.out != self.kept + self.added:
            what = f"{self.out} records came out but {self.kept + self.added} are accounted for."
            raise NotConserved(what, where=where, hint="The stage yields records it did not announce.")


def add_counts(into: dict[str, int], other: Mapping[str, int]) -> None:
    """Add one table of counts to another."""
    for key, n in other.items():
        into[key] = into.get(key, 0) + n


def nearest(samples: Iterable[Mapping[str, Any]], each: int = 3) -> list[dict[str, Any]]:
    """For each source, reason and outcome the `each` samples closest to the threshold; ties by id."""
    groups: dict[tuple[str, str, bool], list[dict[str, Any]]] = {}
    for sample in samples:
        groups.setdefault((sample["source"], sample["reason"], sample["kept"]), []).append(dict(sample))
    chosen: list[dict[str, Any]] = []
    for key in sorted(groups):
        chosen.extend(sorted(groups[key], key=_distance)[:each])
    return chosen


def _distance(sample: Mapping[str, Any]) -> tuple[float, str]:
    score, threshold = sample.get("score"), sample.get("threshold")
    away = abs(score - threshold) if score is not None and threshold is not None else math.inf
    return (math.inf if math.isnan(away) else away), sample["id"]


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> Path:
    """Write the manifest; a build exists from this moment on."""
    path = folder / MANIFEST
    write_bytes(path, orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n")
    return path


def read_manifest(build: Path) -> dict[str, Any]:
    """The manifest of a build's folder. Raises UsageError if there is none."""
    path = build if build.name == MANIFEST else build / MANIFEST
    try:
        manifest = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(
            "is not a build: it has no manifest.json.", where=str(build), hint="See corpusforge ls."
        ) from None
    except orjson.JSONDecodeError:
        raise UsageError("is damaged: not JSON.", where=str(path), hint="Build again.") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise UsageError("is of another format.", where=str(path), hint="Build again with this version.")
    return manifest
