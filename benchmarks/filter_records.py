"""The real records on which filters are compared with datatrove's: sources as a build reads them, books in pieces."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from corpusforge.discover import discover
from corpusforge.ingest.reader import ReadContext
from corpusforge.record import Record
from corpusforge.source import read_source

REPOSITORY = Path(__file__).parents[1]
DATA = Path(os.environ.get("CORPUSFORGE_DATA", REPOSITORY.parent / "shared" / "data"))
SOURCES = ("web-sample", "gnome-help", "debian-manuals", "linuxjourney", "tldr", "login-gov", "dstc9-faq", "webapps-qa",
           "speeches", "star", "ubuntu-irc", "gutenberg")  # fmt: skip
PIECE = 6000
"""Characters of a long text that make one record: a build sees books and logs whole, a filter sees pages."""
MOST = {"gutenberg": 900, "ubuntu-irc": 900, "tldr": 700, "dstc9-faq": 300, "star": 400}
"""Records taken from sources that would else outweigh the others, spread evenly over the source."""


def records(most: dict[str, int] | None = None) -> list[tuple[str, str]]:
    """(id, text) of each record, the same list every time."""
    limits = MOST if most is None else most
    os.environ.setdefault("CORPUSFORGE_DATA", str(DATA))
    found: list[tuple[str, str]] = []
    for name in SOURCES:
        pieces = [(f"{record.id}#{n}", text) for record in read(name) for n, text in enumerate(cut(record.text))]
        step = max(1.0, len(pieces) / limits.get(name, len(pieces) or 1))
        found += [pieces[int(k * step)] for k in range(int(len(pieces) / step))]
    for number, line in enumerate((DATA / "quality-dclm-human" / "majority_data.jsonl").read_text().splitlines()):
        found.append((f"dclm:{number}", str(json.loads(line)["text"])))
    for file in ("wiki_demo.txt", "cc_en_head-0091.jsonl"):
        for number, line in enumerate((DATA / "public-web-sample" / file).read_text().splitlines()):
            text = str(json.loads(line)["text"]) if file.endswith("jsonl") else line
            found.append((f"{file}:{number}", text))
    return [(key, text) for key, text in found if text.strip()]


def read(name: str) -> Iterator[Record]:
    """The records of a declared source."""
    workspace = REPOSITORY
    source, problems = read_source(REPOSITORY / "sources" / f"{name}.yaml", "public", workspace)
    if source is None:
        raise ValueError(f"source {name} cannot be read: {problems.problems}")
    with tempfile.TemporaryDirectory() as scratch:
        for shard in discover(source, Path(scratch)):
            settings = source.reader.Settings.model_validate(dict(shard.settings))
            for file in shard.files:
                facts = shard.facts
                ctx = ReadContext(settings, name, facts.kind, facts.licence, facts.languages, file)
                for item in source.reader().read(file, ctx):
                    if isinstance(item, Record):
                        yield item


def cut(text: str) -> Iterator[str]:
    """A text in pieces of about `PIECE` characters that end at a blank line, or at a line's end where there is none."""
    start = 0
    while len(text) - start > 2 * PIECE:
        end = text.find("\n\n", start + PIECE, start + 2 * PIECE)
        end = text.find("\n", start + PIECE) if end < 0 else end
        if end < 0:
            break
        yield text[start:end]
        start = end
    yield text[start:]
