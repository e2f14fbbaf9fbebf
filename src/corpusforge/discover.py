"""Finds a source's raw files wherever fsspec reaches, fingerprints them, and deals them into stable shards."""

from __future__ import annotations

import fnmatch
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.ingest.files import InputFile
from corpusforge.record import stable_hash
from corpusforge.shards import commit, sha256_file, temporary_name
from corpusforge.source import Source
from corpusforge.steps import IngestShard
from corpusforge.yaml_file import expand_variables

SHARD_BYTES = 4_000_000
MAX_SHARDS = 1024
_GLOB = ("*", "?", "[")


def discover(source: Source, downloads: Path) -> list[IngestShard]:
    """The shards of a source. Which shard a file falls into depends on its name and the source's size class alone, so
    an edited file touches one shard. Raises UsageError when nothing is found.
    """
    files = _files(source, downloads)
    shards = 1
    while shards * SHARD_BYTES < sum(f.size for f in files) and shards < min(MAX_SHARDS, len(files)):
        shards *= 2
    buckets: dict[int, list[InputFile]] = {}
    for file in files:
        buckets.setdefault(int(stable_hash(file.name), 16) % shards, []).append(file)
    settings = source.settings.model_dump(mode="json")
    made = []
    for k, bucket in sorted(buckets.items()):
        sidecars = _sidecars(source, bucket, files)
        name = f"{source.name}-{k:05d}"
        made.append(
            IngestShard(name, source.name, source.reader.name, settings, source.facts(), tuple(bucket), sidecars)
        )
    return made


def reader_identity(source: Source) -> dict[str, Any]:
    """What a source's reader is, apart from its settings."""
    from corpusforge.manifest import library_version

    reader = source.reader
    return {
        "reader": reader.name,
        "version": reader.version,
        "libraries": {library: library_version(library) for library in reader.libraries},
    }


def _files(source: Source, downloads: Path) -> list[InputFile]:
    found: dict[str, InputFile] = {}
    where = str(source.file)
    for pattern in source.spec.path:
        expanded = expand_variables(pattern)
        if expanded.startswith(("http://", "https://")):
            pairs = [(_download(source, expanded, downloads), PurePosixPath(expanded).name)]
        elif "://" in expanded and not expanded.startswith("file://"):
            pairs = _remote(expanded, where)
        else:
            pairs = _local(source.workspace, expanded.removeprefix("file://"))
        for url, name in pairs:
            if any(fnmatch.fnmatchcase(name, glob) for glob in source.spec.exclude):
                continue
            if name in found:
                what = f"two files are called {name!r} below different roots."
                raise UsageError(what, where=where, hint="Give one pattern from their common folder.")
            found[name] = InputFile(url, name)
    if not found:
        shown = ", ".join(expand_variables(p) for p in source.spec.path)
        raise UsageError(f"no file matches {shown}.", where=where, hint="Set the variable it names, or mend path:.")
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(_fingerprinted, (found[name] for name in sorted(found))))
    wanted = source.spec.sha256
    if wanted is not None and any(f.sha256 != wanted for f in files):
        wrong = next(f for f in files if f.sha256 != wanted)
        what = f"{wrong.name} has the sha256 {wrong.sha256}, not the one that is declared."
        raise UsageError(what, where=where, hint="The file changed, or the declaration is wrong.")
    return files


def _local(workspace: Path, pattern: str) -> list[tuple[str, str]]:
    path = pattern if os.path.isabs(pattern) else str(workspace / pattern)
    path = os.path.normpath(path)
    parts = PurePosixPath(path).parts
    fixed = next((i for i, part in enumerate(parts) if any(c in part for c in _GLOB)), None)
    if fixed is None:
        whole = Path(path)
        if whole.is_dir():
            return [(str(p), p.relative_to(whole).as_posix()) for p in sorted(whole.rglob("*")) if p.is_file()]
        return [(path, whole.name)] if whole.is_file() else []
    root = Path(*parts[:fixed])
    matches = (p for p in root.glob("/".join(parts[fixed:])) if p.is_file())
    return [(str(p), p.relative_to(root).as_posix()) for p in sorted(matches)]


def _remote(url: str, where: str) -> list[tuple[str, str]]:
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(url)
        matches = sorted(system.glob(path)) if any(c in path for c in _GLOB) else sorted(system.find(path))
    except (ImportError, ValueError) as error:
        raise UsageError(f"cannot open {url}: {error}.", where=where, hint="Install what that address needs.") from None
    except OSError as error:
        raise UsageError(f"cannot list {url}: {type(error).__name__}.", where=where, hint="Check access.") from None
    root = os.path.commonpath(matches) if len(matches) > 1 else str(PurePosixPath(matches[0]).parent) if matches else ""
    return [(str(system.unstrip_protocol(m)), PurePosixPath(m).relative_to(root).as_posix()) for m in matches]


def _download(source: Source, url: str, downloads: Path) -> str:
    """A downloaded file, kept under its sha256 and fetched once."""
    import fsspec

    wanted = source.spec.sha256 or ""
    path = downloads / f"{wanted}-{PurePosixPath(url).name}"
    if path.exists() and sha256_file(path) == wanted:
        return str(path)
    downloads.mkdir(parents=True, exist_ok=True)
    temporary = temporary_name(path)
    try:
        with fsspec.open(url, "rb") as remote, temporary.open("wb") as local:
            while block := remote.read(1 << 20):
                local.write(block)
    except (OSError, ValueError) as error:
        temporary.unlink(missing_ok=True)
        what = f"cannot download {url}: {type(error).__name__}."
        raise UsageError(what, where=str(source.file), hint="Check the network and the address.") from None
    got = sha256_file(temporary)
    if got != wanted:
        temporary.unlink()
        what = f"the download has the sha256 {got}, not the one that is declared."
        raise UsageError(what, where=str(source.file), hint="The file changed upstream, or the declaration is wrong.")
    commit(temporary, path)
    return str(path)


def _fingerprinted(file: InputFile) -> InputFile:
    digest = hashlib.sha256()
    size = 0
    with file.open_raw() as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return InputFile(file.url, file.name, digest.hexdigest(), size)


def _sidecars(source: Source, bucket: Sequence[InputFile], files: Sequence[InputFile]) -> tuple[InputFile, ...]:
    wanted: dict[str, InputFile] = {}
    for file in bucket:
        for name in source.reader.sidecars(PurePosixPath(file.name), source.settings):
            url = str(PurePosixPath(file.url).parent / PurePosixPath(name).name)
            made = InputFile(url, name.as_posix())
            try:
                wanted[name.as_posix()] = _fingerprinted(made)
            except OSError:
                what = f"the file {name} that {file.name} is read with is not there."
                raise UsageError(what, where=str(source.file), hint="Mend format: in the source.") from None
    return tuple(wanted[name] for name in sorted(wanted))
