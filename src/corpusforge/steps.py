"""One step of a plan: what it is (its identity), where its results lie, and whether they are there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from corpusforge.errors import StepFailed
from corpusforge.ingest.files import InputFile
from corpusforge.manifest import fingerprint, library_version
from corpusforge.setting_files import changed
from corpusforge.shards import Shard, sha256_file
from corpusforge.stage import SourceFacts, find_stage

Phase = Literal["ingest", "survey", "decide", "apply"]


@dataclass(frozen=True, slots=True)
class IngestShard:
    """Files of one source that become one shard; `limit` is not part of what it is."""

    name: str
    source: str
    reader: str
    settings: Mapping[str, Any]
    facts: SourceFacts
    files: tuple[InputFile, ...]
    sidecars: tuple[InputFile, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One use of a stage. `identity` holds all that decides its output beside its input; the rest is how.

    `settings` are ready for the stage (absolute paths); in `identity` files stand as content hashes.
    `decided_by` names an earlier step whose decisions hold for this one too, which then surveys nothing itself.
    `places` tells where the recipe writes the stage (key "") and its settings, as file:line:column.
    `open_text` tells that records may still hold personal data, so nothing of their text may be shown.
    """

    name: str
    stage: str
    folder: Path
    settings: Mapping[str, Any]
    identity: Mapping[str, Any]
    inputs: tuple[str, ...]
    seed: int
    facts: Mapping[str, SourceFacts]
    sources: tuple[str, ...] | None = None
    surveys: bool = False
    decided_by: str | None = None
    makes: bool = False
    reads_survey: bool = False
    open_text: bool = False
    places: Mapping[str, str] = field(default_factory=dict)

    def concerns(self, source: str) -> bool:
        """Whether this step treats a source's records; others pass it untouched."""
        return self.sources is None or source in self.sources

    def output_name(self, shard: str) -> str:
        """The name of the shard that this step makes of another."""
        return f"{self.name}.{shard}" if self.makes else shard

    def survey_key(self, source: str, input_sha: str) -> str:
        """The address of a survey: stage, settings, the source's facts and the input's bytes."""
        return fingerprint(["survey", self.identity, self.seed, _facts(self.facts[source]), input_sha])

    def decide_key(self, surveys: Sequence[tuple[str, str, str]]) -> str:
        """The address of the decisions over all (shard name, survey sha256, sha256 of the records)."""
        facts = {name: _facts(f) for name, f in sorted(self.facts.items())}
        return fingerprint(["decide", self.identity, self.seed, facts, sorted(surveys)])

    def apply_key(self, source: str, input_sha: str, shared_sha: str, mine_sha: str) -> str:
        """The address of an output shard."""
        own = [_facts(self.facts[source]), self.open_text]
        return fingerprint(["apply", self.identity, self.seed, own, input_sha, shared_sha, mine_sha])


def ingest_key(shard: IngestShard, reader_identity: Mapping[str, Any]) -> str:
    """The address of an ingested shard: reader, settings, the source's facts, file names and bytes."""
    files = [[f.name, f.sha256] for f in (*shard.files, *shard.sidecars)]
    facts = shard.facts
    about = [facts.name, facts.kind, facts.licence, list(facts.languages)]
    return fingerprint(["ingest", reader_identity, dict(shard.settings), about, files])


def _facts(facts: SourceFacts) -> list[Any]:
    return [facts.name, facts.kind, facts.role, facts.licence, list(facts.languages), list(facts.personal_data)]


def stage_identity(name: str, stage: Any, settings: Mapping[str, Any], resources: Mapping[str, str]) -> dict[str, Any]:
    """What a stage is, apart from its input: name, version, library versions, settings, shipped files."""
    return {
        "stage": name,
        "version": stage.version,
        "libraries": {library: library_version(library) for library in stage.libraries},
        "settings": dict(settings),
        "resources": dict(resources),
    }


@dataclass(frozen=True, slots=True)
class Store:
    """Where the results of steps lie, addressed by content: `steps/<step>/<key>.parquet` and `<key>.json`.

    The report is renamed into place last; what has no report does not exist.
    """

    root: Path

    def file(self, step: str, key: str, suffix: str) -> Path:
        """The path of one file of a result."""
        return self.root / step / f"{key}{suffix}"

    def report(self, step: str, key: str) -> dict[str, Any] | None:
        """The report of a result, or None if it is not there whole (its data missing or of another size)."""
        try:
            report: dict[str, Any] = orjson.loads(self.file(step, key, ".json").read_bytes())
            for suffix, size in report["files"].items():
                if self.file(step, key, suffix).stat().st_size != size:
                    return None
        except (FileNotFoundError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            return None
        return report

    def shard(self, step: str, key: str, report: Mapping[str, Any]) -> Shard:
        """The record shard of a result."""
        path = self.file(step, key, ".parquet")
        return Shard(
            report["shard"], report["source"], path, report["sha256"], report["rows"], report["files"][".parquet"]
        )


@dataclass(frozen=True, slots=True)
class Decided:
    """The decisions of one step: paths and sha256 of the shared table and of each shard's own."""

    shared: Path | None = None
    shared_sha: str = ""
    mine: Mapping[str, Path] = field(default_factory=dict)
    mine_sha: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def decided(store: Store, step: str, key: str, report: Mapping[str, Any]) -> Decided:
    """The decisions of a report written by the decide phase."""
    shared = store.file(step, key, ".shared.parquet") if report["shared"] else None
    mine = {shard: store.file(step, key, f".{shard}.parquet") for shard in report["mine"]}
    return Decided(shared, report["shared"], mine, report["mine"], report["notes"])


def hashed(file: InputFile) -> InputFile:
    """The file with its size and the sha256 of its raw bytes. Raises OSError if it cannot be read."""
    digest = hashlib.sha256()
    size = 0
    with file.open_raw() as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return InputFile(file.url, file.name, digest.hexdigest(), size)


def load_stage(step: Step) -> tuple[Any, Any]:
    """The stage object of a step and its settings. Raises StepFailed if a file it is made of changed since the plan."""
    stage = find_stage(step.stage, folder=step.folder)
    settings = stage.Settings.model_validate(dict(step.settings))
    others = list(dict.fromkeys(changed(stage, settings, step.identity["settings"])))
    if ".py:" in step.stage:
        file = step.stage.rpartition(":")[0]
        if sha256_file(step.folder / file) != step.identity["resources"].get(Path(file).name):
            others.insert(0, "the stage's file")
    resources = step.identity["resources"]
    # Files that no setting names one by one, such as the prompts of a folder, are told by their names there.
    now = {name: content for name, content in stage.also_identity(settings).items() if "/" in name}
    others += [name for name, content in now.items() if resources.get(name) != content]
    if others:
        what = f"{', '.join(others)} changed while the build ran."
        raise StepFailed(what, where=step.name, hint="Run the build again.")
    return stage(), settings


def facts_of_stage(step: Step) -> dict[str, Any]:
    """What the stage of a step tells the card's reader of itself."""
    stage = find_stage(step.stage, folder=step.folder)
    return dict(stage.facts(stage.Settings.model_validate(dict(step.settings))))
