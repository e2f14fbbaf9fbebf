"""A workspace whose rows a scripted model writes: documents that are easily edited, and builds in this process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import yaml

from corpusforge.build import Built, build
from corpusforge.plan import Plan, Walk
from corpusforge.recipe import Run, read_recipe
from corpusforge.record import Record
from corpusforge.shards import read_records

ENGINE = {"kind": "endpoint", "model": "scripted", "address": "http://127.0.0.1:9/v1", "revision": "1"}
ADJECTIVES = ["amber", "birch", "cobalt", "dusky", "ember", "fallow", "gilded", "hazel", "ivory", "jasper"]
NOUNS = ["router", "printer", "camera", "scanner", "modem", "charger", "tablet", "speaker", "monitor", "keyboard"]
VERBS = ["restarts", "updates", "charges", "connects", "records", "cleans", "locks", "opens", "warms", "cools"]
RECIPE: dict[str, Any] = {
    "name": "written",
    "tokenizer": "bytes",
    "audit": {"canaries": 0},
    "sources": {"domain": ["notes"]},
    "curate": {
        "redact": False,
        "language": False,
        "quality": False,
        "dedup": False,
        "segment": False,
        "holdout": {"share": "10%"},
        "decontaminate": {"ngram": 50},
    },
    "generate": {"engine": {**ENGINE, "output": "tagged"}, "qa": {"per_passage": 2, "reverse": 1}},
    "mix": {"completion": {"tokens": "all", "domain": {"share": "100%"}}, "instruct": {"rows": "all"}},
}
SOURCE = """\
name: notes
path: data/*.jsonl
format: {reader: jsonl, text: body, id: key, title: name}
kind: doc
licence: CC0-1.0
languages: [en]
personal_data: none
"""


def document(n: int, edition: int = 0) -> dict[str, str]:
    """The n-th document; another edition says something else in one sentence."""
    name = f"{ADJECTIVES[n % 10]} {NOUNS[n // 10 % 10]} {n}"
    lines = [f"# The {name}", ""]
    for at in range(3):
        verb = VERBS[(n + at) % 10]
        lines.append(f"The {name} {verb} after {n + at + 3 + edition} minutes of rest when button {at} is held down.")
        lines.append(
            f"Its part {chr(65 + at)}{n} weighs {2 * n + at + 11} grams and costs {n + at + 40} crowns in all."
        )
    return {"key": f"doc-{n}", "name": f"The {name}", "body": "\n".join(lines)}


def workspace(folder: Path, documents: Mapping[int, int], **generate: Any) -> Path:
    """Write the documents (number to edition), the source and the recipe; files of ten documents each."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "sources").mkdir(exist_ok=True)
    (folder / "recipes").mkdir(exist_ok=True)
    (folder / "sources" / "notes.yaml").write_text(SOURCE)
    recipe = {**RECIPE, "generate": {**RECIPE["generate"], **generate}}
    (folder / "recipes" / "written.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
    files: dict[int, list[bytes]] = {}
    for n, edition in sorted(documents.items()):
        files.setdefault(n // 10, []).append(orjson.dumps(document(n, edition)))
    for path in (folder / "data").glob("*.jsonl"):
        path.unlink()
    for number, rows in files.items():
        (folder / "data" / f"part-{number:02}.jsonl").write_bytes(b"\n".join(rows) + b"\n")
    return folder


class Silent:
    """A reporter that says nothing."""

    def planned(self, plan: Plan, walk: Walk) -> None:
        pass

    def progress(self, plan: Plan) -> None:
        pass

    def said(self, line: str) -> None:
        pass


def built(folder: Path, builds: str = "builds") -> Built:
    """A build with one worker, in this process, so that its engine can be a scripted one."""
    return build(read_recipe(folder / "recipes" / "written.yaml"), folder / builds, Silent(), Run(workers=1))


def records_of(done: Built, step: str) -> dict[str, Record]:
    """What a step of a build put out, by id."""
    steps = done.folder.parent / "steps" / step
    shards = next(one for one in done.manifest["steps"] if one["name"] == step)["shards"]
    return {record.id: record for shard in shards for record in read_records(steps / f"{shard['key']}.parquet")}


def rows_of(done: Built) -> dict[str, Record]:
    """The synthetic records of a build at its end."""
    return {identity: one for identity, one in records_of(done, "tokens").items() if one.meta.get("task")}


def counted(done: Built, step: str) -> dict[str, int]:
    """What a step counted, over all sources."""
    totals: dict[str, int] = {}
    for table in next(one for one in done.manifest["steps"] if one["name"] == step)["counted"].values():
        for key, n in table.items():
            totals[key] = totals.get(key, 0) + n
    return totals
