"""Declared rules that cut what a publisher puts around a text, where its markers are found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_START = re.compile(
    r"^[ \t]*\*{3} ?START OF (?:THE|THIS) PROJECT GUTENBERG[^*]{0,300}\*{3}[^\n]*\n?"
    r"|^[ \t]*\*END[* ]*THE SMALL PRINT[^\n]*\n?",
    re.MULTILINE,
)
_END = re.compile(
    r"^[ \t]*(?:\*{3} ?END OF (?:THE|THIS) PROJECT GUTENBERG|End of (?:the )?Project Gutenberg['’s]*\b)", re.MULTILINE
)


def trim_gutenberg(text: str) -> str:
    """A Project Gutenberg book without the licence before its START marker and after its END marker."""
    if "PROJECT GUTENBERG" not in text and "Project Gutenberg" not in text:
        return text
    start = 0
    for match in _START.finditer(text):
        start = match.end()
    end = _END.search(text, start)
    return text[start : end.start() if end else len(text)]


TRIMS: Mapping[str, Callable[[str], str]] = {"gutenberg": trim_gutenberg}
