"""The name tagger as spaCy parts: a tokenizer that splits as the tagger was trained, and a component that sets ents.

Importing this module registers both, so that `spacy.load` can read a folder which holds them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import spacy
from spacy import util
from spacy.language import Language
from spacy.tokens import Doc, Span

from corpusforge.curate.batches import in_batches
from corpusforge.curate.redaction.ner.labels import OUTSIDE
from corpusforge.curate.redaction.ner.network import Network, Weights
from corpusforge.curate.redaction.ner.words import offsets, tokens, words_of

FACTORY = "corpusforge_names"
TOKENIZER = "corpusforge.words.v1"
_WORDS = "corpusforge_words"
# Words per matrix product: larger ones fall out of the processor's cache.
_WORDS_AT_ONCE = 4096


class Words:
    """A spaCy tokenizer: words, marks and white space. It has nothing to store."""

    def __init__(self, vocab: Any) -> None:
        self._vocab = vocab

    def __call__(self, text: str) -> Doc:
        """The text as a Doc that spells it exactly."""
        words, blanks = tokens(text)
        # Asking spaCy for each word's text again takes longer than tagging.
        return Doc(self._vocab, words=words, spaces=blanks, user_data={_WORDS: words})

    def to_disk(self, path: Path, **_: Any) -> None:
        """Nothing to write."""

    def from_disk(self, path: Path, **_: Any) -> Words:
        """Nothing to read."""
        return self

    def to_bytes(self, **_: Any) -> bytes:
        """Nothing to write."""
        return b""

    def from_bytes(self, data: bytes, **_: Any) -> Words:
        """Nothing to read."""
        return self


def words_tokenizer() -> Callable[[Any], Words]:
    """Makes the tokenizer for a pipeline."""
    return lambda nlp: Words(nlp.vocab)


util.registry.tokenizers(TOKENIZER, func=words_tokenizer)


class NameTagger:
    """A spaCy component that sets `doc.ents`: runs of words with the same label, without white space at their ends.

    `caution` is subtracted from the score of "nothing personal": more of it finds more and raises more false alarms.
    """

    def __init__(self, labels: tuple[str, ...] = (OUTSIDE,), caution: int = 0, weights: Weights | None = None) -> None:
        self.labels = labels
        self.caution = caution
        self.weights = weights
        self._network = Network(weights) if weights is not None else None

    def spans(self, texts: Iterable[list[str]]) -> list[list[tuple[int, int, str]]]:
        """For each list of words its entities as (first word, word after the last, label)."""
        if self._network is None:
            raise ValueError("the name tagger has no weights: load it from a folder")
        texts = list(texts)
        found: list[list[tuple[int, int, str]]] = []
        for batch in in_batches(texts, lambda words: len(words) + 4, _WORDS_AT_ONCE):
            for words, numbers in zip(batch, self._network.labels(batch, self.caution), strict=True):
                found.append([] if numbers is None else _runs(numbers, words, self.labels))
        return found

    def read(self, texts: Iterable[str]) -> list[list[tuple[str, int, int]]]:
        """For each text its entities as (label, start, end) in characters: those of the Docs that `pipe` gives, which
        would take as long to build as to tag.
        """
        texts = list(texts)
        found: list[list[tuple[str, int, int]]] = []
        for text, spans in zip(texts, self.spans(map(words_of, texts)), strict=True):
            if spans:
                words, blanks = tokens(text)
                found.append(_placed(spans, words, offsets(words, blanks)))
            else:
                found.append([])
        return found

    def read_words(self, texts: Iterable[str]) -> list[tuple[list[str], list[int], list[tuple[str, int, int]]]]:
        """For each text its words, where each starts, and its entities as `read` gives them."""
        split = [tokens(text) for text in texts]
        found = []
        for (words, blanks), spans in zip(split, self.spans(words for words, _ in split), strict=True):
            starts = offsets(words, blanks)
            found.append((words, starts[:-1], _placed(spans, words, starts)))
        return found

    def __call__(self, doc: Doc) -> Doc:
        """The Doc with its entities set."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 64, **_: Any) -> Iterator[Doc]:
        """The Docs in order, tagged together in batches."""
        rest = iter(stream)
        while docs := list(islice(rest, batch_size)):
            for doc, spans in zip(docs, self.spans(map(_words_of, docs)), strict=True):
                doc.set_ents([Span(doc, start, end, label=label) for start, end, label in spans])
                yield doc

    def to_disk(self, path: Path, **_: Any) -> None:
        """Writes `weights.npz` (never compressed: the same weights give the same bytes) and `tagger.json`."""
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        if self.weights is not None:
            np.savez(path / "weights.npz", **{name: getattr(self.weights, name) for name in Weights.__slots__})
        made = {"labels": list(self.labels), "caution": self.caution}
        (path / "tagger.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")

    def from_disk(self, path: Path, **_: Any) -> NameTagger:
        """Reads what `to_disk` wrote. Raises OSError where a file is missing, ValueError where it is none of ours."""
        path = Path(path)
        told = json.loads((path / "tagger.json").read_text(encoding="utf-8"))
        with np.load(path / "weights.npz", allow_pickle=False) as stored:
            weights = Weights(**{name: stored[name] for name in Weights.__slots__})
        self.__init__(tuple(told["labels"]), int(told["caution"]), weights)  # type: ignore[misc]
        return self


