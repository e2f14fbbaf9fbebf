"""A text split once into words, lines and paragraphs, with the figures that quality rules compare with thresholds."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Splits much as spaCy's English rules do, which make the words of datatrove's filters.
_WORD_OR_MARK = r"\w+(?:(?:\.(?![A-Z])|[@&]|[,:/-](?=\d))\w+)*|['’](?:[sSmMdDt]|ll|re|ve)\b|\.{2,}|[^\w\s]"
_TOKENS = re.compile(_WORD_OR_MARK)
_TOKENS_AND_URLS = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]*\w/?|" + _WORD_OR_MARK)
_PARAGRAPHS = re.compile(r"\n{2,}")
_NEWLINES = re.compile(r"\n+")
_LETTER = re.compile(r"[^\W\d_]")
_CITATION = re.compile(r"\[\d*]|\[edit]|\[citation needed]")
_SENTENCE_ENDS = re.compile(r"[.!?]+[\"')\]]*(?=\s+\S|\s*$)")
_C4_ENDS = (".", "?", "!", '"', "'")
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_C4_LINE_WORDS = 3
_LONG_WORD = 1000


class Measured:
    """One text. Every figure is computed when first asked for and then kept."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.length = len(text) or 1

    @cached_property
    def tokens(self) -> list[str]:
        """Words and punctuation marks in order."""
        has_urls = "://" in self.text or "www." in self.text
        return (_TOKENS_AND_URLS if has_urls else _TOKENS).findall(self.text)

    @cached_property
    def n_tokens(self) -> int:
        """How many words and punctuation marks, at least 1 so that it can divide."""
        return len(self.tokens) or 1

    @cached_property
    def _numbered(self) -> tuple[dict[str, int], NDArray[np.int64]]:
        import numpy as np

        vocabulary: defaultdict[str, int] = defaultdict(count().__next__)
        numbers = np.fromiter(map(vocabulary.__getitem__, self.tokens), np.int64, len(self.tokens))
        return vocabulary, numbers

    @property
    def vocabulary(self) -> dict[str, int]:
        """The distinct tokens in order of appearance, numbered."""
        return self._numbered[0]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """Each token's number in the vocabulary."""
        return self._numbered[1]

    @cached_property
    def n_words(self) -> int:
        """How many tokens are not punctuation."""
        return int(self._word_counts[0])

    @cached_property
    def mean_word(self) -> float:
        """Mean characters of the tokens that are not punctuation; 0 where there are none."""
        words, characters, _ = self._word_counts
        return characters / words if words else 0.0

    @cached_property
    def alphabetic(self) -> float:
        """Share of the tokens with at least one letter."""
        return self._word_counts[2] / self.n_tokens

    @cached_property
    def _word_counts(self) -> tuple[int, int, int]:
        import numpy as np

        size = len(self.vocabulary)
        times = np.bincount(self.numbers, minlength=size)
        lettered = np.fromiter(map(str.isalpha, self.vocabulary), np.bool_, size)
        words = lettered.copy()
        tokens = list(self.vocabulary)
        # Most distinct tokens are purely alphabetic; only the others are looked into.
        for number in np.flatnonzero(~lettered).tolist():
            token = tokens[number]
            lettered[number] = _LETTER.search(token) is not None
            words[number] = lettered[number] or token[0].isalnum()
        return int(times[words].sum()), int((times * self._lengths)[words].sum()), int(times[lettered].sum())

    @cached_property
    def lines(self) -> list[str]:
        """The lines that are not blank."""
        return [line for line in self.text.split("\n") if line and not line.isspace()]

    @cached_property
    def all_lines(self) -> list[str]:
        """All lines, blank ones too; never empty."""
        return self.text.splitlines() or [""]

    @cached_property
    def duplicate_lines(self) -> tuple[float, float]:
        """Shares of repeated lines: of the lines, and of the characters."""
        lines = _NEWLINES.split(self.text) if "\n\n" in self.text else self.text.split("\n")
        return shares_of_repeats(lines, self.length)

    @cached_property
    def duplicate_paragraphs(self) -> tuple[float, float]:
        """Shares of repeated paragraphs: of the paragraphs, and of the characters."""
        text = self.text.strip()
        paragraphs = _PARAGRAPHS.split(text) if "\n\n\n" in text else text.split("\n\n")
        return shares_of_repeats(paragraphs, self.length)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """Characters of all tokens before each position; one longer than the tokens."""
        import numpy as np

        ends = np.zeros(len(self.tokens) + 1, np.int64)
        np.cumsum(self._lengths[self.numbers], out=ends[1:])
        return ends

    @cached_property
    def _lengths(self) -> NDArray[np.int64]:
        import numpy as np

        return np.fromiter(map(len, self.vocabulary), np.int64, len(self.vocabulary))

    @cached_property
    def _grams(self) -> dict[int, NDArray[np.uint64]]:
        return {}

    def grams(self, n: int) -> NDArray[np.uint64]:
        """A 64-bit number for each run of `n` tokens, equal where the runs are (2^-64 otherwise)."""
        import numpy as np

        if n not in self._grams:
            if n == 1:
                # splitmix64's constants spread the small vocabulary numbers over all 64 bits.
                mixed = (self.numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
                mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                self._grams[1] = mixed ^ (mixed >> np.uint64(27))
            else:
                shorter = self.grams(n - 1)[:-1]
                self._grams[n] = shorter * np.uint64(0x94D049BB133111EB) + self.grams(1)[n - 1 :]
        return self._grams[n]

    @cached_property
    def most_pairs(self) -> int:
        """How often the most frequent pair of tokens occurs; no longer run can occur more often."""
        return _most(self.grams(2))

    def top_gram_bound(self, n: int) -> float:
        """An upper bound on `top_gram`, cheaper."""
        if self.length < 2 or len(self.tokens) < n:
            return 0.0
        longest = int((self._ends[n:] - self._ends[:-n]).max())
        return self.most_pairs * (longest + n - 1) / self.length

    def top_gram(self, n: int) -> float:
        """Share of the characters in the most frequent run of `n` tokens (the first of equally frequent ones)."""
        import numpy as np

        if len(self.tokens) < n:
            return 0.0
        _, first, counts = np.unique(self.grams(n), return_index=True, return_counts=True)
        start = int(first[counts == counts.max()].min())
        return int(counts.max()) * int(self._ends[start + n] - self._ends[start] + n - 1) / self.length

    @cached_property
    def repeated_fives(self) -> float:
        """Share of the characters inside runs of 5 tokens that occurred before.

        It bounds `repeated_grams` from above: every repeated run of 5 or more tokens consists of such runs.
        """
        import numpy as np

        if len(self.tokens) < 6:
            return 0.0
        fives = self.grams(5)
        if _most(fives) <= 1:
            return 0.0
        order = np.argsort(fives, kind="stable")
        ordered = fives[order]
        repeats = order[1:][ordered[1:] == ordered[:-1]]
        covered = np.zeros(len(self.tokens), dtype=bool)
        for offset in range(5):
            covered[repeats + offset] = True
        return float(np.diff(self._ends)[covered].sum()) / self.length

    def repeated_grams(self, n: int) -> float:
        """Share of the characters in runs of `n` tokens that occurred before, each character counted once."""
        seen: set[int] = set()
        grams = self.grams(n).tolist() if len(self.tokens) >= n else []
        ends = self._ends.tolist()
        characters = position = 0
        while position < len(grams):
            if grams[position] in seen:
                characters += ends[position + n] - ends[position]
                position += n
            else:
                seen.add(grams[position])
                position += 1
        return characters / self.length

    @cached_property
    def c4(self) -> tuple[int, bool, bool]:
        """Over the lines that C4 would keep: sentences, whether any says lorem ipsum, whether any has a `{`."""
        sentences = 0
        lorem = curly = False
        whole = self.text.lower()
        worded = "javascript" in whole or "lorem ipsum" in whole or any(phrase in whole for phrase in _POLICY)
        cited = "[" in whole
        for raw in self.all_lines:
            line = raw.strip()
            words = line.split(None, _C4_LINE_WORDS)
            if cited:
                line = _CITATION.sub("", line)
            if not line.endswith(_C4_ENDS) or line.endswith("...") or len(words) < _C4_LINE_WORDS:
                continue
            if len(raw) > _LONG_WORD and max(map(len, raw.split())) > _LONG_WORD:
                continue
            lowered = line.lower() if worded else ""
            lorem = lorem or "lorem ipsum" in lowered
            if "javascript" in lowered:
                continue
            curly = curly or "{" in line
            if any(phrase in lowered for phrase in _POLICY):
                continue
            sentences += max(1, len(_SENTENCE_ENDS.findall(line)))
        return sentences, lorem, curly


def shares_of_repeats(pieces: list[str], length: int) -> tuple[float, float]:
    """Shares of pieces that occurred before: of the pieces, and of `length` characters."""
    distinct = set(pieces)
    if len(distinct) == len(pieces):
        return 0.0, 0.0
    characters = sum(map(len, pieces)) - sum(map(len, distinct))
    return (len(pieces) - len(distinct)) / len(pieces), characters / length


def _most(values: NDArray[np.uint64]) -> int:
    import numpy as np

    if not len(values):
        return 0
    ordered = np.sort(values)
    starts = np.flatnonzero(ordered[1:] != ordered[:-1])
    return int(np.diff(np.concatenate(([-1], starts, [len(values) - 1]))).max())
