"""Names the language of many texts at once: py3langid's n-gram model, summed over words that are looked up once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.language_text import letters, primary, word_key, words
from corpusforge.curate.language_words import HEAD, PlainWords

# The model knows 139. Pidgins, dialects and rare languages take more short turns of their large neighbours (Nigerian
# Pidgin 2% of English questions, Extremaduran and Galician Spanish ones) than they win: they count where declared.
USUAL = """af am ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km
kn ko ku ky lo lt lv mk ml mn mr ms my ne nl no pa pl ps pt ro ru si sk sl sq sr sv sw ta te th tl tr uk ur uz vi zh"""
# Neighbouring n-grams overlap, so that each letter is counted about three times. Divided by 3, scores are
# probabilities: of 1,900 paragraphs of 10 to 50 characters scored 0.7 to 0.9, 83% are right; of 0.9 to 0.99, 98%.
_OVERLAP = 3.0
_SCALE = 1024
_MOST_WORDS = 1 << 17
_BETWEEN = "\x00"
# The numbers of the mark between texts, and of all words that are evidence for no language.
_MARK, _SILENT = 0, 1


class Detector(Protocol):
    """Gives texts' probabilities of languages."""

    languages: tuple[str, ...]

    def probabilities(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """For n texts: n x languages probabilities, and how many letters tell the language."""
        ...


class WordModel:
    """py3langid's naive Bayes model (BSD-3-Clause, in its wheel), restricted to some languages.

    A text's score for a language is the sum over its words of the words' n-grams' log probabilities; the model itself
    damps repeated n-grams by a logarithm and lets n-grams cross spaces. Against it, paragraphs come out the same,
    sentences better, and a word met again costs one look-up. Sums are of integers: the same on every machine, in
    any order, whatever was looked up before.
    """

    def __init__(self, languages: Iterable[str]) -> None:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier

        model = LanguageIdentifier.from_model_file(MODEL_FILE)
        asked = set(languages)
        columns = [(primary(code), k) for k, code in enumerate(model.nb_classes) if primary(code) in asked]
        columns.sort()
        self.languages = tuple(sorted({code for code, _ in columns}))
        names = [code for code, _ in columns]
        self._starts = [names.index(code) for code in self.languages]
        chosen = [k for _, k in columns]
        features = model.nb_ptc[:, chosen].astype(np.float32)
        features -= features.max(axis=1, keepdims=True)
        self._features = np.rint(features * _SCALE).astype(np.int16)
        prior = model.nb_pc[chosen].astype(np.float64)
        self._prior = np.rint((prior - prior.max()) * _SCALE).astype(np.int64)
        self._moves = np.asarray(model.tk_nextmove)
        self._rows = np.asarray(model.tk_row).astype(np.int64) << 8
        self._outputs = np.asarray(model.tk_output).astype(np.int64)
        self._forget()

    def probabilities(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """See `Detector`; rounded to 4 digits, which exponentials of different processors agree in."""
        scores, told = self.scores(texts)
        scores = scores - scores.max(axis=1, keepdims=True)
        odds = np.add.reduceat(np.exp(scores / (_SCALE * _OVERLAP)), self._starts, axis=1)
        return np.round(odds / odds.sum(axis=1, keepdims=True), 4), told

    def scores(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For n texts: n x columns summed log probabilities (in 1/1024 nats), and letters."""
        if self._known > _MOST_WORDS:
            self._forget()
        flat = words(f" {_BETWEEN} ".join(text.replace(_BETWEEN, "") if _BETWEEN in text else text for text in texts))
        flat.append(_BETWEEN)
        numbers = np.fromiter(map(self._numbers.get, flat, repeat(-1)), np.int64, len(flat))
        missing = np.flatnonzero(numbers < 0).tolist()
        if missing:
            unknown = [flat[k] for k in missing]
            self._learn(list(dict.fromkeys(unknown)))
            numbers[missing] = list(map(self._numbers.__getitem__, unknown))
        # Each text's words and the mark behind them, which counts nothing.
        starts = np.flatnonzero(numbers == _MARK) + 1
        starts[1:], starts[0] = starts[:-1].copy(), 0
        sums = np.add.reduceat(self._vectors[numbers], starts, axis=0)
        return sums + self._prior, np.add.reduceat(self._letters[numbers], starts)

    def _forget(self) -> None:
        self._numbers: dict[str, int] = {_BETWEEN: _MARK}
        self._vectors = np.zeros((1 << 13, len(self._prior)), np.int32)
        self._letters = np.zeros(len(self._vectors), np.int64)
        self._known = 2

    def _learn(self, unknown: Sequence[str]) -> None:
        """Numbers words and sums their n-grams, those of ASCII together, the others from their keys."""
        foreign = [] if "".join(unknown).isascii() else [word for word in unknown if not word.isascii()]
        plain = PlainWords([word for word in unknown if word.isascii()] if foreign else unknown)
        self._numbers.update(zip(plain.silent, repeat(_SILENT), strict=False))
        self._add(plain.told, plain.letters, plain.bounded, plain.sizes)
        keyed = [(word, word_key(word)) for word in foreign]
        self._numbers.update((word, _SILENT) for word, key in keyed if not key)
        # The longest first: each step then works on a head of the array.
        encoded = sorted(
            ((_bounded(key[:HEAD]).encode("utf-8", "surrogatepass"), word, key) for word, key in keyed if key),
            key=lambda item: -len(item[0]),
        )
        if encoded:
            width = len(encoded[0][0])
            rows = np.frombuffer(b"".join(raw.ljust(width) for raw, _, _ in encoded), np.uint8).reshape(-1, width)
            told = np.array([letters(key) for _, _, key in encoded])
            self._add([word for _, word, _ in encoded], told, rows, np.array([len(raw) for raw, _, _ in encoded]))

    def _add(
        self, told: list[str], counts: NDArray[np.int64], rows: NDArray[np.uint8], sizes: NDArray[np.int64]
    ) -> None:
        """Adds n words, the longest first: their letters and n x width bytes, of which `sizes` count."""
        if not told:
            return
        first, self._known = self._known, self._known + len(told)
        if self._known > len(self._vectors):
            more = max(len(self._vectors), len(told))
            self._vectors = np.concatenate((self._vectors, np.zeros((more, len(self._prior)), np.int32)))
            self._letters = np.concatenate((self._letters, np.zeros(more, np.int64)))
        self._numbers.update(zip(told, range(first, self._known), strict=True))
        self._letters[first : self._known] = counts
        state = np.zeros(len(told), np.int64)
        outputs = np.full(rows.shape, -1, np.int64)
        for position in range(rows.shape[1]):
            alive = int(np.searchsorted(-sizes, -position))
            state = self._moves[self._rows[state[:alive]] + rows[:alive, position]].astype(np.int64)
            outputs[:alive, position] = self._outputs[state]
        owner, place = np.nonzero(outputs >= 0)
        if len(owner):
            starts = np.flatnonzero(np.diff(owner, prepend=-1))
            features = self._features[outputs[owner, place]]
            self._vectors[first + owner[starts]] = np.add.reduceat(features, starts, axis=0, dtype=np.int32)


def _bounded(key: str) -> str:
    # The model's n-grams know where a word begins and ends; a character of Han or Kana is rarely a whole word.
    return key if len(key) == 1 and key > "\u2fff" else f" {key} "


def word_model(also: tuple[str, ...] = ()) -> WordModel:
    """The model of the usual languages and those of `also`, once a process (0.7 s, 60 MB, at most 40 MB of words)."""
    return _loaded(tuple(sorted({*USUAL.split(), *also})))


@lru_cache(maxsize=2)
def _loaded(languages: tuple[str, ...]) -> WordModel:
    return WordModel(languages)
