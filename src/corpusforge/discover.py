"""Finds a source's raw files wherever fsspec reaches, fingerprints them, and deals them into stable shards."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from corpusforge.errors import UsageError
from corpusforge.ingest.files import LINK_TO_NOTHING, InputFile
from corpusforge.record import stable_hash
from corpusforge.shards import commit, sha256_file, temporary_name
from corpusforge.source import Source
from corpusforge.steps import IngestShard, hashed
from corpusforge.yaml_file import expand_variables

SHARD_BYTES = 4_000_000
MAX_SHARDS = 1024
_GLOB = ("*", "?", "[")
_PACKED = (".gz", ".zst", ".bz2", ".xz")
# Of a file's name the suffix is off already, and may have been the address's own end.
_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*")


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
            if name in found and found[name].url == url:
                continue
            if name in found:
                what = f"two files are called {name!r} below different roots."
                raise UsageError(what, where=where, hint="Give one pattern from their common folder.")
            found[name] = InputFile(url, name)
    if not found:
        shown = ", ".join(expand_variables(p) for p in source.spec.path)
        raise UsageError(f"no file matches {shown}.", where=where, hint=_why_nothing(source.spec.path))
    with ThreadPoolExecutor(4) as pool:
        files = list(pool.map(lambda name: _readable(found[name], where), sorted(found)))
    files = [_unnamed(file, source) for file in files]
    wanted = source.spec.sha256
    if wanted is not None and any(f.sha256 != wanted for f in files):
        wrong = next(f for f in files if f.sha256 != wanted)
        what = f"{wrong.name} has the sha256 {wrong.sha256}, not the one that is declared."
        raise UsageError(what, where=where, hint="The file changed, or the declaration is wrong.")
    return files


def _why_nothing(patterns: Sequence[str]) -> str:
    named = any("${" in pattern for pattern in patterns)
    return "Set the variable that path: names, or mend it." if named else "Mend path: (it starts at the workspace)."


def _local(workspace: Path, pattern: str) -> list[tuple[str, str]]:
    """Pairs of path and name below the pattern's fixed part; only the pattern is a glob, never the workspace's path."""
    absolute = os.path.isabs(pattern)
    parts = PurePosixPath(os.path.normpath(pattern)).parts
    fixed = next((i for i, part in enumerate(parts) if any(c in part for c in _GLOB)), len(parts))
    root = Path(os.path.normpath(Path(*parts[:fixed]) if absolute else workspace.joinpath(*parts[:fixed])))
    if fixed < len(parts):
        matches = root.glob("/".join(parts[fixed:]))
    elif root.is_dir():
        matches = root.rglob("*")
    else:
        return [(str(root), root.name)] if root.is_file() else []
    # A link to nothing is a file that somebody meant to be there: it is kept, to be quarantined.
    return [(str(p), p.relative_to(root).as_posix()) for p in sorted(matches) if p.is_file() or _leads_nowhere(p)]


def _leads_nowhere(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


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


def _readable(file: InputFile, where: str) -> InputFile:
    try:
        return hashed(file)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and _leads_nowhere(Path(file.url)):
            return replace(file, sha256=LINK_TO_NOTHING)
        why = os.strerror(error.errno) if error.errno else type(error).__name__
        what = f"{file.name} cannot be read: {why}."
        raise UsageError(
            what, where=where, hint="Mend the file or its rights, or leave it out with exclude:."
        ) from None


def _unnamed(file: InputFile, source: Source) -> InputFile:
    """The file under a name without e-mail addresses, where the source expects personal data: names stand in every
    origin, manifest and quarantine. In place of an address stand 12 hex digits of its BLAKE2 hash, so that who has the
    raw files can tell which it was. Files that are found by each other's names keep theirs."""
    if not source.spec.personal_data or source.reader.sidecars(PurePosixPath(file.name), source.settings):
        return file
    suffixes = PurePosixPath(file.name).suffixes[-2:]
    kept = "".join(suffixes if suffixes and suffixes[-1] in _PACKED else suffixes[-1:])
    head = file.name.removesuffix(kept)

    def hidden(match: re.Match[str]) -> str:
        return f"EMAIL_ADDRESS-{stable_hash('file', match[0], size=6)}"

    name = _ADDRESS.sub(hidden, head)
    return file if name == head else replace(file, name=name + kept)


def _sidecars(source: Source, bucket: Sequence[InputFile], files: Sequence[InputFile]) -> tuple[InputFile, ...]:
    wanted: dict[str, InputFile] = {}
    for file in bucket:
        for name in source.reader.sidecars(PurePosixPath(file.name), source.settings):
            made = InputFile(f"{file.url.rpartition('/')[0]}/{name.name}", name.as_posix())
            try:
                wanted[name.as_posix()] = hashed(made)
            except OSError:
                what = f"the file {name} that {file.name} is read with is not there."
                raise UsageError(what, where=str(source.file), hint="Mend format: in the source.") from None
    return tuple(wanted[name] for name in sorted(wanted))
