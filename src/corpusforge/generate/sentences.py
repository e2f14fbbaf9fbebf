"""Finds sentences with exact offsets, across hard line wraps, and reads text without its inline markup."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from operator import methodcaller

_STOP = re.compile(r"[.!?][\"'”’)\]*]*(?=\s+[\"'“‘(\[*`]*[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|Mr|Mrs|Ms|Dr|St|No|Nos|Fig|Figs|Sec|Vol|Inc|Ltd|Co|Corp|approx|resp|viz|al|[A-Z])"
    r"|(?:^|\s)\d{1,3})\.$",
)
# Patterns that open with one of few characters are looked for at those alone: several times as fast.
_LINK = re.compile(r"(?:!\[|\[)([^\]\n]*)\]\([^)\s]*\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"([*_])(?<![\w*][*_])(?=\S)([^*_\n]+?)(?<=\S)\1(?![\w*])")
_CODE = re.compile(r"(``*)(.+?)\1")
_QUOTE = re.compile(r"(?m)^[ \t]*>[ \t]?")
_NOISE = re.compile(r"[^\w%$€£.]+|\.(?!\d)")
_STOPS = re.compile(r"\.(?!\d)")
# Marks of typography, none of which is part of a word; texts with no others beyond ASCII take the fast way.
TYPOGRAPHY = "’‘“”–—…•\xa0→"
_BARE = {at: chr(at).lower() if chr(at).isalnum() or chr(at) in "_%$." else " " for at in range(128)}
_FIRST, _SECOND = methodcaller("group", 1), methodcaller("group", 2)
SHORT = 300


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of text[start:end] as (start, end); the last one may lack its stop."""
    at = start
    for match in _STOP.finditer(text, start, end):
        stop = match.end()
        if text[match.start()] == "." and _ABBREVIATION.search(text, max(at, match.start() - 8), match.start() + 1):
            continue
        yield at, stop
        at = stop
        while at < end and text[at].isspace():
            at += 1
    if at < end:
        yield at, end


def plain(text: str) -> str:
    """Text as it is read: links as their words, no emphasis or code marks, white space in single blanks."""
    return " ".join(_unmarked(text).split())


def _unmarked(text: str) -> str:
    if "](" in text:
        text = _LINK.sub(_FIRST, text)
    if "**" in text or "__" in text:
        text = _STRONG.sub(_SECOND, text)
    if "*" in text or "_" in text:
        text = _EMPHASIS.sub(_SECOND, text)
    if "`" in text:
        text = _CODE.sub(_SECOND, text)
    if ">" in text:
        text = _QUOTE.sub("", text)
    return text


def unwrapped(text: str) -> str:
    """Text with its line wraps and runs of blanks as single blanks; words and marks stay."""
    return " ".join(text.split())


def normalised(text: str) -> str:
    """Text for comparing: lower case, words and digits only, single blanks."""
    return _short(text) if len(text) <= SHORT else _bare(_unmarked(text))


@lru_cache(maxsize=1 << 15)
def _short(text: str) -> str:
    # Headings, answers and options are compared again and again.
    return _bare(_unmarked(text))


def _bare(text: str) -> str:
    ascii_only = text.isascii()
    if not ascii_only:
        for mark in TYPOGRAPHY:
            text = text.replace(mark, " ")
        ascii_only = text.isascii()
    if ascii_only:
        # As the pattern does it, at a third of the time.
        words = " ".join(text.translate(_BARE).split())
        return (_STOPS.sub(" ", words) if "." in words else words).strip()
    return _NOISE.sub(" ", text.lower()).strip()


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """Common words over all words of two texts (Jaccard); 0 for two empty ones."""
    return len(one & other) / max(1, len(one | other))
