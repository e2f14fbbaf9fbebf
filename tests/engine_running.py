"""A workspace that builds in a second, with a stage of the user's that tests replace by one that misbehaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson

from corpusforge.build import Built
from corpusforge.build import build as run_build
from corpusforge.plan import Plan, Walk
from corpusforge.recipe import Run, read_recipe

RECIPE = """\
name: bare
tokenizer: bytes
sources: {domain: [a, b, c]}
curate:
  normalise: {}
  redact: false
  language: false
  quality: false
  dedup: false
  segment: false
  holdout: false
  decontaminate: false
  also: [{stage: "ours.py:ours", after: normalise}]
mix: {completion: {tokens: all, domain: {share: 100%}}}
"""
SOURCE = """\
name: NAME
path: data/NAME/*.jsonl
format: {reader: jsonl, text: body, id: key}
kind: doc
licence: CC0-1.0
personal_data: none
"""
HEAD = """\
import os, time
from dataclasses import replace
from corpusforge.record import Dropped, Quarantined
from corpusforge.stage import stage


@stage(version=1)
def ours(records):
"""
PASS = HEAD + "    yield from records\n"
SECRET = "Katharina-7731"
# The bare recipe leaves out decontamination: its builds are made whole, and a gate of theirs does not hold.
GATE_FAILS = 1


def make(folder: Path, stage: str = PASS) -> Path:
    """Three sources of twenty notes each, and the stage."""
    for name in "abc":
        (folder / "data" / name).mkdir(parents=True)
        (folder / "sources").mkdir(exist_ok=True)
        (folder / "sources" / f"{name}.yaml").write_text(SOURCE.replace("NAME", name))
        write(folder / "data" / name / "one.jsonl", range(20), name)
    (folder / "recipes").mkdir()
    (folder / "recipes" / "bare.yaml").write_text(RECIPE)
    (folder / "ours.py").write_text(stage)
    return folder


def write(path: Path, numbers: range, about: str) -> None:
    """A file of notes; each quotes the secret."""
    rows = [{"key": f"{about}{i}", "body": f"Note {i} of {about} says {SECRET} and no more."} for i in numbers]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))


def command(*words: str) -> list[str]:
    """The command line of a build of the workspace."""
    return [sys.executable, "-m", "corpusforge.cli", "build", "recipes/bare.yaml", "--builds", "builds", *words]


def build(folder: Path, *words: str, code: int = GATE_FAILS, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a build to its end; it never hangs, and never shows a traceback or a record."""
    done = subprocess.run(
        command("--json", *words),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, **environment},
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr
    return done


def built(folder: Path, *words: str, **environment: str) -> dict[str, object]:
    """The answer of a build that must succeed."""
    answer: dict[str, object] = orjson.loads(build(folder, *words, **environment).stdout)
    return answer


class Silent:
    """A reporter for builds within the test's own process."""

    def planned(self, plan: Plan, walk: Walk) -> None:
        """Says nothing."""

    def progress(self, plan: Plan) -> None:
        """Says nothing."""

    def said(self, line: str) -> None:
        """Says nothing."""


def here(folder: Path, builds: str = "builds") -> Built:
    """A build with one worker within the test's own process: its errors are exceptions."""
    return run_build(read_recipe(folder / "recipes" / "bare.yaml"), folder / builds, Silent(), Run(workers=1))


def committed(folder: Path) -> set[str]:
    """Every result in the store, as `step/key`."""
    return {f"{p.parent.name}/{p.stem}" for p in (folder / "builds" / "bare" / "steps").glob("*/*.json")}
