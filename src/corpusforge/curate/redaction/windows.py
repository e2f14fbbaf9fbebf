"""Cuts a text into windows of bounded size at paragraph, line or word ends, so that detection costs linear time."""

from __future__ import annotations

import re

# Characters. Rules look for cues in a whole window: in larger ones more of them run in vain. Smaller ones cost more
# each than they save.
WINDOW = 2048

_PARAGRAPH_END = re.compile(r"\n[ \t]*\n\s*")
_SPACE = re.compile(r"\s")


def windows(text: str, size: int = WINDOW) -> list[tuple[int, int]]:
    """[start, end) of windows that cover the text: as many whole paragraphs as have at most `size` characters together.
    A longer paragraph is cut at line ends, else at white space; a token is never cut, however long it is.
    """
    if len(text) <= size:
        return [(0, len(text))] if text else []
    found: list[tuple[int, int]] = []
    start = end = 0
    for match in _PARAGRAPH_END.finditer(text):
        if match.end() - start > size:
            if start < end:
                found.append((start, end))
            start = end
        if match.end() - start > size:
            _cut(text, start, match.end(), size, found)
            start = match.end()
        end = match.end()
    if len(text) - start > size and start < end:
        found.append((start, end))
        start = end
    _cut(text, start, len(text), size, found)
    return found


def _cut(text: str, start: int, end: int, size: int, found: list[tuple[int, int]]) -> None:
    while end - start > size:
        cut = text.rfind("\n", start + size // 2, start + size) + 1 or _last_space(
            text, start + size // 2, start + size
        )
        if not cut:
            match = _SPACE.search(text, start + size, end)
            if match is None:
                break
            cut = match.end()
        found.append((start, cut))
        start = cut
    if start < end:
        found.append((start, end))


def _last_space(text: str, start: int, end: int) -> int:
    for at in range(end - 1, start - 1, -1):
        if text[at].isspace():
            return at + 1
    return 0
