"""A corpus of a user's own, small enough to be built in a few seconds: documents, chats, a help centre, a stage."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from corpusforge.build import build, make_recipe_plan
from corpusforge.explain import explain
from corpusforge.progress import Progress
from corpusforge.recipe import Run, read_recipe

RECIPE = """\
name: own
tokenizer: bytes
audit: {canaries: 0}
sources: {domain: [chats, help], public: [books]}
curate:
  quality: {preset: none}
  holdout: {share: 10%}
  also:
    - {stage: stages/ours.py:drop_footer, after: normalise}
generate: {qa: {per_passage: 2}, reading: {}}
mix:
  completion: {tokens: all, max_epochs: 2, domain: {share: 2%}, public: {share: 98%}}
  instruct: {rows: all}
"""
SOURCES = {
    "books": """\
path: books.jsonl
format: {reader: jsonl, id: id, text: body}
kind: doc
personal_data: none
""",
    "chats": """\
path: chats.csv
format: {reader: messages, format: csv, conversation: c, role: role, text: text}
kind: chat
personal_data: [email]
""",
    "help": """\
path: help/*.md
format: markdown
kind: article
personal_data: none
""",
}
STAGE = '''\
from corpusforge.record import Dropped
from corpusforge.stage import stage


@stage(version=1)
def drop_footer(records, *, marker: str = "Sent from my"):
    """Leave out what is nothing but a mail footer."""
    for record in records:
        yield Dropped(record, "footer") if record.text.startswith(marker) else record
'''
THINGS = ("invoice", "printer", "backup", "password", "calendar", "camera", "battery", "delivery", "webhook", "badge")
VERBS = ("open", "choose", "press", "check", "write", "read", "connect", "remove")
PLACES = ("menu", "page", "panel", "button", "cable", "account", "report", "window", "list", "server")


def prose(rng: random.Random, sentences: int) -> str:
    """Sentences that no two texts share."""
    return " ".join(
        f"{rng.choice(VERBS).capitalize()} the {rng.choice(PLACES)} and {rng.choice(VERBS)} the {rng.choice(THINGS)} of"
        f" the {rng.choice(PLACES)} before you {rng.choice(VERBS)} {rng.choice(THINGS)} {rng.randint(1, 9999)}."
        for _ in range(sentences)
    )


def make_corpus(folder: Path) -> Path:
    """Write the workspace; the recipe's path."""
    rng = random.Random(5)
    for room in ("sources", "recipes", "stages", "help"):
        (folder / room).mkdir(parents=True)
    for name, text in SOURCES.items():
        (folder / "sources" / f"{name}.yaml").write_text(f"name: {name}\nlicence: CC0-1.0\n{text}")
    (folder / "stages" / "ours.py").write_text(STAGE)
    books = [{"id": f"b{i}", "body": prose(rng, 8)} for i in range(40)] + [
        {"id": "footer", "body": "Sent from my car."}
    ]
    (folder / "books.jsonl").write_text("".join(json.dumps(book) + "\n" for book in books))
    with (folder / "chats.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("c", "role", "text"))
        for i in range(12):
            rows.writerow(
                (f"c{i}", "user", f"My {rng.choice(THINGS)} is lost, write to u{i}@mail-host.net. {prose(rng, 1)}")
            )
            rows.writerow((f"c{i}", "assistant", prose(rng, 2)))
    for thing in THINGS:
        steps = "\n".join(f"{k}. {prose(rng, 1)}" for k in (1, 2, 3))
        text = f"# Mend the {thing}\n\n{prose(rng, 3)}\n\n## How do I reset the {thing}?\n\n{steps}\n"
        (folder / "help" / f"{thing}.md").write_text(text)
    (folder / "recipes" / "own.yaml").write_text(RECIPE)
    return folder / "recipes" / "own.yaml"


def built(recipe: Path) -> Path:
    """Build in this process; the build's folder."""
    builds = recipe.parents[1] / "builds"
    return build(read_recipe(recipe), builds, Progress(quiet=True), Run(workers=1)).folder


def copied(recipe: Path, folder: Path) -> Path:
    """Copy a recipe's workspace, its builds too, to `folder`; the recipe there."""
    shutil.copytree(recipe.parents[1], folder)
    return folder / "recipes" / recipe.name


def planned(recipe: Path) -> Mapping[str, Mapping[str, Any]]:
    """The rows of the plan, by step."""
    return {row["step"]: row for row in explain(*make_recipe_plan(read_recipe(recipe), recipe.parents[1] / "builds"))}
