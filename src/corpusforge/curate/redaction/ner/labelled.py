"""Labelled text as examples for training: spans in characters become a label number for each word."""

from __future__ import annotations

from collections.abc import Iterable

from corpusforge.curate.redaction.ner.labels import LABELS
from corpusforge.curate.redaction.ner.training import UNKNOWN, Example
from corpusforge.curate.redaction.ner.words import offsets, tokens

_NUMBERS = {label: number for number, label in enumerate(LABELS)}


def example(text: str, spans: Iterable[tuple[int, int, str]]) -> Example:
    """The text's words and their label numbers; a label that is none of ours means that nothing is known."""
    words, blanks = tokens(text)
    starts = offsets(words, blanks)
    numbers = [0] * len(words)
    ordered = sorted(spans)
    at = 0
    for start, end, label in ordered:
        while at < len(words) and starts[at] + len(words[at]) <= start:
            at += 1
        word = at
        while word < len(words) and starts[word] < end:
            numbers[word] = _NUMBERS.get(label, UNKNOWN)
            word += 1
    return words, numbers
