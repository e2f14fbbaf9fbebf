"""Finds the words around a finding as Presidio's context enhancer does, without a search through the whole text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

# Chunks of text (between white space) whose tokens are remembered.
_MOST_REMEMBERED = 1 << 16
_WHITE = re.compile(r"\s+")
_WORD = re.compile(r"\S+")
_NEVER = frozenset({"-PRON-", "be"})


class Surroundings(Protocol):
    """The words around a place of one text."""

    def around(self, start: int, before: int, after: int) -> list[str]:
        """Up to `before` + 1 keywords up to the token at `start`, and `after` + 1 from it on, in lower case.

        Raises ValueError if no token is there.
        """


class _Token(NamedTuple):
    end: int
    lemma: str
    keyword: bool


class _Chunk(NamedTuple):
    tokens: tuple[_Token, ...]
    # Pieces of tokens with a colon that are no keywords by themselves: Presidio takes them for keywords all the same,
    # and then wherever they stand in the text.
    pieces: frozenset[str]


class Keywords:
    """Which lemmas Presidio takes for keywords: no stop words and no marks; it splits them at colons."""

    def __init__(self, stop_words: Collection[str]) -> None:
        self._stop_words = frozenset(stop_words)
        self._pieces: dict[str, list[str]] = {}

    def counts(self, lemma: str) -> bool:
        """Whether a lower-case lemma is a keyword."""
        from spacy.lang.lex_attrs import is_punct

        return lemma not in self._stop_words and not is_punct(lemma) and lemma not in _NEVER

    def __call__(self, lemmas: Sequence[str]) -> list[str]:
        """The keywords of a text, each once."""
        if len(self._pieces) >= _MOST_REMEMBERED:
            self._pieces.clear()
        found: list[str] = []
        for lemma in dict.fromkeys(lemmas):
            pieces = self._pieces.get(lemma)
            if pieces is None:
                pieces = self._pieces[lemma] = lemma.split(":") if self.counts(lemma) else []
            found += pieces
        return found


class Words:
    """Tokens of a spaCy tokeniser, one chunk between white space at a time, each token's lemma its lower case.

    spaCy cuts every such chunk by itself, so the tokens are those of the whole text.
    """

    def __init__(self, nlp: Any, longest: int = 0) -> None:
        """`nlp`: a blank spaCy Language; `longest`: a chunk with more characters is one token (0: never)."""
        self._nlp = nlp
        self._longest = longest
        self._chunks: dict[str, _Chunk] = {}
        self._is_keyword = Keywords(nlp.Defaults.stop_words).counts

    def chunk(self, text: str) -> _Chunk:
        """The tokens of a text without white space, or of white space alone."""
        known = self._chunks.get(text)
        if known is None:
            if len(self._chunks) >= _MOST_REMEMBERED:
                self._chunks.clear()
                # A vocabulary never forgets a word: half a kilobyte for each that was ever cut.
                self._nlp = type(self._nlp)()
            known = self._chunks[text] = self._cut(text)
        return known

    def _cut(self, text: str) -> _Chunk:
        if text.isspace() or 0 < self._longest < len(text):
            words = [(len(text), text.lower())]
        else:
            words = [(token.idx + len(token), token.lower_) for token in self._nlp.make_doc(text)]
        tokens = tuple(_Token(end, lemma, self._is_keyword(lemma) and ":" not in lemma) for end, lemma in words)
        pieces = {piece for _, lemma in words if ":" in lemma and self._is_keyword(lemma) for piece in lemma.split(":")}
        return _Chunk(tokens, frozenset(piece for piece in pieces if piece and not self._is_keyword(piece)))

    def of(self, text: str) -> Surroundings:
        """The surroundings of places in a text."""
        return _Chunked(self, text)


class _Chunked:
    def __init__(self, words: Words, text: str) -> None:
        self._words = words
        self._text = text
        self._pieces: frozenset[str] | None = None if ":" in text else frozenset()
        self._starts: dict[int, int] = {}
        self._ends: dict[int, int] = {}

    def around(self, start: int, before: int, after: int) -> list[str]:
        at, end, tokens = self._run_at(start)
        place = bisect_right(tokens, start - at, key=lambda token: token.end)
        # Presidio counts the token at the finding in both directions.
        return self._back(at, tokens, place, before) + self._ahead(end, tokens, place, after)

    def _back(self, at: int, tokens: Sequence[_Token], place: int, most: int) -> list[str]:
        found: list[str] = []
        while True:
            for n in range(place, -1, -1):
                if self._counts(tokens[n]):
                    found.append(tokens[n].lemma)
                    if len(found) > most:
                        return found
            if not at:
                return found
            at, end = self._start(at), at
            tokens = self._tokens(at, end)
            place = len(tokens) - 1

    def _ahead(self, end: int, tokens: Sequence[_Token], place: int, most: int) -> list[str]:
        found: list[str] = []
        while True:
            for n in range(place, len(tokens)):
                if self._counts(tokens[n]):
                    found.append(tokens[n].lemma)
                    if len(found) > most:
                        return found
            if end == len(self._text):
                return found
            at, end = end, self._end(end)
            tokens = self._tokens(at, end)
            place = 0

    def _counts(self, token: _Token) -> bool:
        if token.keyword:
            return True
        if self._pieces is None:
            gathered = (self._words.chunk(chunk).pieces for chunk in self._text.split() if ":" in chunk)
            self._pieces = frozenset().union(*gathered)
        return token.lemma in self._pieces

    def _run_at(self, start: int) -> tuple[int, int, Sequence[_Token]]:
        """Begin, end and tokens of the run (of white space, or of anything else) with the first token that ends
        behind a place; the tokens' ends count from the begin.
        """
        if start >= len(self._text):
            raise ValueError("no token at the finding")
        end = self._end(start)
        at = self._start(end)
        tokens = self._tokens(at, end)
        if not tokens:
            if end == len(self._text):
                raise ValueError("no token at the finding")
            at, end = end, self._end(end)
            tokens = self._tokens(at, end)
        return at, end, tokens

    def _tokens(self, at: int, end: int) -> Sequence[_Token]:
        if at and self._text[at] == " ":
            # A blank right behind a word belongs to no token, more white space behind it is one.
            if end - at == 1:
                return ()
            return (_Token(end - at, self._text[at + 1 : end].lower(), True),)
        return self._words.chunk(self._text[at:end]).tokens

    def _start(self, end: int) -> int:
        """Where the run that ends here begins."""
        known = self._starts.get(end)
        if known is None:
            text = self._text
            known = end - 1
            white = text[known].isspace()
            while known and text[known - 1].isspace() == white:
                known -= 1
            self._starts[end] = known
        return known

    def _end(self, at: int) -> int:
        """Where the run that this place lies in ends."""
        known = self._ends.get(at)
        if known is None:
            run = _WHITE if self._text[at].isspace() else _WORD
            match = run.match(self._text, at)
            known = self._ends[at] = match.end() if match else at + 1
        return known


class Tokens:
    """The tokens of what an NLP engine of Presidio made of a text."""

    def __init__(self, artifacts: Any) -> None:
        """`artifacts`: a NlpArtifacts."""
        self._ends = [at + len(token) for at, token in zip(artifacts.tokens_indices, artifacts.tokens, strict=True)]
        self._lemmas: Sequence[str] = [lemma.lower() for lemma in artifacts.lemmas]
        self._keywords = frozenset(artifacts.keywords)

    def around(self, start: int, before: int, after: int) -> list[str]:
        """As in Surroundings."""
        place = bisect_right(self._ends, start)
        if not self._ends:
            return [""]
        if place >= len(self._ends):
            raise ValueError("no token at the finding")
        return self._taken(range(place, -1, -1), before) + self._taken(range(place, len(self._ends)), after)

    def _taken(self, places: range, most: int) -> list[str]:
        found: list[str] = []
        for place in places:
            if self._lemmas[place] in self._keywords:
                found.append(self._lemmas[place])
                if len(found) > most:
                    break
        return found
