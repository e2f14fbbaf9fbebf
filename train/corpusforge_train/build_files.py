"""Reads a build's folder: its manifest, its packed files by their checksums, and whether a person approved it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from corpusforge_train.errors import NotApproved, TrainError, WrongUse

_PACKED_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Build:
    """A build as the trainer sees it: its folder, manifest, the manifest's sha256, and the section `packed` of it."""

    folder: Path
    manifest: dict[str, Any]
    sha256: str
    packed: dict[str, Any]

    def files(self, name: str) -> list[Path]:
        """The packed files of an output, or of `holdout`, in order."""
        section = self.packed["holdout"] if name == "holdout" else self.packed["outputs"][name]
        return [self.folder / file["path"] for file in section["files"]]

    def check(self) -> None:
        """Raises TrainError if a packed file is missing or has other bytes than the manifest says."""
        for file in self.packed["files"]:
            check_file(self.folder / file["path"], file["sha256"])

    def licences(self) -> dict[str, str]:
        """The licence of each source."""
        return {source["name"]: _name(source["licence"]) for source in self.manifest["sources"]}

    def named(self) -> dict[str, Any]:
        """What a receipt says of the build: its manifest's sha256, id, name, recipe, and its sources' licences."""
        own = {key: self.manifest[key] for key in ("build", "name", "recipe")}
        return {"manifest_sha256": self.sha256, **own, "licences": self.licences()}


def check_file(path: Path, sha256: str) -> None:
    """Raises TrainError if a file of the build is missing or has other bytes than the manifest says."""
    if not path.is_file() or _sha256(path) != sha256:
        raise TrainError("is missing or damaged.", where=str(path), hint="Build again.")


def read_build(folder: Path) -> Build:
    """A build with packed sequences. Raises WrongUse if the folder is none, or was built without `mix.packed`."""
    path = folder / "manifest.json"
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise WrongUse("is not a build: it has no manifest.json.", where=str(folder)) from None
    try:
        manifest = json.loads(data)
        packed = manifest.get("packed")
    except (ValueError, AttributeError):
        raise WrongUse("is damaged.", where=str(path), hint="Build again.") from None
    if packed is None:
        hint = "Add `packed: {length: 4096}` to the recipe's mix and build again."
        raise WrongUse("the build has no packed sequences.", where=str(folder), hint=hint)
    if packed["format"] != _PACKED_FORMAT:
        raise WrongUse("the packed sequences are of another format.", where=str(folder), hint="Build again.")
    return Build(folder, manifest, hashlib.sha256(data).hexdigest(), packed)


def approval(build: Build, cards: Path) -> str | None:
    """Who approved this very build (by the manifest's bytes), from `cards/<name>/approval.yaml`; None if nobody did."""
    folder = cards / str(build.manifest["name"])
    try:
        value = yaml.safe_load((folder / "approval.yaml").read_text("utf-8"))
        card = _sha256(folder / "card.json")
    except (FileNotFoundError, NotADirectoryError, UnicodeDecodeError, yaml.YAMLError):
        return None
    if not isinstance(value, dict):
        return None
    same = value.get("manifest_sha256") == build.sha256 and value.get("card_sha256") == card
    return str(value.get("reviewer")) if same else None


def check_approval(build: Build, cards: Path, unapproved: bool) -> str | None:
    """Who approved the build. Raises NotApproved if nobody did and `unapproved` does not say that this is wanted."""
    who = approval(build, cards)
    if who is None and not unapproved:
        name = build.manifest["name"]
        hint = f"corpusforge approve {name} signs it; --unapproved trains without."
        raise NotApproved(f"the mix of {name}, build {build.folder.name}, is not approved.", hint=hint)
    return who


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _name(licence: Any) -> str:
    return str(licence.get("name") or licence.get("id") or licence) if isinstance(licence, dict) else str(licence)
