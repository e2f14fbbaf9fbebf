"""The table of formats: a word in a source's YAML becomes the reader that understands it."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping

from corpusforge.errors import UsageError
from corpusforge.ingest.reader import Reader

FORMATS: Mapping[str, str] = {
    "text": "corpusforge.ingest.text:Text",
    "markdown": "corpusforge.ingest.markdown:Markdown",
    "html": "corpusforge.ingest.html:Html",
    "xml": "corpusforge.ingest.xml:Xml",
    "pdf": "corpusforge.ingest.pdf:Pdf",
    "warc": "corpusforge.ingest.warc:Warc",
    "jsonl": "corpusforge.ingest.jsonl:Jsonl",
    "json": "corpusforge.ingest.json:Json",
    "csv": "corpusforge.ingest.csv:Csv",
    "tsv": "corpusforge.ingest.csv:Tsv",
    "parquet": "corpusforge.ingest.parquet:Parquet",
    "parallel": "corpusforge.ingest.parallel:Parallel",
    "messages": "corpusforge.ingest.messages:Messages",
    "events": "corpusforge.ingest.events:Events",
    "irc": "corpusforge.ingest.irc:Irc",
}


def find_reader(name: str) -> type[Reader]:
    """The reader that a source names. Raises UsageError with the nearest name when there is none."""
    if name not in FORMATS:
        near = difflib.get_close_matches(name, FORMATS, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"no reader named {name!r}.", hint=f"{hint}Readers: {', '.join(sorted(FORMATS))}.")
    module, _, attribute = FORMATS[name].partition(":")
    found: type[Reader] = getattr(importlib.import_module(module), attribute)
    return found