@Language.factory(FACTORY, assigns=["doc.ents"])
def make_tagger(nlp: Language, name: str) -> NameTagger:
    """The component without weights; `from_disk` reads them."""
    return NameTagger()


def blank() -> Language:
    """An English pipeline with our tokenizer and no component."""
    return spacy.blank("en", config={"nlp": {"tokenizer": {"@tokenizers": TOKENIZER}}})


def with_tagger(labels: tuple[str, ...], caution: int, weights: Weights) -> Language:
    """A pipeline whose only component is a tagger with these weights."""
    nlp = blank()
    tagger: Any = nlp.add_pipe(FACTORY)
    tagger.__init__(labels, caution, weights)
    return nlp


def tagger_of(nlp: Language) -> NameTagger | None:
    """The tagger of a pipeline that is nothing but our tokenizer and a tagger; else None."""
    found: Any = nlp.get_pipe(FACTORY) if nlp.pipe_names == [FACTORY] else None
    return found if isinstance(nlp.tokenizer, Words) else None


def reader(nlp: Language) -> Callable[[Sequence[str]], list[list[tuple[str, int, int]]]]:
    """What reads many texts at once with a pipeline: for each its entities as (label, start, end) in characters."""
    tagger = tagger_of(nlp)
    if tagger is not None:
        return tagger.read

    def read(texts: Sequence[str]) -> list[list[tuple[str, int, int]]]:
        docs = nlp.pipe(texts, batch_size=256)
        return [[(ent.label_, ent.start_char, ent.end_char) for ent in doc.ents] for doc in docs]

    return read


def _placed(spans: Sequence[tuple[int, int, str]], words: list[str], starts: list[int]) -> list[tuple[str, int, int]]:
    """Runs of words as (label, start, end) in characters."""
    return [(label, starts[start], starts[end - 1] + len(words[end - 1])) for start, end, label in spans]


def _words_of(doc: Doc) -> list[str]:
    words: list[str] | None = doc.user_data.pop(_WORDS, None)
    return [token.text for token in doc] if words is None else words


def _runs(numbers: Any, words: list[str], labels: tuple[str, ...]) -> list[tuple[int, int, str]]:
    """Runs of equal labels other than the first; white space belongs to none unless words stand on both its sides."""
    edges = np.flatnonzero(np.diff(numbers)) + 1
    found = []
    for start, end in zip([0, *edges.tolist()], [*edges.tolist(), len(words)], strict=True):
        number = int(numbers[start])
        low, high = start, end
        while low < high and not words[low].strip():
            low += 1
        while high > low and not words[high - 1].strip():
            high -= 1
        if number and low < high:
            found.append((low, high, labels[number]))
    return found
