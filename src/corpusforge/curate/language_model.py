"""Names the language of many texts at once: py3langid's n-gram model, summed over words that are looked up once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from corpusforge.curate.chunks import Bytes, Chunks, Ints, marked, padded
from corpusforge.curate.language_text import letters, primary, spaced, word_key
from corpusforge.curate.language_words import FOREIGN, HEAD, plain_keys, summed, weigh
from corpusforge.curate.mark_table import MarkTable, grown

# The model knows 139. Pidgins, dialects and rare languages take more short turns of their large neighbours (Nigerian
# Pidgin 2% of English questions, Extremaduran and Galician Spanish ones) than they win: they count where declared.
USUAL = """af am ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja ka kk km
kn ko ku ky lo lt lv mk ml mn mr ms my ne nl no pa pl ps pt ro ru si sk sl sq sr sv sw ta te th tl tr uk ur uz vi zh"""
# Neighbouring n-grams overlap, so that each letter is counted about three times. Divided by 3, scores are
# probabilities: of 1,900 paragraphs of 10 to 50 characters scored 0.7 to 0.9, 83% are right; of 0.9 to 0.99, 98%.
_OVERLAP = 3.0
_SCALE = 1024
_MOST_KEYS = 1 << 17
_BETWEEN = "\x00"


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
        self._features = np.zeros((len(features) + 1, len(chosen)), np.int16)
        np.rint(features * _SCALE, out=self._features[:-1], casting="unsafe")
        prior = model.nb_pc[chosen].astype(np.float64)
        self._prior = np.rint((prior - prior.max()) * _SCALE).astype(np.int64)
        rows, outputs = (np.asarray(array).astype(np.int32) for array in (model.tk_row, model.tk_output))
        self._automaton = np.asarray(model.tk_nextmove), np.column_stack((rows << 8, outputs))
        # Pages that nothing is written to take no memory.
        self._vectors = np.empty((_MOST_KEYS, len(self._prior)), np.int32)
        self._words = np.empty((2 * _MOST_KEYS, 2), np.int32)
        self._forget()

    def probabilities(self, texts: Sequence[str]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """See `Detector`; rounded to 4 digits, which exponentials of different processors agree in."""
        scores, told = self.scores(texts)
        scores = scores - scores.max(axis=1, keepdims=True)
        odds = np.add.reduceat(np.exp(scores / (_SCALE * _OVERLAP)), self._starts, axis=1)
        return np.round(odds / odds.sum(axis=1, keepdims=True), 4), told

    def scores(self, texts: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For n texts: n x columns summed log probabilities (in 1/1024 nats), and letters."""
        # Numbers and addresses are words without end that share one key.
        if self._keys.count > _MOST_KEYS or self.words > 2 * _MOST_KEYS:
            self._forget()
        joined = f" {_BETWEEN} ".join(text.replace(_BETWEEN, "") if _BETWEEN in text else text for text in texts)
        chunks = Chunks([f"{spaced(joined)} {_BETWEEN}"])
        numbers, new = self._table.number(chunks.marks)
        if len(new):
            self._learn(chunks, new)
        sums, told = summed(numbers, self._words, self._vectors, len(texts))
        return sums + self._prior, told

    @property
    def words(self) -> int:
        """How many words are known, at most about a quarter of a million: the model's memory."""
        return self._table.count

    def _forget(self) -> None:
        self._table, self._keys = MarkTable(_MOST_KEYS), MarkTable(_MOST_KEYS)

    def _learn(self, chunks: Chunks, new: Ints) -> None:
        """Sums the n-grams of the table's newest words; those with the same key have the same vector."""
        starts, ends = chunks.starts[new], chunks.ends[new]
        told, data, begins, sizes = _keys(chunks, starts, ends)
        keys, unmet = self._keys.number(marked(data, begins, begins + sizes))
        known = self._keys.count
        self._vectors, self._words = grown(self._vectors, known), grown(self._words, self._table.count)
        words = self._words[self._table.count - len(new) : self._table.count]
        words[:, 0], words[:, 1] = keys, told
        spans = begins[unmet], sizes[unmet]
        weigh(data, spans, self._automaton, self._features, self._vectors[known - len(unmet) : known])


def _keys(chunks: Chunks, starts: Ints, ends: Ints) -> tuple[Ints, Bytes, Ints, Ints]:
    """For n words the letters that tell the language; then bytes, where in them each word's key begins, its bytes."""
    told, keys, sizes = plain_keys(chunks.bytes, starts, ends)
    begins = np.arange(len(starts)) * keys.shape[1]
    foreign = np.flatnonzero(told == FOREIGN)
    spans = zip(starts[foreign].tolist(), ends[foreign].tolist(), strict=True)
    found = [word_key(chunks.raw[start:end].decode("utf-8", "surrogatepass")) for start, end in spans]
    told[foreign] = list(map(letters, found))
    encoded = [_bounded(key[:HEAD]).encode("utf-8", "surrogatepass") if key else b"" for key in found]
    sizes[foreign] = list(map(len, encoded))
    begins[foreign] = keys.size + np.cumsum(sizes[foreign]) - sizes[foreign]
    return told, padded(keys.tobytes(), *encoded), begins, sizes


def _bounded(key: str) -> str:
    # The model's n-grams know where a word begins and ends; a character of Han or Kana is rarely a whole word.
    return key if len(key) == 1 and key > "\u2fff" else f" {key} "


def word_model(also: tuple[str, ...] = ()) -> WordModel:
    """The model of the usual languages and those of `also`, once a process (0.7 s, 60 MB, at most 40 MB of words)."""
    return _loaded(tuple(sorted({*USUAL.split(), *also})))


@lru_cache(maxsize=2)
def _loaded(languages: tuple[str, ...]) -> WordModel:
    return WordModel(languages)
