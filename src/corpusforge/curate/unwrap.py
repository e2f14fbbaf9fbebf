"""Joins the lines of hard-wrapped prose into paragraphs; verse, code, lists and tables keep their lines."""

from __future__ import annotations

import re
from itertools import pairwise

# A line is taken for one that ended because it was full when the next line's first word would not have fitted.
MIN_PAIRS = 12
MIN_FULL_DOCUMENT = 0.6
MIN_FULL_BLOCK = 0.6
WIDTHS = (45, 100)

_OPENING = re.compile(r"\s{4}|[|#>=~]|\[\^?\w+\]:|[{}]|</?\w+|\$ |[A-Za-z][\w ]{0,30}:\s*$")
_FOLLOWING = re.compile(r"\s|[-*+•](?:\s|$)|\d{1,3}[.)]\s|" + _OPENING.pattern)
_BLOCK = re.compile(r"\n[ \t]*\n+")


def unwrap(text: str) -> str:
    """The text with each hard-wrapped paragraph on one line, or unchanged where it is not clearly hard-wrapped.

    Only newlines become spaces (or nothing, after a hyphen or dash at a line's end): every other character stays.
    """
    blocks = _BLOCK.split(text)
    separators = [match[0] for match in _BLOCK.finditer(text)]
    prose = _prose_blocks(blocks)
    width = _width(prose)
    if width is None:
        return text
    joined = [_joined(block, width) if lines is not None else block for block, lines in zip(blocks, prose, strict=True)]
    return "".join(piece for pair in zip(joined, [*separators, ""], strict=True) for piece in pair)


def _prose_blocks(blocks: list[str]) -> list[list[str] | None]:
    fenced = False
    found: list[list[str] | None] = []
    for block in blocks:
        fences = block.count("```")
        lines = block.split("\n")
        plain = not fenced and not fences and len(lines) > 1 and not _OPENING.match(lines[0])
        found.append(lines if plain and not any(_FOLLOWING.match(line) for line in lines[1:]) else None)
        fenced ^= fences % 2 == 1
    return found


def _width(blocks: list[list[str] | None]) -> int | None:
    """The column at which the document was wrapped, or None where its lines end for another reason."""
    inner = [
        (len(line), len(following.split(" ", 1)[0]))
        for lines in blocks
        if lines is not None
        for line, following in pairwise(lines)
    ]
    if len(inner) < MIN_PAIRS:
        return None
    lengths = sorted(length for length, _ in inner)
    width = lengths[len(lengths) * 9 // 10]
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        return None
    full = sum(length + 1 + word > width - 1 for length, word in inner)
    return width if full >= MIN_FULL_DOCUMENT * len(inner) else None


def _joined(block: str, width: int) -> str:
    lines = block.split("\n")
    full = [len(line) + 1 + len(following.split(" ", 1)[0]) > width - 4 for line, following in pairwise(lines)]
    if sum(full) < MIN_FULL_BLOCK * len(full):
        return block
    pieces = [lines[0]]
    for line, following in pairwise(lines):
        glued = line.endswith(("-", "—")) and not line.endswith((" -", " --", " —"))
        pieces += ("" if glued else " ", following)
    return "".join(pieces)
