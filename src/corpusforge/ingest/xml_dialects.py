"""The XML vocabularies whose mapping is built in: Mallard (projectmallard.org/1.0) and CNXML (OpenStax modules)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from corpusforge.ingest.blocks import Shape


@dataclass(frozen=True, slots=True)
class Dialect:
    """A vocabulary: its shape, XPaths of record, title and text (empty for the whole), and their prefixes."""

    shape: Shape = field(default_factory=Shape)
    record: str = ""
    title: str = ""
    text: str = ""
    namespaces: Mapping[str, str] = field(default_factory=dict)


_MALLARD_BLOCKS = "p div subtitle note example figure listing synopsis desc choose when else"
_CNXML_BLOCKS = """
    content para note figure caption media exercise problem solution equation rule statement proof example definition
    meaning abstract tgroup thead tbody
"""
PLAIN = Dialect(
    Shape(
        blocks=frozenset(("p", "para", "paragraph", "div", "body")),
        headings={"title": 0, "heading": 0, "head": 0},
        sections=frozenset(("section", "chapter")),
        bullets=frozenset(("list", "ul")),
        numbers=frozenset(("ol",)),
        items=frozenset(("item", "li")),
        code_blocks=frozenset(("pre",)),
        breaks=frozenset(("br",)),
    )
)
MALLARD = Dialect(
    Shape(
        blocks=frozenset(_MALLARD_BLOCKS.split()),
        headings={"title": 0},
        sections=frozenset(("section",)),
        bullets=frozenset(("list",)),
        numbers=frozenset(("steps",)),
        items=frozenset(("item",)),
        glossaries=frozenset(("terms",)),
        terms=frozenset(("title",)),
        quotes=frozenset(("quote",)),
        code_blocks=frozenset(("code-block", "screen")),
        code=frozenset(("code", "cmd", "file", "sys", "input", "output")),
        tables=frozenset(("table",)),
        rows=frozenset(("tr",)),
        cells=frozenset(("td", "th")),
        drop=frozenset(("info", "comment", "links", "rules", "include", "tt")),
        joined={"keyseq": "+", "guiseq": " > "},
        references={"link": "xref"},
    ),
    title="m:title",
    namespaces={"m": "http://projectmallard.org/1.0/"},
)
CNXML = Dialect(
    Shape(
        blocks=frozenset(_CNXML_BLOCKS.split()),
        headings={"title": 0},
        sections=frozenset(("section", "glossary")),
        bullets=frozenset(("list",)),
        items=frozenset(("item",)),
        glossaries=frozenset(("definition",)),
        terms=frozenset(("term",)),
        quotes=frozenset(("quote",)),
        code_blocks=frozenset(("preformat",)),
        code=frozenset(("code",)),
        tables=frozenset(("table",)),
        rows=frozenset(("row",)),
        cells=frozenset(("entry",)),
        breaks=frozenset(("newline",)),
        numbered_by=("list-type", "enumerated"),
        references={"link": ""},
        drop=frozenset(("metadata", "cite", "colspec")),
    ),
    title="c:title | c:metadata/md:title",
    namespaces={"c": "http://cnx.rice.edu/cnxml", "md": "http://cnx.rice.edu/mdml"},
)
DIALECTS: Mapping[str, Dialect] = {"": PLAIN, "mallard": MALLARD, "cnxml": CNXML}
