"""Which lines of a text C4's rules keep, what stands in them, and how many sentences they hold by spaCy's count."""

from __future__ import annotations

import re
from collections.abc import Sequence

from corpusforge.curate.vocabulary import Vocabulary

_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_ENDS = (".", "?", "!", '"', "'")
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_LEAST_WORDS = 3
_LONG_WORD = 1000
_WIDE_SPACE = re.compile(r"\s{2,}|[^\S ]")
_BEGINS = re.compile(b"01*2")


class C4Lines:
    """One text's lines by C4: `kept` is what counts for sentences, `lorem` and `curly` whether a line says so."""

    __slots__ = ("curly", "kept", "lorem")

    def __init__(self, text: str) -> None:
        self.kept: list[str] = []
        self.lorem = self.curly = False
        # A Kelvin sign becomes an ASCII letter in lower case; no other foreign character does so alone.
        whole = text.lower() if "\u212a" in text else text.encode("ascii", "replace").lower().decode("ascii")
        worded = "javascript" in whole or "lorem ipsum" in whole or any(phrase in whole for phrase in _POLICY)
        cited, braced, long = "[" in text, "{" in text, len(text) > _LONG_WORD
        for raw in text.splitlines():
            line = raw.strip()
            if not cited and not line.endswith(_ENDS):
                continue
            words = line.split(None, _LEAST_WORDS)
            if cited and "[" in line:
                line = _CITATION.sub("", line)
            if not line.endswith(_ENDS) or line.endswith("...") or len(words) < _LEAST_WORDS:
                continue
            if long and len(raw) > _LONG_WORD and _has_long_word(raw):
                continue
            if worded:
                lowered = line.lower()
                self.lorem = self.lorem or "lorem ipsum" in lowered
                if "javascript" in lowered:
                    continue
                self.curly = self.curly or "{" in line
                if any(phrase in lowered for phrase in _POLICY):
                    continue
            elif braced:
                self.curly = self.curly or "{" in line
            self.kept.append(line)


def count_sentences(lines: Sequence[str], vocabulary: Vocabulary) -> list[int]:
    """Sentences in each line, counted as spaCy's rule-based splitter does."""
    kinds = vocabulary.sentence_kinds([_spoken(line) for line in lines])
    return [1 + len(_BEGINS.findall(line)) for line in kinds]


def _spoken(line: str) -> str:
    # White space other than one space is a token of its own for spaCy, and begins a sentence as a word would.
    return line if " ".join(line.split()) == line else _WIDE_SPACE.sub(" a ", line)


def _has_long_word(line: str) -> bool:
    # Somewhere a word of over 1000 characters fills all of 500 that begin at a multiple of 500.
    block = _LONG_WORD // 2
    if all(line.find(" ", start, start + block) >= 0 for start in range(0, len(line) - block + 1, block)):
        return False
    return max(map(len, line.split())) > _LONG_WORD
