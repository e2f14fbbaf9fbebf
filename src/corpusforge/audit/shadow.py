"""The shadow run: planted copies as raw files in a folder of their own, through the recipe's own pipeline."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import orjson

from corpusforge.audit.hosts import Host, raw_format, raw_row
from corpusforge.generation import without_model
from corpusforge.ingest.formats import find_reader
from corpusforge.mix_tree import Node, OutputTree
from corpusforge.plan import Plan, Walk
from corpusforge.recipe import Audit, Recipe, Run
from corpusforge.source import Source
from corpusforge.stage_use import StageUse
from corpusforge.units import Epochs, Share

BUILDS, RAW, LOG, TEMPORARY = "builds", "raw", "said.log", "tmp"
_FOLDERS = ("TMPDIR", "TEMP", "TMP")


class Made(Protocol):
    """What a build of the shadow comes to."""

    @property
    def folder(self) -> Path:
        """The build's folder."""

    @property
    def manifest(self) -> Mapping[str, Any]:
        """Its manifest."""


class Said:
    """Notes what a build says, for the search."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def planned(self, plan: Plan, walk: Walk) -> None:
        """Nothing to note."""

    def progress(self, plan: Plan) -> None:
        """Nothing to note."""

    def said(self, line: str) -> None:
        """Note a line."""
        self.lines.append(line)


Builder = Callable[[Recipe, Path, Any, Run], Made]


@dataclass(frozen=True, slots=True)
class Shadow:
    """A folder with the raw files of the planted records, and the recipe that reads them."""

    root: Path
    recipe: Recipe

    @property
    def builds(self) -> Path:
        """Where the shadow's builds lie."""
        return self.root / BUILDS

    def run(self, builder: Builder) -> Made:
        """Run the pipeline; whatever it or a library writes to stdout, stderr or a temporary folder stays below `root`.

        One worker: the sample is small, and its work is in this process's hands from start to end.
        """
        said = Said()
        with _recorded(self.root):
            made = builder(self.recipe, self.builds, said, Run(executor="local", workers=1))
        with (self.root / LOG).open("ab") as log:
            log.write("\n".join(said.lines).encode())
        return made


def make_shadow(recipe: Recipe, hosts: Mapping[str, list[Host]], root: Path) -> Shadow:
    """Write the hosts as raw files below `root`, and turn the recipe to them.

    The stages, their settings, the sources' facts and the tokenizer are the recipe's own. The mix takes every record
    once, so that each canary could reach it, and the cap on lost duplicates is lifted: it is about whole sources. Rows
    are made by rules: a model that is asked about invented people would be paid for what nobody trains on.
    """
    sources = tuple(_source(source, hosts[source.name], root) for source in recipe.sources)
    spec = recipe.spec.model_copy(update={"audit": Audit(canaries=0)})
    return Shadow(
        root,
        replace(
            recipe,
            spec=spec,
            sources=sources,
            curate=tuple(_without_cap(use) for use in recipe.curate),
            generate=without_model(recipe.generate),
            completion=_all_once(recipe.completion),
            instruct=_all_once(recipe.instruct),
        ),
    )


def _source(source: Source, hosts: list[Host], root: Path) -> Source:
    file = root / RAW / f"{source.name}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"".join(orjson.dumps(raw_row(host)) + b"\n" for host in hosts))
    form = raw_format(hosts)
    found = {"path": (f"{RAW}/{file.name}",), "exclude": (), "sha256": None, "format": form}
    spec = source.spec.model_copy(update={**found, "quarantine_limit": Fraction(1)})
    reader = find_reader(form["reader"])
    settings = reader.Settings.model_validate({key: value for key, value in form.items() if key != "reader"})
    return Source(spec, source.role, reader, settings, root, source.file)


def _without_cap(use: StageUse) -> StageUse:
    if use.stage.name != "dedup":
        return use
    return replace(use, settings=use.settings.model_copy(update={"cap": 1.0}))


def _all_once(tree: OutputTree | None) -> OutputTree | None:
    if tree is None:
        return None
    leaves = tuple(Node(leaf, Epochs(Fraction(1))) for leaf in tree.root.leaves())
    return replace(tree, total=None, unit="tokens", root=Node(tree.name, Share(Fraction(1)), leaves))


@contextmanager
def _recorded(root: Path) -> Iterator[None]:
    """stdout and stderr of this process and its children go to a file, and their temporary files below `root`."""
    temporary = root / TEMPORARY
    temporary.mkdir(exist_ok=True)
    before = {name: os.environ.get(name) for name in _FOLDERS}
    directory = tempfile.tempdir
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [(fd, os.dup(fd)) for fd in (1, 2)]
    try:
        with (root / LOG).open("ab") as log:
            for fd, _ in kept:
                os.dup2(log.fileno(), fd)
            os.environ.update(dict.fromkeys(_FOLDERS, str(temporary)))
            tempfile.tempdir = str(temporary)
            yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        tempfile.tempdir = directory
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        for fd, copy in kept:
            os.dup2(copy, fd)
            os.close(copy)
